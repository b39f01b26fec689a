"""The diffusion that TDSM and FDSM use: its schedule, its times, and stored noises (METHODS.md 3.1, 3.4)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def time_embedding(t: Tensor, width: int) -> Tensor:
    """Cosines, then sines, with periods up to 10,000 (3.1): int `[...] -> [..., width]`."""
    frequency = torch.exp(-math.log(10_000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angle = t[..., None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def alpha_bars(steps: int) -> np.ndarray:
    """Cumulated alphas of the "scaled linear" schedule of Stable Diffusion 2.1, betas not rescaled for T (3.1)."""
    betas = np.linspace(math.sqrt(0.00085), math.sqrt(0.012), steps) ** 2
    return np.cumprod(1 - betas).astype(np.float32)


def noise_bank(count: int, width: int, antithetic: bool, seed: int = 2025) -> Tensor:
    """Noises to match with, `[count, width]`: plain normal ones, or orthogonal ones of length sqrt(width) and -1 times
    each, which sum to zero (3.4)."""
    generator = torch.Generator().manual_seed(seed)
    if not antithetic:
        return torch.randn(count, width, generator=generator)
    half = torch.linalg.qr(torch.randn(width, count // 2, generator=generator)).Q.T * math.sqrt(width)
    return torch.cat([half, -half]).contiguous()
