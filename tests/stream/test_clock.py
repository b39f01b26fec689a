from __future__ import annotations

import re
from datetime import datetime

from edge_app.stream.clock import BOOT_ID_FILE, Clock, boot_id


def test_wall_text_follows_the_stamp_not_the_moment_of_asking():
    clock = Clock(mono_ns=lambda: 5_000_000_000, wall_ns=lambda: 1_767_225_600_250_000_000, boot="b")
    assert clock.wall_iso(5_000_000_000) == "2026-01-01T00:00:00.250Z"
    assert clock.wall_iso(4_500_000_000) == "2025-12-31T23:59:59.750Z"


def test_a_wall_clock_before_1970_or_set_back_changes_only_the_text():
    wall = [0]
    clock = Clock(mono_ns=lambda: 2_000_000_000, wall_ns=lambda: wall[0], boot="b")
    assert clock.wall_iso(1_000_000_000) == "1969-12-31T23:59:59.000Z"
    wall[0] = 3_600_000_000_000
    assert clock.wall_iso(2_000_000_000) == "1970-01-01T01:00:00.000Z"
    assert clock.mono_ns() == 2_000_000_000


def test_the_real_clock():
    clock = Clock()
    first, second = clock.mono_ns(), clock.mono_ns()
    assert first <= second
    text = clock.wall_iso(second)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    age = datetime.now().timestamp() - datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    assert abs(age) < 3600


def test_boot_id_is_the_systems_and_the_same_for_all_who_ask(tmp_path):
    file = tmp_path / "boot_id"
    file.write_text("90c26025-cba2\n")
    assert boot_id(file) == "90c26025-cba2"
    if BOOT_ID_FILE.exists():
        assert boot_id() == boot_id() == Clock().boot


def test_without_a_boot_id_stamps_are_comparable_with_nobodys(tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("")
    ids = {boot_id(tmp_path / "absent"), boot_id(tmp_path / "absent"), boot_id(empty)}
    assert len(ids) == 3 and "" not in ids
