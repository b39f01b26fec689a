"""Poses as bytes and as JSON: what goes out comes back, and nothing else passes for it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.camera.pose_codec import as_json, from_json, head_of, points_of, pose_at, with_head
from edge_app.types import Pose


@pytest.fixture(scope="module")
def pose() -> Pose:
    rng = np.random.default_rng(7)
    image, world = rng.uniform(0, 640, (33, 2)), rng.uniform(-1, 1, (33, 3))
    visibility = rng.uniform(0, 1, 33)
    return Pose(5, *(values.astype(np.float32) for values in (image, world, visibility)), (640, 480))


def test_bytes_come_back_bit_for_bit(pose):
    data = with_head({"size": [640, 480]}, points_of(pose))
    head, at = head_of(data)
    again = pose_at(data, at, 5, tuple(head["size"]))
    for name in ("image", "world", "visibility"):
        assert np.array_equal(getattr(again, name), getattr(pose, name))
    assert (again.t_ns, again.size) == (5, (640, 480))


@pytest.mark.parametrize(("decimals", "nested"), [(1, True), (2, False)], ids=["message", "recording"])
def test_json_comes_back_as_near_as_it_was_rounded_and_is_then_the_same(pose, decimals, nested):
    told = as_json(pose, pixel_decimals=decimals, nested=nested)
    assert np.shape(told["image"]) == ((33, 2) if nested else (66,))
    assert np.shape(told["world"]) == ((33, 3) if nested else (99,))
    assert np.shape(told["visibility"]) == (33,)
    again = from_json(json.loads(json.dumps(told)), 5)
    for name, off in (("image", 0.51 * 10**-decimals), ("world", 0.51e-4), ("visibility", 0.51e-3)):
        values = getattr(again, name)
        assert values.dtype == np.float32 and np.allclose(values, getattr(pose, name), rtol=0, atol=off)
    assert as_json(again, pixel_decimals=decimals, nested=nested) == told


@pytest.mark.parametrize(
    "change",
    [{"image": [0.0] * 65}, {"world": None}, {"visibility": ["x"] * 33}, {"visibility": [float("nan")] * 33},
     {"size": [640]}, {"size": [float("inf"), 1]}, {"world": [1e40] * 99}, {"image": [-2e5] * 66},
     {"world": [10**400] * 99}],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_anything_else_is_a_value_error(pose, change):
    told = as_json(pose, pixel_decimals=1, nested=True)
    with pytest.raises(ValueError):
        from_json({**told, **change}, 0)
    for name in told:
        with pytest.raises(ValueError):
            from_json({key: value for key, value in told.items() if key != name}, 0)


@given(st.binary(max_size=64))
def test_bytes_of_others_are_a_value_error_or_json(data):
    try:
        head, at = head_of(data)
    except ValueError:
        return
    assert json.loads(data[4:at]) == head or head != head
