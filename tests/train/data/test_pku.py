"""PKU-MMD's streams, labels and lists: read as written, refused in one line where broken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.errors import UsageError
from tests.train.formats import acting, write_pku_folder, write_pku_list
from train.__main__ import main
from train.data.pku import Action, cut, is_name, read_actions, read_list, read_stream
from train.data.prepared import read_prepared


def test_streams_and_their_clips_are_read_as_written(tmp_path):
    write_pku_folder(tmp_path, videos=(2,), views="L", frames=200)
    stream = read_stream(tmp_path / "skeleton/0002-L.txt")
    assert stream.dtype == np.float32 and stream.shape == (2, 200, 25, 3)
    np.testing.assert_allclose(stream[0], acting(0, 200, np.random.default_rng(0)), atol=1e-5)
    actions = read_actions(tmp_path / "label/0002-L.txt")
    assert actions == [Action(0, 0, 40, 2), Action(13, 100, 150, 2), Action(50, 159, 200, 1)]
    clips = [cut(stream, action) for action in actions]
    assert [clip.shape for clip in clips] == [(1, 40, 25, 3), (2, 50, 25, 3), (1, 41, 25, 3)]
    np.testing.assert_array_equal(clips[1], stream[:, 100:150])
    assert clips[0][0, :, 8, 0].mean() > clips[0][0, :, 4, 0].mean(), "the right is +x"


def test_labels_at_the_ends_of_a_stream():
    stream = np.ones((2, 50, 25, 3), np.float32)
    assert cut(stream, Action(0, 40, 90, 1)).shape[1] == 10
    with pytest.raises(UsageError, match="frames 51 to 60 labelled, the stream has only 50"):
        cut(stream, Action(0, 50, 60, 1))
    assert cut(np.zeros_like(stream), Action(0, 0, 9, 1)).shape == (0, 9, 25, 3)


def test_wild_values_are_missing(tmp_path):
    path = tmp_path / "0002-L.txt"
    path.write_text(" ".join(["0.5"] * 3 + ["nan"] * 3 + ["1e30"] * 3 + ["-1.#IND"] * 3 + ["0"] * 138))
    stream = read_stream(path)
    assert np.argwhere(stream.any(axis=-1)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("text", ["", "1 2 3", " ".join(["0"] * 149), " ".join(["0"] * 149 + ["x"]), "\x00\xff"])
def test_broken_streams_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "0002-L.txt"
    path.write_text(text, "latin-1")
    with pytest.raises(UsageError, match=r"0002-L\.txt, line 1: .* expected") as caught:
        read_stream(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="No such file"):
        read_stream(tmp_path / "0003-L.txt")


@pytest.mark.parametrize(
    "line", ["52,1,2,1", "0,1,2,1", "1,5,2,1", "1,1,2", "1,1,2,1,1", "a,1,2,1", "1.5,1,2,1", "1,-3,2,1"]
)
def test_broken_labels_are_refused_in_one_line(tmp_path, line):
    path = tmp_path / "0002-L.txt"
    path.write_text(f"1,1,2,1\n\n{line}\n")
    with pytest.raises(UsageError, match=r"0002-L\.txt, line 3: .* expected"):
        read_actions(path)


def test_a_stream_without_labels_has_none(tmp_path):
    (tmp_path / "a.txt").write_text("\n")
    assert read_actions(tmp_path / "a.txt") == []


def test_lists_are_read_over_many_lines(tmp_path):
    path = tmp_path / "cross-subject.txt"
    write_pku_list(path, ["0002-L", "0002-M"], ["0003-R"])
    assert read_list(path) == ({"0002-L", "0002-M"}, {"0003-R"})
    path.write_text("Training\r\n0002-L,\r\n0002-M\r\nTest\r\n0003-R")
    assert read_list(path) == ({"0002-L", "0002-M"}, {"0003-R"})
    for wrong in ("", "Training\n0002-L", "a\n0002-L\nb\n0002-L", "0002-L\nb\n0003-L\nc\n0004-L", "a\nb\n0002-L"):
        path.write_text(wrong)
        with pytest.raises(UsageError, match="two expected"):
            read_list(path)
    assert is_name("0364-R") and not any(map(is_name, ("364-R", "0364-X", "0364-R.txt", "10364-R")))


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="0123456789,-.\nLMR eanx\x00٣", max_size=60))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "pku.txt"
    path.write_text(text, "utf-8")
    for read in (read_stream, read_actions, read_list):
        try:
            read(path)
        except UsageError as error:
            assert "\n" not in str(error)


def test_part_two_has_names_and_lists_of_its_own(tmp_path, capsys):
    write_pku_folder(tmp_path / "set", videos=(2, 3), views="L", frames=200)
    for name in ("subject", "view"):
        (tmp_path / f"set/cross-{name}.txt").unlink()
    for folder in ("skeleton", "label"):
        for number in (2, 3):
            (tmp_path / f"set/{folder}/000{number}-L.txt").rename(tmp_path / f"set/{folder}/A01N0{number}-L.txt")
    lists = "Training video IDs\nA01N02-L,\nValidation video IDs\nA01N03-L,\n"
    (tmp_path / "set/cross-subject_v2.txt").write_text(lists)
    assert is_name("A01N02-L") and not is_name("A1N2-L")
    assert main(["prepare", "--dataset", "pku", "--root", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    shard = next(read_prepared(tmp_path / "out"))
    train = shard.in_part[:, shard.parts.index("xsub_train")]
    assert {name[:6] for name in shard.name[train]} == {"A01N02"} and {n[:6] for n in shard.name[~train]} == {"A01N03"}
