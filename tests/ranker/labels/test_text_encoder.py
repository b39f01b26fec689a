"""Tokenizer against the reference, and embeddings that are the same in any batch, process and state of the cache."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.errors import UsageError
from edge_app.ranker.labels import text_encoder as text_module
from edge_app.ranker.labels.text_encoder import MAX_TOKENS, TextEncoder, token_ids, vocabulary

# ids made with huggingface tokenizers 0.23.3 and the tokenizer.json of all-MiniLM-L6-v2, cut at 128 tokens
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "wordpiece.json").read_text("utf-8"))
TEXTS = ["wave one hand", "waving", "drink water", "Standing upright, one hand is raised above the shoulder."]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(cache=False)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: ascii(case["text"][:20]))
def test_ids_are_those_of_the_reference_tokenizer(case: dict) -> None:
    assert token_ids(case["text"]) == case["ids"]


def test_the_vocabulary_is_bert_base_uncased() -> None:
    assert len(vocabulary()) == 30_522
    assert [vocabulary()[piece] for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")] == [0, 100, 101, 102]


@given(st.text(max_size=300))
def test_any_text_has_ids(text: str) -> None:
    ids = token_ids(text)
    assert ids[0] == 101 and ids[-1] == 102 and len(ids) <= MAX_TOKENS
    assert 101 not in ids[1:] and 102 not in ids[:-1], "markers written by a user are plain text"


def test_lone_surrogates_are_dropped() -> None:
    assert token_ids("wave\ud800") == token_ids("wave")


def test_rows_are_unit_vectors_in_order(encoder: TextEncoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (4, encoder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_near_words_are_nearer_than_far_ones(encoder: TextEncoder) -> None:
    wave, waving, drink, drinking = encoder.encode(["wave hand", "waving", "drink water", "drinking from a cup"])
    assert wave @ waving > wave @ drink + 0.2
    assert drink @ drinking > wave @ drinking + 0.2


def test_pooling_is_the_mean_over_all_tokens(encoder: TextEncoder) -> None:
    ids = np.array([token_ids("waving")])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    hidden = text_module._session().run(None, feeds)[0]
    mean = hidden.sum(axis=1)[0] / ids.size
    np.testing.assert_allclose(encoder.encode(["waving"])[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_a_text_does_not_depend_on_its_batch(encoder: TextEncoder) -> None:
    together = encoder.encode(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        assert TextEncoder(cache=False).encode([text])[0].tobytes() == row.tobytes()
    assert encoder.encode(TEXTS[::-1])[::-1].tobytes() == together.tobytes()


def test_two_processes_agree_bit_for_bit(encoder: TextEncoder) -> None:
    code = (
        "import hashlib, json, sys; from edge_app.ranker.labels.text_encoder import TextEncoder;"
        "vectors = TextEncoder(cache=False).encode(json.load(sys.stdin));"
        "print(hashlib.sha256(vectors.tobytes()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", code], input=json.dumps(TEXTS), capture_output=True, text=True)
    assert run.stdout.strip() == hashlib.sha256(encoder.encode(TEXTS).tobytes()).hexdigest(), run.stderr


def test_the_model_is_not_needed_for_what_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = TextEncoder(tmp_path).encode(TEXTS)
    monkeypatch.setattr(text_module, "_session", lambda: pytest.fail("the model was loaded"))
    assert TextEncoder(tmp_path).encode(TEXTS).tobytes() == first.tobytes()
    assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]


@pytest.mark.parametrize("damage", ["cut", "bytes", "empty", "npy", "pickle", "norm", "shape", "names"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, encoder: TextEncoder, damage: str) -> None:
    TextEncoder(tmp_path).encode(TEXTS[:2])
    (file,) = tmp_path.iterdir()
    whole, keys = file.read_bytes(), np.zeros((2, 32), np.uint8)
    if damage == "cut":
        file.write_bytes(whole[:-200])
    elif damage == "bytes":
        file.write_bytes(bytes(range(256)) * 8)
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "npy":
        with file.open("wb") as out:
            np.save(out, keys)
    elif damage == "pickle":
        np.savez(file, keys=keys, vectors=np.array([{}, None], object))
    elif damage == "norm":
        np.savez(file, keys=keys, vectors=np.full((2, 384), np.nan, np.float32))
    elif damage == "shape":
        np.savez(file, keys=keys, vectors=np.zeros((3, 384), np.float32))
    else:
        np.savez(file, other=keys)
    assert TextEncoder(tmp_path).encode(TEXTS[:2]).tobytes() == encoder.encode(TEXTS[:2]).tobytes()
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, encoder: TextEncoder) -> None:
    (tmp_path / "file").write_text("in the way")
    vectors = TextEncoder(tmp_path / "file" / "below").encode(TEXTS[:1])
    assert vectors.tobytes() == encoder.encode(TEXTS[:1]).tobytes()


@pytest.mark.parametrize("wrong", ["missing", "other"])
def test_a_model_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    package = tmp_path / "not_the_model"
    package.mkdir()
    (package / "model.onnx").write_bytes(b"another model")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(text_module, "PACKAGE", "no_such_package" if wrong == "missing" else package.name)
    text_module._session.cache_clear()
    with pytest.raises(UsageError, match="not installed" if wrong == "missing" else "sha256") as caught:
        TextEncoder(cache=False).encode(["wave"])
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    text_module._session.cache_clear()


def test_importing_loads_no_runtime() -> None:
    code = (
        "import sys, edge_app.ranker.labels.text_encoder, edge_app.ranker.labels.table; "
        "print('onnxruntime' in sys.modules, 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["False"] * 2


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_vector(encoder: TextEncoder, text: str) -> None:
    vector = encoder.encode([text])[0]
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5
