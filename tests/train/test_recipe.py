"""The whole recipe, from sets to a bundle that is measured, on a handful of made-up clips; and recipes as files."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from edge_app.camera.person import ACTIONS
from edge_app.ranker.labels.actions import actions
from export.__main__ import main as export
from train.__main__ import main as train
from train.data.clips import MEASURED_SETS, SETS
from train.heads.systems import SYSTEMS
from train.models.edge import ENCODERS
from train.models.fdsm import EDGE
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.recipe import read_steps
from train.synthetic.named_actions import NAMED
from train.synthetic.person_clips import generated_clips

RECIPES = Path(__file__).parents[2] / "configs/train"
SHOWN = ["bow", "clap", "jump", "kick", "squat", "wave"]
WEB = partial(ShiftConfig, widths=(8,), strides=(1,))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Six sets of drawn-up clips of six actions, as the real ones are stored; and small networks."""
    folder = tmp_path_factory.mktemp("sets")
    few = actions()[:12]
    with pytest.MonkeyPatch.context() as six:
        six.setattr("train.synthetic.person_clips.ACTIONS", {name: ACTIONS[name] for name in SHOWN})
        picked = generated_clips(2, seed=3)
    rows = ["dataset,label,name,concept,clips"]
    for name in [*list(SETS)[:6], *MEASURED_SETS]:
        raw = np.concatenate([np.round(clip.joints[..., :3] * 1000) for clip in picked]).astype(np.int16)
        np.savez(
            folder / f"{name}.npz", X=raw, off=np.cumsum([0, *(len(clip.joints) for clip in picked)]),
            label=np.array([SHOWN.index(clip.name) for clip in picked]), names=np.array(SHOWN),
            subject=np.array(["a", "b"] * len(SHOWN)), fps=np.float32(24), dim=np.int64(3),
        )  # fmt: skip
        rows += [f"{name},{i},{label},{label},2" for i, label in enumerate(SHOWN)]
    (folder / "concepts.csv").write_text("\n".join(rows) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.bundle.actions", lambda: few)
        patch.setattr("train.heads.calibrate.actions", lambda: few)
        patch.setattr("train.studies.compare.actions", lambda: few)
        patch.setattr("train.studies.compare.DECISIONS", 3)
        for kind in ("conv-small", "attention"):
            patch.setitem(ENCODERS, kind, replace(ENCODERS[kind], trunk_width=16, trunk_strides=(2,), feature=32))
        for module in ("train.encoder.frozen", "train.models.shiftgcn"):
            patch.setattr(f"{module}.ShiftConfig", WEB)
        config = replace(EDGE, hidden=16, heads=2, depth=2, time=8, gate=8)
        patch.setitem(SYSTEMS, "fdsm", replace(SYSTEMS["fdsm"], config=config))
        patch.setattr("train.encoder.training_set.generated_clips", lambda count, seed: picked[:count])
        patch.setattr("train.synthetic.named_actions.NAMED", {name: NAMED[name] for name in ("swim", "sing")})
        yield folder


def written(path, **sections):
    path.write_text(yaml.safe_dump(sections, sort_keys=False))
    return str(path)


@pytest.fixture(scope="module")
def run(sets, tmp_path_factory):
    """The folder of a recipe that was run, beside it the recipe."""
    folder = tmp_path_factory.mktemp("recipe")
    small = {"composed": 40, "composed_batch": 4, "named": 1, "generated": 6, "batch": 8, "threads": 1}
    short = {"epochs": 2, "per_epoch": 160, "cache": str(sets / "cache")}
    recipe = written(
        folder / "recipe.yaml",
        encoder={**small, **short, "leave_out": ["utkinect"], "withhold": ["bow", "jump"]},
        parts=[{"seed": 0}, {"seed": 1, "per_epoch": 8}],
        merge={"web": str(folder / "web.pt"), "web_names": str(folder / "web.csv")},
        head={"systems": ["scale", "fdsm", "sa_dvae", "fs_vae"], "steps": 3, "batch": 8, "threads": 1},
        calibrate={"lists": 40},
    )
    torch.manual_seed(0)
    network = ShiftGCN(WEB(classes=3))
    torch.save(network.state_dict(), folder / "web.pt")
    (folder / "web.csv").write_text("index,name\n0,squat\n1,clapping\n2,golf driving\n")
    assert train(["recipe", recipe, "--data", str(sets), "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_it_learns_and_what_is_done_is_not_done_again(sets, run):
    log = [json.loads(line) for line in (run / "part-0" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == [1, 2]
    assert {"withheld_top1", "utkinect_top1", "loss"} <= set(log[0])
    assert log[1]["loss"] < 0.95 * log[0]["loss"]
    assert set(json.loads((run / "metrics.json").read_text())) == {"scale", "fdsm", "sa_dvae", "fs_vae"}
    calibrated = json.loads((run / "calibration.json").read_text())["rankers"]
    assert {kind for kind, numbers in calibrated.items() if numbers.get("conse")} == {"scale", "sa_dvae", "fs_vae"}

    made = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    done = json.loads((run / "recipe.json").read_text())
    assert list(done) == ["part-0", "part-1", "merge", "head", "calibrate"]
    (run / "recipe.json").write_text(json.dumps({name: done[name] for name in done if name != "merge"}))
    assert train(["recipe", str(run.parent / "recipe.yaml"), "--data", str(sets), "--out", str(run)]) == 0
    again = {path for path in made if path.stat().st_mtime_ns != made[path]}
    assert again == {run / "encoder.pt", run / "recipe.json"}


def test_scale_is_taken_apart(sets, run, tmp_path):
    command = ["ablate", "--encoder", str(run / "encoder.pt"), "--data", str(sets), "--out", str(tmp_path / "out.json")]
    assert train([*command, "--steps", "1", "--batch", "8", "--seeds", "2", "--threads", "1"]) == 0
    assert len(json.loads((tmp_path / "out.json").read_text())["found"]["no anchor"]) == 2


def test_the_encoder_is_measured_on_the_development_sets(sets, run, tmp_path):
    command = ["develop", "--encoder", str(run / "encoder.pt"), "--data", str(sets)]
    assert train([*command, "--out", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())[str(run)]
    assert set(figures) == {"florence3d", "mixamo_dev", "utkinect", "withheld"}
    assert set(figures["utkinect"]) == {"text head", "scale"}


def test_from_sets_to_a_measured_bundle(sets, run, tmp_path, capsys):
    made = ["--encoder", str(run / "encoder.pt"), "--heads", str(run), "--calibration", str(run / "calibration.json")]
    rest = ["--labels", "squat, wave", "--card", "README.md", "--out", str(tmp_path / "bundle")]
    assert export(["bundle", *made, *rest]) == 0
    capsys.readouterr()
    for ranker in ("scale", "fdsm", "sa_dvae", "fs_vae", "scale+fdsm"):
        asked = ["--data", str(sets / "utkinect.npz"), "--ranker", ranker, "--json"]
        assert train(["evaluate", "--bundle", str(tmp_path / "bundle"), *asked]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["clips"], result["ranker"]) == (12, ranker)
        assert set(result["per_class"]) == set(SHOWN)
        assert 0 <= result["top1_class_mean"] <= 1


def test_a_fold_leaves_sets_out_and_measures_each_of_them(sets, tmp_path, capsys):
    small = "--composed 20 --composed-batch 4 --named 0 --generated 4 --batch 8 --epochs 1 --per-epoch 8"
    out = tmp_path / "folds"
    folds = ["folds", "--data", str(sets), "--out", str(out), "--sets", "utkinect+nw_ucla", "--threads", "1"]
    folds += ["--branches", "conv-small,attention", "--recipe", f"{small} --cache {sets}"]
    assert train([*folds, "--head", "--rounds 1 --steps 2 --batch 8"]) == 0
    report = json.loads((out / "folds.json").read_text())
    labs = [(row["set"], row["seed"], row["classes"]) for row in report["labs"]]
    assert labs == [("utkinect", 0, 6), ("nw_ucla", 0, 6)]
    assert "mean of sets" in capsys.readouterr().out
    saved = torch.load(out / "utkinect+nw_ucla-0" / "encoder.pt", weights_only=True)
    assert saved["left_out"] == ["nw_ucla", "utkinect"]
    assert [config["attention"] for config in saved["config"]] == [False, True]
    systems = ["--systems", "scale,fs_vae", "--seeds", "0,1", "--steps", "3", "--out", str(tmp_path / "systems")]
    assert train(["compare", "--data", str(sets), "--folds", str(out), *systems, "--threads", "1"]) == 0
    made = sorted(path.name for path in (tmp_path / "systems").iterdir())
    assert made == ["folds", "systems.json", "systems.md", "systems.png"]
    ways = json.loads((tmp_path / "systems" / "systems.json").read_text())["labs"]["ways"]
    assert list(ways) == ["cosine", "ridge", "devise", "conse", "scale", "fs_vae"]
    assert ways["scale"]["sets"]["utkinect"][1] is not None
    assert "| FS-VAE |" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_that_we_keep_are_understood(path, tmp_path):
    steps = read_steps(path, tmp_path, tmp_path)
    assert [step.verb for step in steps][:5] == ["encoder", "encoder", "encoder", "merge", "head"]
    assert [step.arguments.encoder for step in steps[:3]] == ["conv-small", "conv-small", "attention"]
    assert [step.arguments.seed for step in steps[:3]] == [0, 1, 0]
    assert (len(steps) == 6) == bool(steps[0].arguments.withhold), "calibrated on what was withheld"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parts: [{seed: 0}]\nhead: {rate: 3}", "head: 'rate' is no option; allowed are systems, rounds"),
        ("parts: [{seed: 0}, {sed: 0}]\nhead:", "part-1: 'sed' is no option; allowed are sets, leave_out, withhold"),
        ("parts: [{out: x}]\nhead:", "part-0: 'out' is no option"),
        ("parts: [{seed: x}]\nhead:", "part-0: argument --seed: invalid int value: 'x'"),
        ("parts: [{encoder: mlp}]\nhead:", "part-0: argument --encoder: invalid choice: 'mlp'"),
        ("parts: [{seed: 0}]\nheads:", "parts, heads found; parts and head are needed"),
        ("parts: []\nhead:", "parts: a list of encoders expected"),
        ("parts: [3]\nhead:", "part-0: options with names expected, int found"),
        ("parts: [", "while parsing"),
        ("3", "int found"),
    ],
)
def test_a_recipe_that_is_not_understood_is_refused_before_anything_is_trained(tmp_path, capsys, text, said):
    (tmp_path / "recipe.yaml").write_text(text)
    command = ["recipe", str(tmp_path / "recipe.yaml"), "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert train(command) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_only_with_its_own_options(tmp_path, capsys):
    recipe = written(tmp_path / "recipe.yaml", parts=[{"seed": 1}], head=None)
    (tmp_path / "recipe.json").write_text(json.dumps({"part-0": {"seed": "0"}}))
    assert train(["recipe", recipe, "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "part-0 was done with other options; give an empty folder" in capsys.readouterr().err
