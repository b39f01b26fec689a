"""NTU's `.skeleton` files: read as written, sorted out where ugly, refused in one line where broken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.errors import UsageError
from edge_app.window.skeleton import NTU25
from tests.train.formats import STANDING, acting, body_frames, skeleton_text, write_ntu_folder
from train.data.ntu import (
    TRAIN_SUBJECTS,
    NtuName,
    parse_name,
    read_clip,
    read_missing,
    xset,
    xsub,
    xview,
)

RNG = np.random.default_rng(0)
ACTOR = acting(1, 40, RNG)


def read(tmp_path, frames, **odd):
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text(frames if isinstance(frames, str) else skeleton_text(frames, **odd))
    return read_clip(path)


def refused(tmp_path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value) and "S001C001P001R001A001.skeleton" in str(caught.value)
    return str(caught.value)


def test_a_clip_is_read_as_written(tmp_path):
    joints = read(tmp_path, body_frames(ACTOR))
    assert joints.dtype == np.float32 and joints.shape == (1, 40, 25, 3)
    np.testing.assert_allclose(joints[0], ACTOR, atol=1e-5)


def test_names_say_what_they_say():
    assert parse_name("S032C003P106R002A120.skeleton") == NtuName(32, 3, 106, 2, 120)
    assert parse_name("S001C002P003R002A013").label == 12
    for wrong in (
        "S001C002P003R002A121",
        "S001C002P003R002A000",
        "S1C2P3R2A13",
        "x",
        "S001C002P003R002A013_x",
        "٣" * 20,
    ):
        with pytest.raises(UsageError, match="expected a name like"):
            parse_name(wrong)


def test_the_subjects_right_is_plus_x(tmp_path):
    at = NTU25.joints.index
    joints = read(tmp_path, body_frames(ACTOR))[0]
    assert (joints[:, at("right_shoulder"), 0] > joints[:, at("left_shoulder"), 0]).all()
    assert (joints[:, at("head"), 1] > joints[:, at("spine_base"), 1]).all()


def test_missing_joints_are_zero(tmp_path):
    actor = ACTOR.copy()
    actor[3, 5], actor[4, 6], actor[5, 7] = np.nan, np.inf, 1e7
    joints = read(tmp_path, body_frames(actor), odd="NaN")[0]
    assert np.argwhere(~joints.any(axis=-1)).tolist() == [[3, 5], [4, 6], [5, 7]]
    assert np.isfinite(joints).all()


@pytest.mark.parametrize("odd", ["nan", "-1.#IND00", "1.#QNAN", "-nan(ind)", "NaN", "-nan"])
def test_what_windows_writes_for_no_number_is_no_number(tmp_path, odd):
    text = skeleton_text(body_frames(ACTOR))
    lines = text.split("\n")
    lines[4] = " ".join([odd] * 3 + lines[4].split()[3:])
    assert not read(tmp_path, "\r\n".join(lines))[0, 0, 0].any()


def test_nobody_at_all(tmp_path):
    assert read(tmp_path, [[], [], []]).shape == (0, 3, 25, 3)
    assert read(tmp_path, "0\n").shape == (0, 0, 25, 3)
    assert read(tmp_path, body_frames(np.zeros((20, 25, 3)))).shape == (0, 20, 25, 3)


def test_frames_with_nobody_keep_their_time(tmp_path):
    frames = body_frames(ACTOR)
    frames[0], frames[17] = [], []
    joints = read(tmp_path, frames)
    assert joints.shape == (1, 40, 25, 3)
    assert np.flatnonzero(~joints[0].any(axis=(1, 2))).tolist() == [0, 17]


def test_furniture_is_not_a_person(tmp_path):
    wide = np.repeat((RNG.uniform(-1, 1, (25, 3)) * [0.6, 0.2, 0.2] + [1, 0, 2])[None], 40, axis=0)
    small = np.repeat((RNG.uniform(-1, 1, (25, 3)) * [0.1, 0.2, 0.1] + [1, 0, 2])[None], 40, axis=0)
    brief = acting(2, 40, RNG, x=1.0)
    leaping = STANDING + np.cumsum(RNG.normal(0, 1, (40, 1, 3)), axis=0).clip(-5, 5)
    for ghost, until in ((wide, 40), (small, 40), (brief, 11), (leaping, 40)):
        frames = [[(9, ghost[t])] * (t < until) + [(1, ACTOR[t])] for t in range(40)]
        joints = read(tmp_path, frames)
        assert len(joints) == 1
        np.testing.assert_allclose(joints[0], ACTOR, atol=1e-5)


def test_a_person_whose_number_changes_stays_one(tmp_path):
    frames = [[(t // 10, ACTOR[t])] for t in range(40)]
    joints = read(tmp_path, frames)
    np.testing.assert_allclose(joints, ACTOR[None], atol=1e-5)
    back = [[(1 if 13 <= t < 26 else 2, ACTOR[t])] for t in range(40)]
    np.testing.assert_allclose(read(tmp_path, back), ACTOR[None], atol=1e-5)


def test_two_people_keep_their_places_when_both_numbers_change(tmp_path):
    one, other = acting(1, 40, RNG, x=-0.6), acting(6, 40, RNG, x=0.6)
    frames = [[(3 * (t > 20), one[t]), (1 + 4 * (t > 20), other[t])][:: 1 if t < 20 else -1] for t in range(40)]
    joints = read(tmp_path, frames)
    assert joints.shape == (2, 40, 25, 3)
    left = joints[np.argmin(joints[:, 0, 0, 0])]
    np.testing.assert_allclose(left, one, atol=1e-5)


def test_of_three_people_the_liveliest_two_are_kept(tmp_path):
    still, lively, livelier = (acting(1, 40, RNG, x=x) for x in (-1, 0, 1))
    still[:] = still[:1]
    lively[:, :, 0] += 0.3 * np.sin(np.arange(40))[:, None]
    livelier[:, :, 0] += 0.6 * np.sin(np.arange(40))[:, None]
    joints = read(tmp_path, [[(1, still[t]), (2, lively[t]), (3, livelier[t])] for t in range(40)])
    np.testing.assert_allclose(joints, [livelier, lively], atol=1e-5)


def test_the_same_number_twice_in_a_frame_is_two_bodies(tmp_path):
    other = acting(2, 40, RNG, x=1.0)
    joints = read(tmp_path, [[(0, ACTOR[t]), (0, other[t])] for t in range(40)])
    assert joints.shape == (2, 40, 25, 3)


def test_broken_files_are_refused_in_one_line(tmp_path):
    text = skeleton_text(body_frames(ACTOR[:2]))
    lines = text.split("\n")
    assert "0 values found" in refused(tmp_path, "") and "line 1" in refused(tmp_path, "")
    assert "cut off" in refused(tmp_path, "\n".join(lines[:20]))
    assert "line 20: 7 values" in refused(tmp_path, "\n".join([*lines[:19], " ".join(lines[19].split()[:7])]))
    assert "more text" in refused(tmp_path, text + "1\n")
    assert "20 joints found, 25 expected" in refused(tmp_path, text.replace("\n25\n", "\n20\n"))
    assert "'x'" in refused(tmp_path, text.replace(lines[5], "x " + " ".join(lines[5].split()[1:])))
    assert "'-1' found" in refused(tmp_path, "-1\n")
    assert "9.5" in refused(tmp_path, "1\n9.5\n")
    assert "cut off" in refused(tmp_path, "9999999999999\n")
    refused(tmp_path, "\x00\xff\n\x01")
    with pytest.raises(UsageError, match="No such file"):
        read_clip(tmp_path / "S001C001P001R001A002.skeleton")


BODY = "1 0 1 1 0 1 0 0.04 -0.3 2\n25\n" + "0.1 0.2 3 1 1 1 1 0 0 0 0 2\n" * 25


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([b"1", b"0", b"2", b"25", BODY.encode(), b"nan " * 12, b"1e999 " * 12, b"x"])).map(
            b"\n".join
        ),
        st.integers(0, 2 * len(BODY)).map(lambda n: ("2\n" + ("1\n" + BODY) * 2)[:n].encode()),
    )
)
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "S001C001P001R001A003.skeleton"
    path.write_bytes(data)
    try:
        joints = read_clip(path)
    except UsageError as error:
        assert "\n" not in str(error) and "S001C001P001R001A003" in str(error)
    else:
        assert joints.shape[2:] == (25, 3) and len(joints) <= 2 and np.isfinite(joints).all()


def test_protocols_are_the_official_ones():
    assert len(TRAIN_SUBJECTS) == len(set(TRAIN_SUBJECTS)) == 53
    assert sum(subject <= 40 for subject in TRAIN_SUBJECTS) == 20
    for (train, test), expected in (
        (xsub(np.array([1, 3, 38, 39, 103, 106])), [1, 0, 1, 0, 1, 0]),
        (xview(np.array([1, 2, 3])), [0, 1, 1]),
        (xset(np.array([1, 2, 31, 32])), [0, 1, 0, 1]),
    ):
        assert train.tolist() == [bool(value) for value in expected] and (train != test).all()


def test_the_list_of_missing_skeletons_is_read_from_any_text(tmp_path):
    path = tmp_path / "missing.txt"
    path.write_text("302 samples\n\nS001C002P005R002A008\r\nS001C002P005R002A009.skeleton, \xff\n", "latin-1")
    assert read_missing(path) == {"S001C002P005R002A008", "S001C002P005R002A009"}
    path.write_text("nothing")
    for wrong in (path, tmp_path / "none.txt"):
        with pytest.raises(UsageError, match="list of missing skeletons"):
            read_missing(wrong)


def test_the_generated_folder_can_be_read(tmp_path):
    paths = write_ntu_folder(tmp_path, actions=(1, 2, 50), subjects=(1, 3), cameras=(1,))
    assert len(paths) == 12
    counts = {path: len(read_clip(path)) for path in paths}
    assert all(count == (2 if path.stem.endswith("A050") else 1) for path, count in counts.items())
