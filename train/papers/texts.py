"""What the classes of a data set are called: in our own table, in a file of lines, or as vectors of any encoder."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from edge_app.ranker.labels.text_encoder import TextEncoder
from train.data.splits import class_names
from train.data.texts import ConceptTexts, FixedTexts, RowTexts
from train.papers.heads import How


@dataclass(frozen=True)
class Texts:
    """What the classes are called. said: in words, for the tables.

    rows: as the text encoder gives them, where there are tokens or a rich text: for the faithful FDSM, and for SCALE
    with tokens. All others read `vectors`.
    """

    names: tuple[str, ...]
    vectors: ConceptTexts | FixedTexts
    said: str
    rows: RowTexts | None = None

    def pooled(self, classes: np.ndarray) -> np.ndarray:
        return self.vectors.pooled([self.names[k] for k in classes])

    def of(self, system: str, how: How) -> Texts:
        """Those that a system reads."""
        if self.rows is None:
            return self
        if system == "fdsm" and how.variant == "faithful":
            return replace(self, vectors=self.rows)
        wanted = system == "scale" and any(name == "scale.tokens" and value for name, value in how.changes)
        return replace(self, vectors=self.rows.sparse()) if wanted else self


def read_texts(
    dataset: str, lines: Path | None, features: Path | None, rich_lines: Path | None = None,
    rich_features: Path | None = None,
) -> Texts:  # fmt: skip
    """Texts of a data set's classes: of our own table by name, from a file of lines, or ready vectors.

    A file of lines has one for each class, or, as .csv, a column `label`. Vectors are `[K, E]`, or `[K, rows, E]`:
    tokens, then the pooled row. The rich ones are FDSM's second text (METHODS.md 3.2 d).

    Raises:
        UsageError: files that do not go together, cannot be read, or have not one row for each class.
    """
    names = class_names(dataset)
    if lines and features:
        raise UsageError("--texts and --text-features: both found, one expected")
    if (rich_lines and not lines) or (rich_features and not features):
        raise UsageError("--rich-texts and --rich-features: each goes with its sparse one, --texts and --text-features")
    if not lines and not features:
        return Texts(names, ConceptTexts(names), f"our own table by the class names, {TextEncoder.id}")
    both = [_read(dataset, path, bool(lines)) for path in (lines or features, rich_lines or rich_features) if path]
    if len(both) == 2 and both[0][0].shape != both[1][0].shape:
        raise UsageError(f"texts of shapes {both[0][0].shape} and {both[1][0].shape} found, two of one shape expected")
    vectors = [found for found, _ in both]
    pooled = vectors[0] if vectors[0].ndim == 2 else vectors[0][:, -1]
    rows = None
    if vectors[0].ndim == 3 or len(both) == 2:
        flat = np.concatenate([found.reshape(len(names), -1) for found in vectors], axis=1)
        rows = RowTexts(names, flat, vectors[0].shape[1] if vectors[0].ndim == 3 else 1, len(both) == 2)
    unit = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    return Texts(names, FixedTexts(names, unit), "; rich: ".join(said for _, said in both), rows)


def _read(dataset: str, path: Path, lines: bool) -> tuple[np.ndarray, str]:
    """float32 `[K, E]` or `[K, rows, E]`, and what they are in words."""
    count = len(class_names(dataset))
    try:
        content = path.read_bytes()
        if lines:
            found = TextEncoder().encode(_lines(content.decode("utf-8"), path))
        else:
            found = np.load(path, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}; expected {count} lines of text or vectors in a .npy file") from None
    if found.ndim not in (2, 3) or len(found) != count:
        raise UsageError(f"{path}: shape {found.shape} found, {count} rows expected, one a class of {dataset}")
    lengths = np.linalg.norm(found, axis=-1)
    if not np.isfinite(lengths).all() or not lengths.reshape(count, -1)[:, -1].all():
        raise UsageError(f"{path}: a row that is zero or not finite found, directions expected")
    by = TextEncoder.id if lines else f"vectors {list(found.shape)} made elsewhere"
    return found, f"{path.name} (sha256 {hashlib.sha256(content).hexdigest()[:12]}), {by}"


def _lines(text: str, path: Path) -> list[str]:
    if path.suffix != ".csv":
        return [line.strip() for line in text.splitlines() if line.strip()]
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not rows[0].get("label"):
        raise ValueError("no column label found")
    return [row["label"].strip() for row in rows]


def read_targets(dataset: str, path: Path | None) -> tuple[float, ...] | None:
    """How much high frequencies matter for each class, for FDSM's gate: a number from 0 to 1 a line.

    Raises:
        UsageError: it cannot be read, or has others, or not one for each class.
    """
    if path is None:
        return None
    count = len(class_names(dataset))
    try:
        found = tuple(float(line) for line in path.read_text("utf-8").split())
    except (OSError, ValueError) as error:
        raise UsageError(f"--gate-targets {path}: {error}; {count} numbers from 0 to 1 expected") from None
    if len(found) != count or not all(0 <= value <= 1 for value in found):
        raise UsageError(f"--gate-targets {path}: {len(found)} values found, {count} numbers from 0 to 1 expected")
    return found
