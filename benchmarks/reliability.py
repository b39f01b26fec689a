"""The table of faults and attacks, from test runs: `make reliability`.

    python benchmarks/reliability.py RESULTS.xml… > benchmarks/reliability.md

RESULTS.xml are pytest's JUnit files (`--junitxml`). A test belongs to a case by its name: `test_C1_…` to C1, and
`test_R1_F2_…` to R1 and F2.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from xml.etree import ElementTree

CASES = {
    "C1": "camera unplugged",
    "C2": "network camera stops, or half-open connection",
    "C3": "frozen pictures",
    "C4": "black or covered camera",
    "C5": "frame rate drops, jitter",
    "C6": "picture size changes",
    "C7": "duplicate, backwards or negative stamps",
    "C8": "camera number swapped, camera busy",
    "C9": "password in a camera's address",
    "P1": "each stage killed",
    "P2": "each stage stopped",
    "P3": "pose stage hangs or aborts",
    "P4": "crash loop",
    "P5": "supervisor killed",
    "P6": "memory grows in the pose stage",
    "P7": "SIGTERM while an engine is built",
    "P8": "processor starved",
    "P9": "GPU error or lost device",
    "A1": "damaged engine file",
    "A2": "engine of another GPU, version or precision",
    "A3": "bundle does not match its manifest",
    "A4": "label embeddings of another encoder",
    "A5": "NaN embedding, duplicate, empty or 10,000 labels",
    "A6": "labels swapped while running",
    "A7": "bad settings file",
    "A8": "skeleton layouts do not match",
    "A9": "two processes build the engine at once",
    "A10": "engine computes wrong numbers",
    "S1": "slow or stopped subscriber",
    "S2": "200 subscribers, churn",
    "S3": "late subscriber",
    "S4": "publisher restarts",
    "S5": "messages lost",
    "S6": "subscriber on another clock",
    "S7": "wall clock jumps",
    "S8": "port in use",
    "X1": "unknown client or key",
    "X2": "authentication thread dies",
    "X3": "malformed or flooded control socket",
    "X4": "reader's key used for control",
    "X5": "path tricks in a bundle",
    "X6": "pickle in a file",
    "X7": "replayed messages",
    "X8": "secret key readable by all",
    "X9": "subscription flood",
    "X10": "control characters in a label",
    "R1": "disk full",
    "R2": "killed while recording",
    "R3": "slow disk",
    "R4": "recording of an older version",
    "R5": "replay twice",
    "F1": "libraries that print, versions that no test has seen",
    "F2": "a file half written, what stood there lost",
    "F3": "a source that ends, and the run with it",
    "F4": "file names of any bytes",
    "F5": "files of which a part cannot be read",
    "F6": "words that are not English",
    "F7": "exceptions, no home, standard streams full, closed or not UTF-8",
    "F8": "stop signals, a closed terminal",
    "F9": "too few frames a second",
    "F10": "nobody at the control socket, one label written in two ways",
    "F11": "temporary and runtime folders, ports and addresses",
    "F12": "labels as people paste them",
    "F13": "numbers in file names",
    "F14": "a terminal on which nothing can be drawn",
    "F15": "silence, noise, guides and the page, as a newcomer meets them",
}


def cases_of(name: str) -> list[str]:
    """The cases that a test is named after."""
    ids = re.match(r"test_((?:[A-Z]\d+_)+)", name)
    return [case for case in ids[1].split("_") if case in CASES] if ids else []


def table(files: Sequence[str]) -> str:
    """Markdown: a row for each case, with its tests and how they ended; of a test in several files the last."""
    ended: dict[str, str] = {}
    for file in files:
        for test in ElementTree.parse(file).iter("testcase"):
            outcome = next((kind for kind in ("failure", "error", "skipped") if test.find(kind) is not None), "passed")
            ended[test.get("name", "")] = outcome
    found: dict[str, dict[str, str]] = {case: {} for case in CASES}
    worst = {"passed": 0, "skipped": 1, "failure": 2, "error": 3}
    for full, outcome in ended.items():
        name = full.partition("[")[0]
        for case in cases_of(name):
            before = found[case].get(name, "passed")
            found[case][name] = max(before, outcome, key=worst.__getitem__)
    lines = ["| id | fault or attack | result | tests |", "|---|---|---|---|"]
    for case, tests in found.items():
        outcomes = set(tests.values())
        failed = outcomes & {"failure", "error"}
        result = "no test" if not tests else "FAILED" if failed else "skipped" if outcomes == {"skipped"} else "passed"
        names = ", ".join(f"`{name}`" + ("" if how == "passed" else f" ({how})") for name, how in tests.items())
        lines.append(f"| {case} | {CASES[case]} | {result} | {names} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print("# Faults and attacks\n\nWritten by `make reliability` from a run of the tests; never by hand.\n")
    print(table(sys.argv[1:]))
