"""Kinetics-skeleton files: read as written, refused in one line where broken; and as `core15` joints."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.errors import UsageError
from tests.train.formats import openpose_person, write_kinetics_folder
from train.data.kinetics import OPENPOSE18, KineticsLabel, read_clip, read_labels


def write(tmp_path, data):
    path = tmp_path / "clip.json"
    path.write_text(data if isinstance(data, str) else json.dumps({"data": data, "label": "x", "label_index": 0}))
    return path


def test_a_folder_is_read_as_written(tmp_path):
    write_kinetics_folder(tmp_path)
    labels = read_labels(tmp_path / "kinetics_train_label.json")
    assert labels["train_001"] == KineticsLabel("air drumming", 1, True)
    assert [name for name, label in labels.items() if not label.has_skeleton] == ["train_005"]
    people = read_clip(tmp_path / "kinetics_train/train_001.json")
    assert people.dtype == np.float32 and people.shape == (2, 30, 18, 3)
    np.testing.assert_allclose(people[0, 0, OPENPOSE18.index("neck")], [0.31 * 340, 0.3 * 256, 0.8], rtol=1e-4)
    assert read_clip(tmp_path / "kinetics_train/train_005.json").shape == (0, 30, 18, 3)
    assert read_clip(write(tmp_path, [])).shape == (0, 0, 18, 3)


def test_of_the_first_five_people_the_surest_two_are_kept(tmp_path):
    scores = [0.1, 0.5, 0.3, 0.2, 0.15, 0.9]
    data = [{"frame_index": 7, "skeleton": [openpose_person(0.1 * n, score) for n, score in enumerate(scores)]}]
    people = read_clip(write(tmp_path, data))
    np.testing.assert_allclose(people[:, 0, 0, 2], [0.5, 0.3])
    np.testing.assert_allclose(people[:, 0, 0, 0], [34, 68], rtol=1e-5)


def test_frames_that_are_not_listed_are_empty(tmp_path):
    here = [openpose_person(0.5, 0.5)]
    people = read_clip(write(tmp_path, [{"frame_index": t, "skeleton": here} for t in (14, 10, 11)]))
    assert np.flatnonzero(people[0].any(axis=(1, 2))).tolist() == [0, 1, 4] and people.shape[1] == 5


def test_keypoints_without_a_score_are_zero(tmp_path):
    person = openpose_person(0.5, 0.5)
    person["score"][3], person["score"][4], person["pose"][10] = 0, float("nan"), float("inf")
    people = read_clip(write(tmp_path, [{"frame_index": 0, "skeleton": [person]}]))
    assert np.flatnonzero(~people[0, 0].any(axis=1)).tolist() == [3, 4, 5]


FRAME = {"frame_index": 0, "skeleton": [openpose_person(0.5, 0.5)]}


@pytest.mark.parametrize(
    "data",
    [
        "", "[]", "{}", '{"data": 3}', '{"data": [3]}', "[" * 100_000,
        '{"data": [' + "[" * 900 + "]" * 901 + "}",
        '{"data": [{"frame_index": 0}]}',
        [FRAME, FRAME], [{**FRAME, "frame_index": -1}], [{**FRAME, "frame_index": 10**9}],
        [{**FRAME, "frame_index": True}], [{**FRAME, "skeleton": [{}]}], [{**FRAME, "skeleton": [[]]}],
        [{**FRAME, "skeleton": [{"pose": [0] * 35, "score": [0] * 18}]}],
        [{**FRAME, "skeleton": [{"pose": [0] * 36, "score": [0] * 17}]}],
        [{**FRAME, "skeleton": [{"pose": [None] * 36, "score": [0] * 18}]}],
        [{**FRAME, "skeleton": [{"pose": ["1"] * 36, "score": [0] * 18}]}],
        [{**FRAME, "skeleton": [{"pose": [10**400] * 36, "score": [0] * 18}]}],
    ],
)  # fmt: skip
def test_broken_clips_are_refused_in_one_line(tmp_path, data):
    with pytest.raises(UsageError, match=r"clip\.json") as caught:
        read_clip(write(tmp_path, data))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 + len(str(tmp_path))


def test_broken_labels_are_refused_in_one_line(tmp_path):
    fine = {"label": "x", "label_index": 0, "has_skeleton": True}
    for change in ({"label": 3}, {"label_index": -1}, {"label_index": "0"}, {"has_skeleton": None}):
        path = write(tmp_path, json.dumps({"a": {**fine, **change}}))
        with pytest.raises(UsageError, match="clip 'a': "):
            read_labels(path)
    with pytest.raises(UsageError, match="clip 'a': "):
        read_labels(write(tmp_path, '{"a": []}'))
    with pytest.raises(UsageError, match="No such file"):
        read_labels(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(UsageError, match="not JSON"):
        read_labels(tmp_path / "bytes.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["data", "frame_index", "skeleton", "pose", "score", "label"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(tree))
    for read in (read_clip, read_labels):
        try:
            read(path)
        except UsageError as error:
            assert "\n" not in str(error)
