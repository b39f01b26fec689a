"""PYSKL pickles: read as written in every protocol; whatever else a pickle can do is refused, and never done."""

import builtins
import os
import pickle
import subprocess
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.errors import UsageError
from train.data.pickled import read_pickle
from train.data.pyskl import read_pyskl

RNG = np.random.default_rng(0)
PROTOCOLS = (0, 2, 4, 5)
"""Those that differ in how they write names, bytes and arrays."""


def annotation(name: str = "S001C001P001R001A001", label: int = 0, **changes) -> dict:
    made = {
        "frame_dir": name, "label": label, "img_shape": (1080, 1920), "original_shape": (1080, 1920),
        "total_frames": 12, "keypoint": RNG.uniform(1, 900, (2, 12, 17, 2)).astype(np.float16),
        "keypoint_score": RNG.uniform(0.1, 1, (2, 12, 17)).astype(np.float16),
    }  # fmt: skip
    return {**made, **changes}


def kinect(**changes) -> dict:
    made = annotation(keypoint=RNG.normal(0, 1, (1, 12, 25, 3)).astype(np.float32), **changes)
    del made["keypoint_score"]
    return made


def write(tmp_path, tree, protocol: int = 4):
    path = tmp_path / "set.pkl"
    path.write_bytes(tree if isinstance(tree, bytes) else pickle.dumps(tree, protocol))
    return path


def refused(path, read=read_pickle) -> str:
    with pytest.raises(UsageError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < len(str(path)) + 300
    return message


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_is_read_as_written(tmp_path, protocol):
    clips = [annotation(), annotation("S001C001P003R001A002", np.int64(1))]
    clips[1]["keypoint"][0, 3, 4] = np.nan
    clips[1]["keypoint_score"][0, 4, 5] = 0
    clips[1]["keypoint_score"][1] = 0
    clips[0]["keypoint"] = np.asfortranarray(clips[0]["keypoint"])
    parts = {"xsub_train": [clips[0]["frame_dir"]], "xsub_val": [clips[1]["frame_dir"]]}
    found = read_pyskl(write(tmp_path, {"split": parts, "annotations": clips}, protocol))
    assert found.layout == "coco17" and found.parts == {name: frozenset(names) for name, names in parts.items()}
    assert [(clip.name, clip.label) for clip in found.clips] == [(c["frame_dir"], c["label"]) for c in clips]
    joints = [clip.joints() for clip in found.clips]
    assert joints[0].dtype == np.float32 and joints[0].shape == (2, 12, 17, 3)
    np.testing.assert_array_equal(joints[0][..., :2], clips[0]["keypoint"])
    np.testing.assert_array_equal(joints[0][..., 2], clips[0]["keypoint_score"])
    assert len(joints[1]) == 1, "nobody ever scored is left out"
    assert np.argwhere(~joints[1].any(axis=-1)).tolist() == [[0, 3, 4], [0, 4, 5]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_kinect_joints_are_read_too(tmp_path, protocol):
    clip = kinect()
    clip["keypoint"][0, 0, 0, 1] = np.inf
    found = read_pyskl(write(tmp_path, {"split": {}, "annotations": [clip]}, protocol))
    joints = found.clips[0].joints()
    assert found.layout == "ntu25" and joints.shape == (1, 12, 25, 3) and not joints[0, 0, 0].any()
    np.testing.assert_array_equal(joints[0, 1:], clip["keypoint"][0, 1:])


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner) | st.tuples(inner, inner) | st.tuples() | st.dictionaries(st.text() | st.integers(), inner)
        ),
        max_leaves=20,
    ),
    st.integers(0, 5),
)
def test_plain_values_come_back(tmp_path_factory, tree, protocol):
    path = write(tmp_path_factory.getbasetemp(), pickle.dumps(tree, protocol))
    assert read_pickle(path) == pickle.loads(path.read_bytes()) == tree


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_come_back(tmp_path, protocol):
    for dtype in ("b1", "<f2", ">f4", "f8", "i1", "u2", ">i4", "i8", "S3", "<U5"):
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        tree = [array, array[:, ::2], array.T, array[:0], array[0, 1, 2], array.dtype.type(1), array]
        for one, other in zip(read_pickle(write(tmp_path, tree, protocol)), tree, strict=True):
            np.testing.assert_array_equal(one, other)


