"""The table of faults and attacks."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.reliability import CASES, cases_of, table

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"def (test_[A-Z]\d+_\w+)")


def test_every_case_has_a_test_and_every_test_a_case() -> None:
    names = [name for path in TESTS.rglob("test_*.py") for name in NAMED.findall(path.read_text())]
    assert {case for name in names for case in cases_of(name)} == set(CASES)
    assert all(len(cases_of(name)) == len(re.findall(r"(?<=_)[A-Z]\d+(?=_)", name)) for name in names)


def test_a_test_is_listed_for_each_of_its_cases_with_its_worst_end(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    results.write_text(
        "<testsuites><testsuite>"
        '<testcase name="test_R1_F2_full[a]"/><testcase name="test_R1_F2_full[b]"><failure/></testcase>'
        '<testcase name="test_F2_link"><skipped/></testcase><testcase name="test_F20_unknown"/>'
        "</testsuite></testsuites>"
    )
    rows = {row.split(" | ")[0].strip("| "): row for row in table([str(results)]).splitlines()}
    assert rows["R1"].endswith("| FAILED | `test_R1_F2_full` (failure) |")
    assert rows["F2"].endswith("| FAILED | `test_R1_F2_full` (failure), `test_F2_link` (skipped) |")
    assert "| no test |" in rows["F3"] and "F20" not in "".join(rows.values())
