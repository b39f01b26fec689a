from __future__ import annotations

import os
import queue
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.camera import open_source
from edge_app.camera.grab import Grabber, grab
from edge_app.camera.recording import RecordingFile
from edge_app.camera.source import Source
from edge_app.errors import SourceError
from edge_app.types import Frame, Poses
from tests.grabbing import until

PICTURES = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), np.uint8)


class Script:
    """A source that gives what the test puts in: items, errors, None for the end."""

    uri, fps = "script://", 0.0

    def __init__(self, live: bool = True) -> None:
        self.live = live
        self.todo: queue.Queue[Frame | Poses | Exception | None] = queue.Queue()
        self.asked = threading.Semaphore(0)
        self.closed = threading.Event()

    def read(self) -> Frame | Poses | None:
        self.asked.release()
        item = self.todo.get()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed.set()
        self.todo.put(None)

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def give(self, *items: Frame | Poses | Exception | None) -> None:
        """Put them in and wait until the grabber is done with all of them."""
        self.asked.acquire(timeout=10)
        for item in items:
            self.todo.put(item)
            if isinstance(item, Frame | Poses):
                assert self.asked.acquire(timeout=10)
        self.asked.release()


def frame(t_ns: int, picture: int | np.ndarray = 0, index: int = 0) -> Frame:
    return Frame("cam", index, t_ns, PICTURES[picture % 50] if isinstance(picture, int) else picture)


def test_only_the_newest_is_kept() -> None:
    source = Script()
    with Grabber(source) as grabber:
        source.give(*(frame(t, t, t) for t in range(1, 6)))
        newest = grabber.newest(5)
        assert newest is not None and newest.t_ns == 5
        status = grabber.status()
        assert (status.frames, status.dropped, status.state, status.t_ns) == (5, 4, "running", 5)
        assert grabber.newest(0.01) is None
    assert source.closed.is_set()


def test_F3_the_last_item_is_given_before_the_end() -> None:
    source = Script(live=False)
    with Grabber(source) as grabber:
        source.give(frame(0, 1), None)
        assert grabber.newest(5) is not None
        assert until(grabber, lambda s: s.state == "ended").frames == 1
        assert grabber.newest(60) is None  # at once


@pytest.mark.fault
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 60) | st.integers(-(10**18), 10**18) | st.just(3 * 10**18), max_size=30))
def test_C7_stamps_handed_out_strictly_increase_whatever_comes(stamps: list[int]) -> None:
    source = Script()
    got = []
    with Grabber(source) as grabber:
        for t in stamps:
            source.give(Poses("cam", 0, t, ()))
            item = grabber.newest(0)
            if item is not None:
                got.append(item.t_ns)
        status = grabber.status()
    assert all(b > a for a, b in pairwise(got))
    assert all(0 <= t <= time.monotonic_ns() + 10**9 for t in got)
    assert status.frames == len(got) and status.misordered == len(stamps) - len(got)


def test_a_lost_source_is_opened_anew_with_a_new_epoch() -> None:
    first, second = Script(), Script()
    with Grabber(first, lambda: second) as grabber:
        first.give(frame(1, 1))
        assert grabber.newest(5) is not None and grabber.status().epoch == 0
        first.give(frame(2, 2), SourceError("rtsp://u:SECRET@cam/x: gone"))
        assert first.closed.wait(10)
        status = until(grabber, lambda s: s.state == "camera_lost")
        assert "gone" in status.error and "SECRET" not in status.error
        second.give(frame(3, 3))
        assert (item := grabber.newest(10)) is not None and item.t_ns == 3  # 2 was from before the loss
        status = grabber.status()
        assert (status.state, status.epoch, status.reconnects, status.error) == ("running", 1, 1, "")


def test_F5_a_file_that_fails_ends_and_is_not_opened_anew() -> None:
    source = Script(live=False)
    with Grabber(source, lambda: pytest.fail("reopened")) as grabber:
        source.give(SourceError("damaged"))
        assert until(grabber, lambda s: s.state == "ended").error == "damaged"


def test_F5_a_recording_of_two_cameras_ends_with_the_reason(tmp_path) -> None:
    """In real time too: to open it again would give the same again."""
    with RecordingFile(tmp_path / "two.mcap") as file:
        for index in range(4):
            file.poses(Poses(f"cam{index % 2}", index, index * 10_000_000, ()))
    for uri in (f"pose://{tmp_path}/two.mcap", f"fault://slow/pose://{tmp_path}/two.mcap"):
        with grab(uri) as grabber:
            status = until(grabber, lambda s: s.state == "ended")
            assert "holds several cameras" in status.error and status.reconnects == 0


