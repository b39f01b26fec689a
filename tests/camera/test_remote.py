"""Poses from another machine: what travels, whose clock it is, and who may send."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.camera import gives_poses, open_source
from edge_app.camera.remote import FRESH_NS, MAX_BYTES, MAX_PEOPLE, RemoteClock, RemotePoses, RemoteSender, pack, unpack
from edge_app.errors import PortError, UsageError
from edge_app.stream.keys import new_client, new_server, revoke
from edge_app.types import Pose, Poses

SECOND = 1_000_000_000


def pose(seed: int, t_ns: int) -> Pose:
    rng = np.random.default_rng(seed)
    image, world = rng.uniform(0, 480, (33, 2)), rng.normal(size=(33, 3))
    return Pose(t_ns, *(part.astype(np.float32) for part in (image, world, rng.uniform(size=33))), (640, 480))


def poses(people: int = 1, t_ns: int = 5, index: int = 0) -> Poses:
    return Poses("there", index, t_ns, tuple(pose(i, t_ns) for i in range(people)))


@pytest.mark.parametrize("people", [0, 1, MAX_PEOPLE])
def test_what_is_sent_is_what_comes(people: int) -> None:
    sent = poses(people, index=7)
    data = pack(RemotePoses("run", (3, 4), "running", "", sent))
    heard = unpack(data, "front")
    assert (heard.run, heard.echo, heard.state) == ("run", (3, 4), "running") and len(data) <= MAX_BYTES
    assert heard.poses is not None
    assert (heard.poses.camera, heard.poses.index, heard.poses.t_ns) == ("front", 7, 5)
    for mine, theirs in zip(sent.poses, heard.poses.poses, strict=True):
        assert mine.size == theirs.size
        for name in ("image", "world", "visibility"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


def test_a_state_alone_has_no_poses() -> None:
    assert unpack(pack(RemotePoses("run", None, "camera_lost", "x" * 1000, None)), "front") == RemotePoses(
        "run", None, "camera_lost", "x" * 300, None
    )


@given(st.binary(max_size=400))
def test_noise_is_no_message(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(data, "cam")


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_damaged_message_is_refused_or_still_well_formed(at: int, noise: bytes) -> None:
    whole = pack(RemotePoses("run", (1, 2), "running", "", poses(2)))
    at %= len(whole)
    data = whole[:at] + noise + whole[at + len(noise) :]
    try:
        heard = unpack(data, "cam")
    except ValueError:
        return
    for one in heard.poses.poses if heard.poses else ():
        assert all(np.isfinite(part).all() for part in (one.image, one.world, one.visibility))


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e9])
def test_numbers_that_no_pose_has_are_refused(number: float) -> None:
    bad = poses()
    bad.poses[0].world[3, 1] = number
    with pytest.raises(ValueError):
        unpack(pack(RemotePoses("run", None, "running", "", bad)), "cam")


@given(
    behind=st.integers(-(2**60), 2**60),
    drift=st.floats(-5e-5, 5e-5),
    steps=st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, SECOND)), min_size=1, max_size=30),
)
def test_an_age_is_never_understated(behind: int, drift: float, steps: list[tuple[int, int]]) -> None:
    """Whatever the delays: a stamp of theirs, by our clock, is no later than when it was made."""
    start = 2**61

    def theirs(ours: int) -> int:
        return ours - behind + int((ours - start) * drift)

    clock, now = RemoteClock(), start
    for pause, delay in steps:
        asked = now + pause
        now = asked + delay  # it was heard there
        clock.note(asked, theirs(now), now)
        local = clock.local_ns(theirs(now), now)
        assert local is not None and asked - delay // 5000 - 2 <= local <= now + 2
    assert clock.local_ns(theirs(now), now + 2 * FRESH_NS) is not None
    clock.note(now + 1, theirs(now), now)  # of the future: not one of ours
    clock.note(asked, theirs(now) - SECOND, now)  # an answer once more
    local = clock.local_ns(theirs(now), now)
    assert local is not None and local <= now + 2


def test_without_an_answer_no_stamp_is_known() -> None:
    assert RemoteClock().local_ns(5, 5) is None


@pytest.fixture
def place(unused_port: int) -> str:
    return f"127.0.0.1:{unused_port}"


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def exchange(source, *senders: RemoteSender, limit_s: float = 10, wanted: int = 1) -> list[Poses]:
    """Let them send, one after the other, until so many poses came, or the time is over."""
    until, heard, index = time.monotonic() + limit_s, [], 0
    while len(heard) < wanted and time.monotonic() < until:
        index += 1
        for sender in senders:
            sender.send(poses(1, time.monotonic_ns(), index), "running", "")
        heard += [got for _ in range(1 + len(senders)) if (got := source._turn()) is not None]
    return heard


def test_poses_come_over_and_are_as_old_as_they_are(place: str) -> None:
    with open_source(f"remote://{place}", camera="far") as source, RemoteSender(f"tcp://{place}", None) as sender:
        assert source.live and gives_poses(source.uri)
        for heard in exchange(source, sender, wanted=20):
            assert heard.camera == "far" and len(heard.poses) == 1
            assert heard.t_ns == heard.poses[0].t_ns <= time.monotonic_ns()
            assert time.monotonic_ns() - heard.t_ns < 5 * SECOND


def test_a_second_sender_waits_until_the_first_is_silent(place: str, caplog) -> None:
    with open_source(f"remote://{place}", camera="far") as source:
        with RemoteSender(f"tcp://{place}", None) as first:
            assert exchange(source, first)
            run = source._run
            with RemoteSender(f"tcp://{place}", None) as second:
                exchange(source, first, second, wanted=30)
                assert source._run == run and "a second camera" in caplog.text
        with RemoteSender(f"tcp://{place}", None) as third:
            assert exchange(source, third) and source._run != run


def test_only_the_key_of_a_camera_sends_and_a_revoked_one_no_more(place: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    new_server(keys)
    home, reader = new_client(keys, "front", "camera"), new_client(keys, "robot", "reader")
    endpoint = f"tcp://{place}"
    with open_source(f"remote://{place}?keys={keys}", camera="far") as source:
        with RemoteSender(endpoint, reader) as stranger, RemoteSender(endpoint, None) as bare:
            assert not exchange(source, stranger, bare, limit_s=1.5)
        with RemoteSender(endpoint, home) as sender:
            assert exchange(source, sender, wanted=3)
            revoke(keys, "front")
            until = time.monotonic() + 10
            while time.monotonic() < until and exchange(source, sender, limit_s=0.5):
                pass
            assert not exchange(source, sender, limit_s=1)


def test_refusals(place: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="other machines"):
        open_source("remote://0.0.0.0:5601")
    with pytest.raises(UsageError, match="unknown option 'key'"):
        open_source(f"remote://{place}?key=x")
    with pytest.raises(UsageError, match="keys new"):
        open_source(f"remote://{place}?keys={tmp_path}/none")
    with open_source(f"remote://{place}"), pytest.raises(PortError, match="in use"):
        open_source(f"remote://{place}")
    with pytest.raises(UsageError, match="--to nowhere"):
        RemoteSender("nowhere", None)
    with pytest.raises(UsageError, match="--to tcp"):
        RemoteSender(f"tcp://{place}", tmp_path)
