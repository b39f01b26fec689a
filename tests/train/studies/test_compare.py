"""`train compare`: GZSL by what other splits like, and the page; the run itself is in `test_recipe.py`."""

import json

import numpy as np

from train.studies.compare import summarise
from train.studies.compare_report import markdown
from train.studies.folds import Duels, stack_over_splits
from train.studies.kept_folds import duels_of, told_of


def split(bias: float, seed: int) -> Duels:
    """Of 200 clips of four classes, the last two unseen, whose energies are `bias` too high."""
    rng = np.random.default_rng(seed)
    truth = np.arange(200) % 4
    energies = rng.uniform(0.3, 1.0, (200, 4))
    energies[np.arange(200), truth] = 0.2
    energies[:, 2:] += bias
    return Duels.of(energies, truth, np.array([False, False, True, True]))


def test_seen_energies_are_raised_by_what_the_other_splits_like():
    plain, points, raised = stack_over_splits([split(0.5, seed) for seed in range(3)])
    assert all(unseen < 0.3 for _, unseen in plain)
    assert all(min(point) > 0.9 for point in points)
    assert all(0.3 < by < 0.8 for by in raised)


def test_what_is_kept_of_a_split_gives_its_figures_again():
    kept, again = split(0.5, 0), duels_of(json.loads(json.dumps(told_of(split(0.5, 0)))))
    assert [again.point(raised) for raised in (0.0, 0.3, 9.0)] == [kept.point(raised) for raised in (0.0, 0.3, 9.0)]


def test_a_lone_split_has_no_others_to_choose_by():
    plain, points, raised = stack_over_splits([split(0.5, 0)])
    assert plain == points
    assert raised == [0.0]


def test_means_are_over_folds_and_spreads_over_seeds():
    rows = []
    for way, seeds in (("scale", (0, 1)), ("ridge", (0,))):
        for seed in seeds:
            for fold in (0, 1):
                row = {"fold": f"split-{fold}", "way": way, "seed": seed, "top5": 1.0, "chance": 0.5}
                rows.append(row | {"top1": 0.4 + 0.2 * fold + 0.1 * seed} | told_of(split(0.1, fold)))
            rows.append(
                {"fold": "lab-0", "way": way, "seed": seed, "top1": 0.3, "top5": 0.9, "chance": 0.1, "set": "lab"}
            )
    found = summarise(rows)
    assert found["splits"]["ways"]["scale"]["top1"] == [0.55, 0.0707]
    assert found["splits"]["ways"]["scale"]["over_folds"] == [0.55, 0.1414]
    assert found["splits"]["ways"]["ridge"]["top1"] == [0.5, None]
    assert found["splits"]["ways"]["ridge"]["stacked"]["harmonic"][0] > 0.9
    assert found["labs"]["ways"]["scale"]["sets"] == {"lab": [0.3, 0.0]}
    cost = {"parameters": 310_000, "macs_12": 4_000_000, "ms": {"12": 1.0, "60": 2.0, "1000": 9.0}}
    page = markdown(
        {
            "seeds": [0, 1],
            "git": "x",
            "machine": "m",
            "cost": {"scale": cost | {"set_labels_ms": {"1000": 7.0}}},
            **found,
        }
    )
    assert page.index("| SCALE | 0.550 ± 0.071 | 0.141") < page.index("| ridge to text | 0.500 | ")
    assert "| SCALE | 0.31 M | 4.0 M | 1.00 | 2.00 | 9.00 | 7 |" in page