class Does:
    """Pickled as a call."""

    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


class Custom:
    pass


def touching(tmp_path) -> list:
    """Objects that would make the file `touched` if they were unpickled as usual."""
    touched = tmp_path / "touched"
    return [
        Does(os.system, f"touch {touched}"),
        Does(builtins.eval, f"open({str(touched)!r}, 'w')"),
        Does(builtins.exec, f"open({str(touched)!r}, 'w')"),
        Does(builtins.open, str(touched), "w"),
        Does(subprocess.getoutput, f"touch {touched}"),
        np.array([Does(os.system, f"touch {touched}")], dtype=object),
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_executed(tmp_path, protocol):
    for evil in touching(tmp_path):
        for tree in (evil, {"split": {}, "annotations": [annotation(), evil]}):
            path = write(tmp_path, tree, protocol)
            assert "allowed are numbers" in refused(path) and refused(path, read_pyskl)
            assert not (tmp_path / "touched").exists()
        pickle.loads(path.read_bytes())
        assert (tmp_path / "touched").exists(), "as an ordinary reader shows"
        (tmp_path / "touched").unlink()


@pytest.mark.parametrize(
    "tree",
    [
        np.array([{}, None]), np.zeros(2, [("a", "f4"), ("b", "O")]), np.zeros(2, [("a", "f4")]), Custom(),
        OrderedDict(),
        {1, 2}, frozenset([1]), range(3), np.array(["2020-01-01"], "M8[D]"), np.zeros(2, "c8"), Does(bytearray, 10**12),
        Does(np.zeros, 10**12), Does(np.load, "x"), Does(np.ndarray, 3), {(1, 2): 3}, np.ma.zeros(3),
        {None: 3},
    ],
    ids=lambda tree: type(tree).__name__,
)  # fmt: skip
def test_what_such_files_do_not_hold_is_refused(tmp_path, tree):
    for protocol in PROTOCOLS:
        assert "found; allowed are numbers" in refused(write(tmp_path, tree, protocol))


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt(lt"
DTYPE = b"cnumpy\ndtype\n(Vf4\nI0\nI1\ntR"
FLOAT = DTYPE + b"(I3\nV<\nNNNI-1\nI-1\nI0\ntb"


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04\x8c\x02os\x8c\x06system\x93.", b"c__builtin__\neval\n(V1\ntR.",
        b"(S'true'\nios\nsystem\n.", b"(cos\nsystem\nS'true'\no.", b"\x80\x02cos\nsystem\n)\x81.", b"Pid\n.", b"Vx\nQ.",
        b"\x82\x01.", b"\x83\x01\x01.", b"\x84\x01\x01\x01\x01.", b"\x80\x05\x97.", b"\x80\x05\x97\x98.",
        b"\x80\x04\x8c\x08builtins\x8c\x0deval.__call__\x93.", b"\x80\x04]]\x93.", b"cnumpy\nndarray\n(I9\ntR.",
        b"cnumpy\ndtype\n(VO8\nI0\nI1\ntR.", b"cnumpy\ndtype\n}Va\nI1\nsb.", b"cnumpy\ndtype\nN}Va\nI1\ns\x86b.",
        b"cnumpy\ndtype\n(](lp0\ntR.", b"\x96\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"cnumpy\ndtype\nN}V__doc__\nI1\ns\x86b.", ARRAY + b"R(I1\n(I2\nt" + FLOAT + b"I00\n(lV\ntb.",
        ARRAY + b"R(I1\n(I1000000000000\nt" + FLOAT + b"I00\n\x8e\x04\0\0\0\0\0\0\0abcdtb.",
        ARRAY + b"R(I1\n(I-1\nI-1\nt" + FLOAT + b"I00\n\x8e\x04\0\0\0\0\0\0\0abcdtb.",
        ARRAY + b"R(I1\n(I1\nt" + DTYPE + b"I00\n\x8e\x04\0\0\0\0\0\0\0abcdtb.",
        ARRAY + b"R(I1\n(I1\nt" + FLOAT + b"I00\n(lp0\ntb.", DTYPE + b"(I3\nV<\nN(Va\nt}I-1\nI-1\nI0\ntb.",
        b"", b".", b"N", b"NN.", b"(N.", b"t.", b"e.", b"a.", b"Nu.", b"h\x05.", b"\x80\xff.", b"\xff", b"I1", b"Ix\n.",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.", b"B\xff\xff\xff\xffabc.",
        b"\x8b\xff\xff\xff\x7fabc.", b"I" + b"9" * 5000 + b"\n.", b"\x8d\x01\0\0\0\0\0\0\0\xff.", b"}]Ns.", b"}(Nu.",
        b"]" + b"h\x00" + b"a.", b"N" + b"\x85" * 3, b"\x87.", b"(0.", b"0.", b"12.", b"]2a.",
    ],
)  # fmt: skip
def test_crafted_bytes_are_refused(tmp_path, data):
    refused(write(tmp_path, data))


def test_deep_nesting_neither_crashes_nor_passes(tmp_path):
    deep = 60_000
    for data in (
        b"\x80\x04}" + b")" + b"\x85" * deep + b"Ns.",
        b"\x80\x04" + b"(" * deep,
        b"\x80\x04" + b"]" * deep + b"a" * (deep - 1) + b".",
        b"\x80\x04" + b")" + b"\x85" * deep + b".",
        b"\x80\x04}\x8c\x05split}\x8c\x01a)" + b"\x85" * deep + b"ss\x8c\x0bannotations](" + b"]" * 9 + b"es.",
        b"\x80\x04cnumpy\ndtype\n)" + b"\x85" * deep + b"R.",
    ):
        refused(write(tmp_path, data), read_pyskl)


def test_lists_that_hold_themselves_are_harmless(tmp_path):
    itself: list = []
    itself.append(itself)
    assert "dict of split" in refused(write(tmp_path, itself), read_pyskl)
    refused(write(tmp_path, {"split": {"a": itself}, "annotations": itself}), read_pyskl)


SAME = kinect(name="n")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_read_or_refused_in_one_line(tmp_path_factory, data):
    whole = pickle.dumps({"split": {"a": ["n"]}, "annotations": [SAME]}, data.draw(st.integers(0, 5)))
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, min(len(broken), 600) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "broken.pkl"
    path.write_bytes(broken)
    try:
        read_pyskl(path)
    except UsageError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([annotation()], "a dict of split and annotations"),
        ({"split": {}, "annotations": []}, "a dict of split and annotations"),
        ({"split": {"a": [3]}, "annotations": [annotation()]}, "no list of names"),
        ({"split": {}, "annotations": [3]}, "annotation 0 is int"),
        ({"split": {}, "annotations": [annotation(label=-1)]}, "a label"),
        ({"split": {}, "annotations": [annotation(keypoint=None)]}, "keypoint is NoneType"),
        ({"split": {}, "annotations": [annotation(keypoint=np.zeros((1, 12, 18, 2)))]}, r"\[1, 12, 18, 2\]"),
        ({"split": {}, "annotations": [annotation(keypoint_score=np.zeros(3))]}, r"keypoint_score is float64 \[3\]"),
        ({"split": {}, "annotations": [annotation(total_frames=13)]}, "total_frames"),
        ({"split": {}, "annotations": [annotation(), annotation()]}, "a name for each clip"),
        ({"split": {}, "annotations": [annotation(), kinect(name="b")]}, "one layout"),
    ],
)
def test_other_contents_are_refused_in_one_line(tmp_path, tree, said):
    path = write(tmp_path, tree)
    with pytest.raises(UsageError, match=said):
        read_pyskl(path)
    refused(path, read_pyskl)


def test_there_is_no_file(tmp_path):
    refused(tmp_path / "none.pkl")
    refused(tmp_path)
