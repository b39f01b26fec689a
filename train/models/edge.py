"""The edge encoder: a small network over `core15` windows, in two parts.

The joints are laid side by side, then a trunk runs over time: convolutions, or attention. `ENCODERS` names the
combinations. Widths, inputs and the masked pooling are ours. Graph convolutions before the trunk, after ST-GCN and
CTR-GCN, cost five times as much or more and were no better (train/EXPERIMENTS.md, 11 to 16).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edge_app.window.skeleton import LAYOUTS


@dataclass(frozen=True)
class EncoderConfig:
    """trunk: width and strides of its blocks.

    attention: blocks of self-attention instead of convolutions (the strides are then those of one convolution before).
    """

    skeleton: str = "core15"
    steps: int = 32
    trunk_width: int = 144
    trunk_strides: tuple[int, ...] = (2, 1, 2)
    attention: bool = False
    feature: int = 256
    dropout: float = 0.1


ENCODERS = {
    "conv": EncoderConfig(trunk_width=208),
    "conv-small": EncoderConfig(),
    "attention": EncoderConfig(trunk_strides=(2, 1, 1, 1), attention=True),
}
"""By name; what each is worth, where it was measured, is in train/EXPERIMENTS.md."""


class TrunkBlock(nn.Module):
    """Two temporal convolutions over all joints at once; residual."""

    def __init__(self, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.stride = stride
        self.body = nn.Sequential(
            nn.Conv1d(width, width, 3, stride, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout),
            nn.Conv1d(width, width, 3, 1, 1, bias=False), nn.BatchNorm1d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.stride == 1 else nn.functional.avg_pool1d(x, self.stride)
        return torch.relu(self.body(x) + shortcut)


class AttentionTrunk(nn.Module):
    """Self-attention over time, pre-norm, after one strided convolution: `[B, W, T] -> [B, W, T / stride]`."""

    def __init__(self, width: int, steps: int, stride: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Conv1d(width, width, 3, stride, 1)
        self.place = nn.Parameter(0.02 * torch.randn(steps // stride, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).transpose(1, 2) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.norm(x).transpose(1, 2)


class EdgeEncoder(nn.Module):
    """Windows `[B, T, J, 4]` of `normalize` -> features `[B, feature]`, root mean square 1."""

    parents: Tensor

    def __init__(self, config: EncoderConfig = EncoderConfig()) -> None:
        super().__init__()
        self.config = config
        self.feature = config.feature
        skeleton = LAYOUTS[config.skeleton]
        laid = self.channels * len(skeleton.joints)
        self.neck = skeleton.torso[1]
        self.register_buffer("parents", torch.tensor(skeleton.parents), persistent=False)
        self.input_norm = nn.BatchNorm1d(laid)
        self.flatten = nn.Sequential(
            nn.Conv1d(laid, config.trunk_width, 1, bias=False), nn.BatchNorm1d(config.trunk_width),
            nn.ReLU(), nn.Dropout(config.dropout),
        )  # fmt: skip
        if config.attention:
            first, depth = config.trunk_strides[0], len(config.trunk_strides)
            self.trunk: nn.Module = AttentionTrunk(config.trunk_width, config.steps, first, depth, config.dropout)
        else:
            self.trunk = nn.Sequential(
                *(TrunkBlock(config.trunk_width, stride, config.dropout) for stride in config.trunk_strides)
            )
        self.head = nn.Linear(2 * config.trunk_width, config.feature)

    channels = 13

    def inputs(self, window: Tensor) -> Tensor:
        """Place relative to the neck, bone, velocity, path of the neck, seen or not: `[B, 13, T, J]`."""
        xyz, seen = window[..., :3], window[..., 3:]
        neck = xyz[:, :, self.neck : self.neck + 1]
        place = (xyz - neck) * seen
        bone = (xyz - xyz[:, :, self.parents]) * seen * seen[:, :, self.parents]
        velocity = (xyz[:, 1:] - xyz[:, :-1]) * seen[:, 1:] * seen[:, :-1]
        velocity = torch.cat([velocity[:, :1] * 0, velocity], dim=1) * 4
        path = neck * seen
        return torch.cat([place, bone, velocity, path, seen], dim=-1).permute(0, 3, 1, 2)

    def forward(self, window: Tensor) -> Tensor:
        return self.pooled(*self.over_time(self.normalized(window), window))

    def normalized(self, window: Tensor) -> Tensor:
        """`inputs` as the first layer reads them: `[B, 13, T, J]`."""
        x = self.inputs(window)
        batch, channels, steps, joints = x.shape
        flat = x.permute(0, 1, 3, 2).reshape(batch, channels * joints, steps)
        return self.input_norm(flat).reshape(batch, channels, joints, steps).permute(0, 1, 3, 2)

    def over_time(self, x: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """The trunk's features of `normalized` inputs, `[B, W, S]`, and 1 where anything was seen, `[B, 1, S]`."""
        x = self.trunk(self.flatten(x.permute(0, 1, 3, 2).reshape(x.shape[0], -1, x.shape[2])))
        return x, seen(window, x.shape[2])

    def pooled(self, x: Tensor, present: Tensor) -> Tensor:
        feature = self.head(mean_and_peak(x, present))
        return nn.functional.normalize(feature, dim=1) * feature.shape[1] ** 0.5


