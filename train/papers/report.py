"""What `train reproduce` measured, as markdown: our mean and spread over seeds beside the papers' figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from train.evaluate.metrics import mean_and_deviation
from train.papers.deviations import deviations
from train.papers.published import Published, all_published, find_published, used

TEST_CLIPS = {"ntu60": 16_487, "ntu120": 50_906, "pku": 2_704}
"""Cross-subject test clips of the whole data set: NTU-120's as METHODS.md 0.2 has them, the others' from memory."""
MUCH_SMALLER = 0.9
BENCHMARKS = ("smie", "sa-dvae")
GATE = "SynSE gate"
"""The rule that the papers' GZSL figures are made with (METHODS.md 5.4)."""


def with_rich(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows, each followed by one of the same head asked with rich texts, where there is one."""
    found = []
    for row in rows:
        found.append(row)
        if "rich" in row:
            found.append(row | {"system": f"{row['system']}, rich texts"} | row["rich"])
    return found


def report_text(report: dict[str, Any]) -> str:
    """Both tables, each with what its figures stand on, and the papers' figures on the same splits."""
    report = report | {"rows": with_rich(report["rows"])}
    differs = [f"Deviates: {line}." for line in deviations(report)]
    stands_on = "\n".join(f"- {line}" for line in [*notes(report), *differs])
    parts = [f"# {report['table']}", "", "## ZSL: top-1 of unseen clips among unseen classes, %", ""]
    parts += [*_zsl(report), "", stands_on, "", "## GZSL: seen / unseen / harmonic mean among all classes, %", ""]
    parts += [*_gzsl(report), "", stands_on, "", "## Published on these splits, %", "", *_published(report), ""]
    return "\n".join(parts)


def notes(report: dict[str, Any]) -> list[str]:
    """What has to be known beside every table, a line each."""
    tests = min(row["clips"]["gtest"] for row in report["rows"])
    expected, kind = report["test_clips_expected"], "published features" if report["features"] else "skeletons"
    found = [f"Data: {kind} in {report['data']}, {tests:,} test clips; the whole data set has about {expected:,}."]
    if tests < MUCH_SMALLER * expected:
        found.append("THESE FIGURES MEAN NOTHING: the data are not the data set, but much smaller, or generated.")
    if report["select_on_test"]:
        found.append("SELECTED ON TEST: steps, thresholds and constants were chosen on the test classes, as papers do.")
    else:
        found.append("Selection: whatever was chosen was chosen on pseudo-unseen classes, nothing on the test.")
    periods = [row["period"] + 1 for row in report["rows"] if row.get("period") is not None]
    if periods:
        on = "the unseen test clips" if report["select_on_test"] else "pseudo-unseen classes"
        found.append(f"Epochs or cycles of the heads, the best on {on}: {min(periods)} to {max(periods)}.")
    encoders = ", ".join(sorted({row["encoder"] for row in report["rows"]}))
    given = ", ".join(f"{key} {value}" for key, value in report["encoder_options"].items() if value and key != "table")
    trained = f"{encoders}, trained here ({given}; else by its recipe), joint stream, last epoch"
    found.append(f"Encoder: {encoders if report['features'] else trained}.")
    found.append(f"Texts: {report['texts']}. The papers' encoders of texts are in METHODS.md 0.4.")
    steps = sorted({str(row["steps"]) for row in report["rows"] if row["steps"]})
    found.append(
        f"Heads: {report['variant']} settings, {'/'.join(steps) + ' steps' if steps else 'steps as published'}."
    )
    found.append(f"Fit: {report['fit']}, {report['epoch']} epoch.")
    found.append("Means over clips, ± standard deviation over seeds of the heads; one encoder for all seeds.")
    return found


def _zsl(report: dict[str, Any]) -> list[str]:
    rows = []
    for split, system, own in _groups(report["rows"]):
        ours = [row["zsl"]["top1"] for row in own]
        rows.append([split, system, len(own), _figure(ours), *_paper("zsl", report["table"], split, system)])
        rows[-1].append(f"{100 * own[0]['chance']:.1f}")
    for benchmark in BENCHMARKS:
        for system in dict.fromkeys(row["system"] for row in report["rows"]):
            seeds = _over_three(report["rows"], benchmark, system)
            if seeds:
                paper = _paper("zsl", report["table"], benchmark, system)
                rows.append([f"{benchmark}, mean of 3", system, len(seeds), _figure(seeds), *paper, ""])
    return _markdown(["split", "system", "seeds", "ours", "paper", "paper's figure from", "chance"], rows)


def _over_three(rows: Sequence[dict[str, Any]], benchmark: str, system: str) -> list[float]:
    """Means over a benchmark's three splits, one a seed; none where one of the three was not run."""
    found = {
        (row["split"], row["seed"]): row["zsl"]["top1"]
        for row in rows
        if row["system"] == system and row["split"] in {f"{benchmark}-{n}" for n in (1, 2, 3)}
    }
    seeds = sorted({seed for _, seed in found})
    if len(found) != 3 * len(seeds):
        return []
    return [sum(found[f"{benchmark}-{n}", seed] for n in (1, 2, 3)) / 3 for seed in seeds]


def _gzsl(report: dict[str, Any]) -> list[str]:
    rows = []
    for split, system, own in _groups(report["rows"]):
        for rule in [rule["rule"] for rule in own[0]["gzsl"]]:
            each = [next(one for one in row["gzsl"] if one["rule"] == rule) for row in own]
            ours = " / ".join(_figure([one[part] for one in each]) for part in ("seen", "unseen", "harmonic"))
            paper = _paper("gzsl", report["table"], split, system) if rule.startswith(GATE) else ["", ""]
            chosen = "the test" if each[0]["selected_on_test"] else "pseudo-unseen" if each[0]["constants"] else ""
            rows.append([split, system, rule, len(own), ours, *paper, chosen])
    return _markdown(["split", "system", "rule", "seeds", "ours", "paper", "paper's figure from", "chosen on"], rows)


def _published(report: dict[str, Any]) -> list[str]:
    """Every paper's figures, highest first, with where they come from and what is not like in them."""
    splits = {row["split"] for row in report["rows"]}
    splits |= {split.rpartition("-")[0] for split in splits}
    cells = [cell for cell in all_published() if cell.dataset == report["table"] and cell.split in splits]
    rows = [
        [cell.split, cell.measure.upper(), cell.system, " / ".join(f"{value:g}" for value in cell.values),
         f"{cell.source} [{cell.tag}]", used(cell.system)]
        for cell in sorted(cells, key=lambda cell: (cell.split, cell.measure == "gzsl", -cell.values[-1]))
    ]  # fmt: skip
    return _markdown(["split", "", "system", "paper", "from", "what it used beside skeletons and class texts"], rows)


def _groups(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    keys = dict.fromkeys((row["split"], row["system"]) for row in rows)
    return [
        (split, system, [r for r in rows if (r["split"], r["system"]) == (split, system)]) for split, system in keys
    ]


def _paper(measure: str, dataset: str, split: str, system: str) -> list[str]:
    cell: Published | None = find_published(measure, dataset, split, system)
    if cell is None:
        return ["-", ""]
    return [" / ".join(f"{value:g}" for value in cell.values), f"{cell.source} [{cell.tag}]"]


def _figure(shares: Sequence[float]) -> str:
    mean, spread = mean_and_deviation([100 * share for share in shares])
    return f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def _markdown(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]
