"""Windows to features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_app.runtime.session import Session
from edge_app.types import Feature, Window
from edge_app.window import WindowSpec, normalise


class Encoder:
    """The bundle's network behind a runtime's session. One window at a time: results do not depend on the batch."""

    def __init__(self, session: Session, spec: WindowSpec) -> None:
        self._session = session
        self._spec = spec

    @property
    def provider(self) -> str:
        """What runs now: it changes where a runtime fails and another goes on."""
        return self._session.provider

    def encode(self, windows: Sequence[Window]) -> list[Feature]:
        return [Feature(window, self.vector(self.read(window))) for window in windows]

    def read(self, window: Window) -> np.ndarray:
        """What the network reads: float32 `[T, J, 4]`."""
        return normalise(window.joints, window.valid, self._spec.skeleton)

    def vector(self, normalised: np.ndarray) -> np.ndarray:
        """float32 `[T, J, 4] -> [D]`, or longer (`Feature`)."""
        return self._session.run(normalised[None])[0]
