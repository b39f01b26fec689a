"""The discrete cosine transform, which FDSM and FS-VAE filter with."""

from __future__ import annotations

import numpy as np


def dct_matrix(width: int) -> np.ndarray:
    """The orthonormal DCT-II, one frequency a row: float32 `[width, width]`."""
    k, n = np.arange(width)[:, None], np.arange(width)[None]
    rows = np.sqrt(2 / width) * np.cos(np.pi * (n + 0.5) * k / width)
    rows[0] = np.sqrt(1 / width)
    return rows.astype(np.float32)
