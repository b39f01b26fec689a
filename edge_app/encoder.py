"""Windows to features."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edge_app.bundles.bundle import Bundle
from edge_app.runtime.load import load_session
from edge_app.runtime.session import Session
from edge_app.types import Feature, Window
from edge_app.window.normalize import normalize
from edge_app.window.skeleton import WindowSpec

MAX_BATCH = 64  # as engines are built for


class Encoder:
    """The bundle's network behind a runtime's session."""

    def __init__(self, session: Session, spec: WindowSpec) -> None:
        self._session = session
        self.spec = spec

    @property
    def provider(self) -> str:
        """What runs now: it changes where a runtime fails and another goes on."""
        return self._session.provider

    def encode(self, windows: Sequence[Window], last_s: float = math.inf) -> list[Feature]:
        """A feature for each window, several in one batch: on a CPU for about half the time of one by one.

        last_s: how much of each window, up to its end, the network is shown; the rest is as if nobody had been there.

        Results do not depend on who else is in the batch, bit for bit, with ONNX Runtime on the CPU (a test asks); on
        a GPU the last bits may.
        """
        features: list[Feature] = []
        for start in range(0, len(windows), MAX_BATCH):
            part = windows[start : start + MAX_BATCH]
            vectors = self._session.run(np.stack([self.read(window, last_s) for window in part]))
            features += [Feature(window, vector) for window, vector in zip(part, vectors, strict=True)]
        return features

    def read(self, window: Window, last_s: float = math.inf) -> np.ndarray:
        """What the network reads of the last seconds of a window: float32 `[T, J, 4]`."""
        return normalize(window.joints, self.spec.latest(window.valid, last_s), self.spec.skeleton)

    def vector(self, normalized: np.ndarray) -> np.ndarray:
        """float32 `[T, J, 4] -> [D]`, or longer (`Feature`)."""
        return self._session.run(normalized[None])[0]


def load_encoder(bundle: Bundle, runtime: str = "onnxruntime", precision: str = "fp32") -> Encoder:
    """On a runtime as it is; `edge_app.recognizer.choose_encoder` tests it first."""
    return Encoder(load_session(bundle, runtime, precision), bundle.spec)
