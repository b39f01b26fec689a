"""Recordings through the device's own path, with everything kept that a runtime was given and made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_app.app.commands.recognize import recognize
from edge_app.bundles.bundle import Bundle
from edge_app.encoder import Encoder
from edge_app.errors import UsageError
from edge_app.recognizer import Recognizer
from edge_app.runtime.session import Session


@dataclass
class _Kept:
    """A session that remembers."""

    session: Session
    given: list[np.ndarray] = field(default_factory=list)
    made: list[np.ndarray] = field(default_factory=list)

    @property
    def provider(self) -> str:
        return self.session.provider

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.given.append(batch)
        self.made.append(self.session.run(batch))
        return self.made[-1]


@dataclass(frozen=True)
class Run:
    """windows: float32 `[N, T, J, 4]` as the network read them. vectors: `[N, D]`. results: `recognition/1` objects."""

    windows: np.ndarray
    vectors: np.ndarray
    results: list[dict[str, Any]]


def recognize_all(bundle: Bundle, session: Session, files: Sequence[str], ranker: str = "scale") -> Run:
    """`edge-app recognize` on every file; recordings may come without their `pose://`. No files: the golden windows.

    Raises:
        UsageError: nobody is long enough in view for a window. SourceError: a file cannot be read.
    """
    kept, results = _Kept(session), []
    encoder = Encoder(kept, bundle.spec)
    if files:
        recognizer = Recognizer(bundle=bundle, ranker=ranker, runtime=encoder)
        for file in tqdm(files, desc=session.provider, disable=None):
            uri = f"pose://{file}" if file.endswith(".mcap") else file
            results.append(recognize(uri, recognizer))
    else:
        for window in bundle.golden()["windows"]:
            encoder.vector(window)
    if not kept.given:
        raise UsageError(f"--windows: no window in {len(files)} files; nobody is long enough in view")
    return Run(np.concatenate(kept.given), np.concatenate(kept.made), results)
