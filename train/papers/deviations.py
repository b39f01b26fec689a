"""Where a run of `train reproduce` is not the papers', a line each: what was active, and what they have instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

OUR_FIT = (
    "fitted our way (AdamW, OneCycle, clips of rare classes more often, gradients held to 5, an exponential average)"
)
THEIR_FIT = {
    "scale": "no code is public; --fit authors is inferred",
    "fdsm": "theirs: AdamW 1e-4 with decay 0.01, 100 steps of warm-up, then a cosine, all clips alike",
    "sa_dvae": "theirs: Adam at one rate, ten epochs",
    "fs_vae": "theirs: Adam at one rate, a batch drawn at each step",
}


def deviations(report: dict[str, Any]) -> list[str]:
    """Of everything that was run, in the order of the route: skeletons, encoder, texts, heads, selection, gate."""
    systems = dict.fromkeys(row["system"].partition(",")[0] for row in report["rows"])
    trained = [system for system in systems if system in THEIR_FIT]
    found = [] if report["features"] else [*_of_encoders(report)]
    found += [*_of_texts(report, trained)]
    for system in trained:
        found += [f"{system}: {line}" for line in _of_head(system, report)]
    found += [f"--set {name}={value}: another setting than published" for name, value in report["changes"]]
    return [*found, *_of_selection(report, trained)]


def _of_encoders(report: dict[str, Any]) -> Iterator[str]:
    options, used = report["encoder_options"], {row["encoder"] for row in report["rows"]}
    if options["skeletons"] == "mended":
        yield "Skeletons: our choice of bodies, and empty frames kept; the papers' codes: --skeletons authors"
    if report["prepared"]:
        yield "Skeletons: bodies as the prepared set has them; of a raw data set the papers' own would be taken"
    if used - {"shift-gcn"} and options["adjacency"] != "released":
        yield "ST-GCN: the paper's adjacency; its code puts 16 of 73 edges elsewhere: --adjacency released"
    if "st-gcn" in used and any(row["split"].startswith("sa-dvae") for row in report["rows"]):
        yield "SA-DVAE's random splits: our ST-GCN on 50 frames; theirs are features of mmaction2's"
    changed = [f"--{key} {options[key]}" for key in ("frames", "epochs", "batch") if options[key]]
    if changed:
        yield f"Encoder: {', '.join(changed)}; else its paper's"
    yield "Encoder: the last epoch; SynSE keeps the best on seen classes' test clips"
    if not report["zsl_only"]:
        yield "Pseudo-unseen clips: of training people held out; SynSE's seem to be of test people (inferred)"


def _of_texts(report: dict[str, Any], trained: list[str]) -> Iterator[str]:
    if report["texts"].startswith("our own table"):
        yield "Texts: our own, by MiniLM; the papers' encoders: METHODS.md 0.4, --text-features"
    if "fdsm" in trained and report["variant"] == "faithful":
        count, pair = report["text_rows"] or (0, False)
        if count < 36:
            yield f"fdsm: {count or 2} rows of numbers a text; theirs are 35 tokens and the pooled row"
        if not pair and not report["texts"].startswith("our own table"):
            yield "fdsm: one text for sparse and rich, so that the curriculum does nothing; --rich-texts, -features"
        elif not pair:
            yield "fdsm: sparse is names, rich is names and descriptions; theirs: columns of the csv, lines of _llm.txt"


def _of_head(system: str, report: dict[str, Any]) -> Iterator[str]:
    if report["variant"] == "improved":
        yield "our own variant of the model and of its losses, not the paper's"
    if report["fit"] == "ours":
        yield f"{OUR_FIT}; {THEIR_FIT[system]}"
    elif system == "scale":
        yield THEIR_FIT[system]
    if report["steps"] != [None]:
        yield f"{'/'.join(map(str, report['steps']))} steps; else as many as published"
    if report["variant"] == "faithful":
        if system == "fdsm" and not report["targets"]:
            yield "the gate is learned with the rest; the paper distils it from a language model: --gate-targets"
        if system == "scale":
            yield "all formulas are inferred; free bits, warm-up; by default means over dimensions, so that the KL " \
                "weighs 4 times the ELBO's, prototypes without a text, no tokens (docs/papers.md)"  # fmt: skip
    if report["precision"] != "fp32":
        yield f"computed in {report['precision']}; theirs in fp32"


def _of_selection(report: dict[str, Any], trained: list[str]) -> Iterator[str]:
    if trained and (report["epoch"], report["select_on_test"]) != ("best", True):
        kept = "the last epoch" if report["epoch"] == "last" else "the best epoch on pseudo-unseen classes"
        yield f"Heads: {kept} is kept; SA-DVAE, FS-VAE, TDSM and FDSM keep the best on the unseen test clips, " \
            "which is worth several points: --epoch best --select-on-test"  # fmt: skip
    gate = report["gate"]
    if gate["kind"] == "mended" and not report["zsl_only"]:
        yield "Gate: the threshold is applied as it was searched; the released code mixes p(unseen) with p(seen): " \
            "--gate released, or fixed"  # fmt: skip