def seen(window: Tensor, steps: int) -> Tensor:
    """1 for each of so many steps of a window in which any joint was seen, else 0: `[B, T, J, 4] -> [B, 1, steps]`."""
    present = (window[..., 3].sum(dim=2) > 0).to(window.dtype)
    return present.reshape(window.shape[0], 1, steps, window.shape[1] // steps).amax(dim=3)


def mean_and_peak(x: Tensor, present: Tensor) -> Tensor:
    """Over the time that is present: `[B, C, S], [B, 1, S] -> [B, 2 C]`."""
    mean = (x * present).sum(dim=2) / present.sum(dim=2).clamp(min=1)
    return torch.cat([mean, (x * present).amax(dim=2)], dim=1)


class Branches(nn.Module):
    """Encoders that were trained apart, side by side: features `[B, sum of theirs]`, root mean square 1."""

    def __init__(self, configs: Sequence[EncoderConfig]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(map(EdgeEncoder, configs))
        self.feature = sum(config.feature for config in configs)

    def forward(self, window: Tensor) -> Tensor:
        return torch.cat([branch(window) for branch in self.branches], dim=1)


STEPS = 8
"""To which `Detailed` averages features over time, whatever a trunk's strides."""
PARTS = (
    ("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
    ("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"),
    ("neck", "head", "left_shoulder", "right_shoulder", "left_hip", "right_hip"),
)
"""Joints of arms, legs and torso. The pelvis is the middle of the hips."""


class Detailed(nn.Module):
    """An encoder that says more, for FS-VAE: `[pooled | STEPS x channels | arms | legs | torso]`, `[B, width]`.

    Pooled is the encoder's own feature, bit for bit. Over time are the trunks' features, those of all branches side by
    side, averaged over what was seen in each step. Of a part (INFERRED, and cheap): mean and peak over time of what
    enters the network for its joints. No later layer could tell parts, since the first one lays all joints side by
    side; and what enters the branches differs by their input norms alone, so the first one's stands for all.
    """

    def __init__(self, encoder: EdgeEncoder | Branches) -> None:
        super().__init__()
        branches: list[Any] = [*encoder.branches] if isinstance(encoder, Branches) else [encoder]
        self.branches = nn.ModuleList(branches)
        configs: list[EncoderConfig] = [branch.config for branch in branches]
        joints = LAYOUTS[configs[0].skeleton].joints
        self.parts = [[joints.index(name) for name in part] for part in PARTS]
        self.feature, self.channels = encoder.feature, sum(config.trunk_width for config in configs)
        self.part = 2 * EdgeEncoder.channels * len(PARTS[0])
        self.width = self.feature + STEPS * self.channels + len(PARTS) * self.part

    def forward(self, window: Tensor) -> Tensor:
        pooled, over_time = [], []
        branches: list[Any] = [*self.branches]
        inputs = [branch.normalized(window) for branch in branches]
        for branch, own in zip(branches, inputs, strict=True):
            x, present = branch.over_time(own, window)
            pooled.append(branch.pooled(x, present))
            count = present.unflatten(2, (STEPS, -1)).sum(dim=3)
            over_time.append((x * present).unflatten(2, (STEPS, -1)).sum(dim=3) / count.clamp(min=1))
        steps = torch.cat(over_time, dim=1).transpose(1, 2).flatten(1)
        first = inputs[0].transpose(2, 3)
        whole = seen(window, window.shape[1])
        parts = [mean_and_peak(first[:, :, joints].flatten(1, 2), whole) for joints in self.parts]
        return torch.cat([*pooled, steps, *parts], dim=1)
