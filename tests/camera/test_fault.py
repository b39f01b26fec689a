from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from edge_app.camera import fault, open_source
from edge_app.errors import SourceError
from edge_app.types import Frame

NOISE = "test://noise?fps=10&size=16x16&seconds=3"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault, "_first_opened_ns", {})


def read_all(uri: str) -> list[Frame]:
    with open_source(uri, realtime=False) as source:
        return [frame for frame in iter(source.read, None) if isinstance(frame, Frame)]


def equal_to_the_one_before(frames: list[Frame]) -> list[bool]:
    return [np.array_equal(a.image, b.image) for a, b in itertools.pairwise(frames)]


def test_lost_by_stamps() -> None:
    with open_source(f"fault://lost:after=1/{NOISE}", realtime=False) as source:
        assert [source.read().t_ns for _ in range(10)] == [100_000_000 * i for i in range(10)]  # type: ignore[union-attr]
        with pytest.raises(SourceError, match="lost"):
            source.read()


def test_freeze_for_a_while() -> None:
    frames = read_all(f"fault://freeze:after=1,for=1/{NOISE}")
    assert [frame.t_ns for frame in frames] == [100_000_000 * index for index in range(30)]
    assert equal_to_the_one_before(frames) == [False] * 9 + [True] * 10 + [False] * 10


def test_black_comes_back_every_so_often() -> None:
    frames = read_all(f"fault://black:after=0.5,for=0.5,every=1/{NOISE}")
    assert [not frame.image.any() for frame in frames] == ([False] * 5 + [True] * 5) * 3


def test_resize() -> None:
    frames = read_all(f"fault://resize:after=1/{NOISE}")
    assert [frame.image.shape[:2] for frame in frames] == [(16, 16)] * 10 + [(8, 8)] * 20


def test_slow() -> None:
    with open_source(f"fault://slow:fps=2/{NOISE}", realtime=False) as source:
        assert source.fps == 2
    assert [frame.t_ns for frame in read_all(f"fault://slow:fps=2/{NOISE}")] == [500_000_000 * i for i in range(6)]


def test_jitter_is_repeatable_and_keeps_the_order() -> None:
    stamps = [frame.t_ns for frame in read_all(f"fault://jitter:ms=300,seed=4/{NOISE}")]
    assert stamps == [frame.t_ns for frame in read_all(f"fault://jitter:ms=300,seed=4/{NOISE}")]
    assert stamps != [100_000_000 * index for index in range(30)]
    assert all(b > a for a, b in itertools.pairwise(stamps))


@pytest.mark.parametrize(("kind", "step"), [("backwards:ms=250,n=5", -150_000_000), ("duplicate:n=5", 0)])
def test_bad_stamps(kind: str, step: int) -> None:
    stamps = [frame.t_ns for frame in read_all(f"fault://{kind}/{NOISE}")]
    steps = np.diff(stamps)
    assert [index for index in range(29) if steps[index] == step] == [3, 8, 13, 18, 23, 28]


def test_faults_nest() -> None:
    frames = read_all(f"fault://black:after=2/fault://freeze:after=1,for=1/{NOISE}")
    assert equal_to_the_one_before(frames)[9:19] == [True] * 10
    assert not any(frame.image.any() for frame in frames[20:])


def test_a_lost_camera_stays_lost_when_opened_anew_until_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0
    monkeypatch.setattr(fault.time, "monotonic_ns", lambda: now)
    uri = "fault://lost:after=1,for=2/test://noise?size=16x16"
    source = open_source(uri)
    assert source.read() is not None
    now = 1_500_000_000
    for attempt in (source.read, lambda: open_source(uri)):
        with pytest.raises(SourceError, match="lost"):
            attempt()
    now = 3_100_000_000
    with open_source(uri) as again:
        assert again.read() is not None
    source.close()


def test_a_hanging_read_ends_when_another_thread_closes() -> None:
    source = open_source("fault://hang/test://noise?size=16x16")
    results: list[object] = []
    reader = threading.Thread(target=lambda: results.append(source.read()))
    reader.start()
    source.close()
    reader.join(10)
    assert results == [None]
