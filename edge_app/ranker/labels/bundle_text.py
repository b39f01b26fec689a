"""The text embeddings that a bundle ships, and the text encoder for all other words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_app.bundles.bundle import Bundle, sound
from edge_app.bundles.files import load_npy
from edge_app.errors import UsageError
from edge_app.ranker.labels.text_encoder import TextEncoder


class BundleText:
    """Embeddings of texts: those that the bundle stores are looked up, and all others are encoded.

    The text encoder is loaded when the first word needs it.

    Raises:
        UsageError: the bundle's files are malformed.
    """

    def __init__(self, bundle: Bundle) -> None:
        with sound(bundle.path):
            self._stored = dict(
                zip(
                    (text["text"] for row in bundle.json("labels.json") for text in row["texts"]),
                    load_npy(bundle.path / "labels.npy").astype(np.float32),
                    strict=True,
                )
            )
            self.id: str = bundle.manifest["text_encoder"]
            self.dim: int = len(next(iter(self._stored.values())))
        self._encoder: TextEncoder | None = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """float32 `[N, dim]`.

        Raises:
            UsageError: the bundle was made with another text encoder than the one installed.
        """
        others = [text for text in texts if text not in self._stored]
        if others:
            if self._encoder is None:
                self._encoder = TextEncoder()
            if self._encoder.id != self.id:
                raise UsageError(f"labels: the bundle needs text encoder {self.id}, {self._encoder.id} is installed")
            self._stored.update(zip(others, self._encoder.encode(others), strict=True))
        return np.stack([self._stored[text] for text in texts])