def test_an_unforeseen_error_of_a_source_counts_as_a_loss() -> None:
    first, second = Script(), Script()
    with Grabber(first, lambda: second) as grabber:
        first.give(ZeroDivisionError("driver"))
        assert "ZeroDivisionError" in until(grabber, lambda s: bool(s.error)).error
        second.give(frame(1))
        assert until(grabber, lambda s: s.state == "running").reconnects == 1


def test_a_silent_source_is_lost_and_comes_back_in_a_new_epoch() -> None:
    source = Script()
    with Grabber(source, lost_after_s=0.1) as grabber:
        source.give(frame(1, 1))
        assert grabber.newest(5) is not None
        until(grabber, lambda s: s.state == "camera_lost")
        source.give(frame(2, 2))
        assert grabber.newest(5) is not None and grabber.status().epoch == 1


@pytest.mark.fault
def test_C3_frozen_pictures_are_not_handed_over_and_a_new_one_begins_a_new_epoch() -> None:
    source = Script()
    second = 10**9
    with Grabber(source) as grabber:
        source.give(frame(second, 1), frame(2 * second, 1), frame(2 * second + second // 4, 1))
        assert grabber.status().state == "running" and grabber.newest(5) is not None
        source.give(frame(3 * second, 1))
        assert grabber.status().state == "camera_frozen" and grabber.newest(0.01) is None
        source.give(frame(4 * second, 2))
        assert grabber.status().state == "running"
        assert grabber.newest(5) is not None and grabber.status().epoch == 1


def test_one_pixel_of_difference_is_not_frozen() -> None:
    source = Script()
    nearly = PICTURES[1].copy()
    nearly[3, 3, 0] ^= 1  # not in the sample that is looked at first
    with Grabber(source) as grabber:
        source.give(*(frame(10**9 * t, nearly if t % 2 else 1) for t in range(1, 9)))
        assert grabber.status().state == "running"


@pytest.mark.fault
def test_C4_dark_pictures_are_flagged_and_never_frozen() -> None:
    source = Script()
    with Grabber(source) as grabber:
        source.give(*(frame(10**9 * t, np.zeros((16, 16, 3), np.uint8)) for t in range(1, 6)))
        status = grabber.status()
        assert (status.state, status.flags) == ("running", ("dark",))
        source.give(frame(6 * 10**9, 1))
        assert grabber.status().flags == ()


@pytest.mark.fault
def test_C6_another_picture_size_begins_a_new_epoch() -> None:
    source = Script()
    with Grabber(source) as grabber:
        source.give(frame(1, 1), frame(2, np.full((8, 8, 3), 99, np.uint8)))
        assert grabber.newest(5) is not None and grabber.status().epoch == 1


def test_the_whole_way_through_a_loss() -> None:
    with grab("fault://lost:after=0.3,for=0.5/test://noise?size=32x32&fps=50", camera="front") as grabber:
        assert (item := grabber.newest(5)) is not None and item.camera == "front"
        assert "lost" in until(grabber, lambda s: s.state == "camera_lost").error
        status = until(grabber, lambda s: s.state == "running" and s.reconnects > 0)
        assert grabber.newest(5) is not None and grabber.status().epoch == 1
        assert status.misordered == 0


def test_bad_stamps_of_a_source_are_counted() -> None:
    with grab("fault://backwards:n=3,ms=500/test://noise?size=16x16&fps=100") as grabber:
        assert until(grabber, lambda s: s.misordered >= 3).state == "running"


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="no device"):
        grab("camera://987")
    with grab("camera://987", must_open=False) as grabber:
        assert grabber.status().state == "camera_lost"
        assert "no device" in until(grabber, lambda s: "no device" in s.error).error


@pytest.mark.fault
def test_C2_no_thread_or_file_is_left_after_many_losses(write_video, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video("a.avi", 60, fps=200)
    monkeypatch.setattr("edge_app.camera.grab.RETRY_S", 0.005)

    def reopen() -> Source:
        return open_source(f"fault://lost:after=0.02,every=0.04,for=0.02/{path}")

    def leftovers() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    Grabber(open_source(str(path)), reopen).close()
    before = leftovers()
    with Grabber(None, reopen) as grabber:
        until(grabber, lambda s: s.reconnects >= 10)
    assert leftovers() == before
