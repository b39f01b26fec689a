"""`person://`: the embedded source."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from edge_app.camera import open_source
from edge_app.camera.person import ACTIONS, INDEX
from edge_app.camera.person.source import PersonSource
from edge_app.errors import UsageError
from edge_app.types import Frame


def frames(uri: str) -> list[Frame]:
    with PersonSource(uri, realtime=False) as source:
        return list(iter(source.read, None))


def test_every_frame_with_media_time() -> None:
    got = frames("person://wave?fps=10&seconds=2&idle=1&size=160x120")
    assert [frame.index for frame in got] == list(range(len(got)))
    assert [frame.t_ns for frame in got] == [index * 100_000_000 for index in range(len(got))]
    assert len(got) == pytest.approx(30, abs=4)
    assert all(frame.image.shape == (120, 160, 3) and frame.image.dtype == np.uint8 for frame in got)
    assert got[0].camera == "cam"


def test_open_source_makes_it() -> None:
    with open_source("person://wave", camera="front", realtime=False) as source:
        frame = source.read()
    assert isinstance(source, PersonSource) and not source.live and source.fps == 30
    assert isinstance(frame, Frame) and frame.camera == "front"


def test_same_uri_same_pictures() -> None:
    uri = "person://punch?fps=5&seconds=1&idle=0&size=160x120&seed=4&noise=6"
    first, second, other = frames(uri), frames(uri), frames(uri.replace("seed=4", "seed=5"))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[3].image, other[3].image)


def test_script_says_what_is_acted() -> None:
    source = PersonSource("person://wave,Sit_Down,fall%20down?idle=1&fps=20", realtime=False)
    assert [s.action for s in source.script] == [
        "wave", "stand", "sit down", "stand up", "stand", "fall down", "get up", "stand",
    ]  # fmt: skip
    assert source.script[0].t0_s == 0
    assert all(a.t1_s == b.t0_s for a, b in pairwise(source.script))
    assert source.script[-1].t1_s == pytest.approx(len(source.joints) / 20)
    wave, fall = source.script[0], source.script[5]
    assert source.acting(round((wave.t0_s + 0.5) * 1e9)) == "wave"
    assert source.acting(round((fall.t0_s + 0.5) * 1e9)) == "fall down"
    lying = source.joints[round((fall.t1_s - 0.2) * 20)]
    assert lying[INDEX["nose"], 1] < 0.5
    standing = source.joints[round((source.script[-1].t0_s + 0.8) * 20)]
    assert standing[INDEX["nose"], 1] > 1.4


def test_stand_up_is_preceded_by_sitting_down() -> None:
    source = PersonSource("person://stand up", realtime=False)
    assert [s.action for s in source.script] == ["sit down", "stand up", "stand"]


@pytest.mark.parametrize(
    "actions", ["wave,squat", "lunge", "fall down", "turn around", "sit down,stand up,run in place"]
)
def test_a_round_has_no_seam_and_no_jerk(actions: str) -> None:
    joints = PersonSource(f"person://{actions}?fps=60&idle=0.5", realtime=False).joints
    steps = np.linalg.norm(np.diff(joints, axis=0, append=joints[:1]), axis=2) * 60
    assert steps.max() < 12.0  # metres a second
    assert steps[-1].max() < 1.0


def test_loops_when_asked() -> None:
    with PersonSource("person://nod?fps=5&seconds=1&idle=0&size=64x64&loop=1", realtime=False) as source:
        rounds = [source.read() for _ in range(2 * len(source.joints) + 1)]
    assert all(frame is not None for frame in rounds)
    assert np.array_equal(rounds[0].image, rounds[len(source.joints)].image)
    assert rounds[-1].t_ns > rounds[0].t_ns


def test_true_landmarks_follow_the_picture_options() -> None:
    full = PersonSource("person://wave", realtime=False)
    desk = PersonSource("person://wave?view=desk", realtime=False)
    tall = PersonSource("person://wave?size=480x640", realtime=False)
    left_ankle, nose = 27, 0
    assert (full.landmarks(0) > 0).all() and full.landmarks(0)[left_ankle, 1] < 480
    assert desk.landmarks(0)[left_ankle, 1] > 480 > desk.landmarks(0)[nose, 1] > 0
    assert tall.landmarks(0)[left_ankle, 1] < 640


def test_real_time_stamps() -> None:
    before = time.monotonic_ns()
    with PersonSource("person://wave?fps=60&size=96x64") as source:
        got = [source.read() for _ in range(6)]
        stamps = [frame.t_ns for frame in got if frame is not None]
        assert source.live and source.acting(stamps[-1]) == "wave"
    assert len(stamps) == 6 and stamps[0] >= before and stamps[-1] <= time.monotonic_ns()
    assert all(b > a for a, b in pairwise(stamps))


def test_closed_gives_nothing() -> None:
    source = PersonSource("person://wave")
    source.close()
    source.close()
    assert source.read() is None


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_has_a_picture(action: str) -> None:
    with PersonSource(f"person://{action}?fps=1&seconds=2&idle=0&size=96x64", realtime=False) as source:
        assert isinstance(source.read(), Frame)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("person://fly", "unknown action 'fly'; allowed: stand, wave"),
        ("person://", "unknown action ''"),
        ("person://wave,,squat", "unknown action ''"),
        ("person://wave?colour=red", "unknown option 'colour'; allowed: size"),
        ("person://wave?fps=0", "fps is '0'; allowed: 1 to 120"),
        ("person://wave?fps=nan", "fps is 'nan'; allowed: 1 to 120"),
        ("person://wave?yaw=200", "yaw is '200'; allowed: -180 to 180"),
        ("person://wave?distance=near", "distance is 'near'; allowed: 0.6 to 12"),
        ("person://wave?size=10x10", "size is '10x10'; allowed: WIDTHxHEIGHT"),
        ("person://wave?view=moon", "view is 'moon'; allowed: full, knees, waist, desk"),
        ("person://wave?side=both", "side is 'both'; allowed: right, left"),
    ],
)
def test_errors_name_what_is_allowed(uri: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        PersonSource(uri, realtime=False)
    assert told in str(caught.value) and "\n" not in str(caught.value)
