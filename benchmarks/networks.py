"""Networks of the sizes that others use, for timing alone: random weights, one body, 25 joints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edge_app.window.skeleton import NTU25
from train.models.stgcn import StConfig, adjacency

GRAPH = torch.from_numpy(adjacency(NTU25.parents, NTU25.joints.index("spine_shoulder")))
WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


def _normed(*layers: nn.Module, width: int) -> nn.Sequential:
    return nn.Sequential(*layers, nn.BatchNorm2d(width))


class Branches(nn.Module):
    """ST-GCN++'s convolution over time: four dilations, a maximum and a plain branch, side by side."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        part = width // 6
        widths = (width - 5 * part, part, part, part, part, part)
        self.branches = nn.ModuleList()
        for i, own in enumerate(widths):
            step = (stride, 1)
            into: list[nn.Module] = [nn.Conv2d(width, own, 1, step if i == 5 else 1)]
            if i < 5:
                into += [nn.BatchNorm2d(own), nn.ReLU()]
            if i < 4:
                into.append(nn.Conv2d(own, own, (3, 1), step, (i + 1, 0), dilation=(i + 1, 1)))
            elif i == 4:
                into.append(nn.MaxPool2d((3, 1), step, (1, 0)))
            self.branches.append(_normed(*into, width=own))
        self.mix = _normed(nn.ReLU(), nn.Conv2d(width, width, 1), width=width)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(torch.cat([branch(x) for branch in self.branches], dim=1))


class PlusBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.graph = nn.Parameter(GRAPH.clone())
        self.spatial = nn.Conv2d(inputs, outputs * len(GRAPH), 1)
        self.norm = nn.BatchNorm2d(outputs)
        same = inputs == outputs
        self.down = nn.Identity() if same else _normed(nn.Conv2d(inputs, outputs, 1), width=outputs)
        self.time = Branches(outputs, stride)
        plain = first or (same and stride == 1)
        self.residual = nn.Identity() if plain else _normed(nn.Conv2d(inputs, outputs, 1, (stride, 1)), width=outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.spatial(x).chunk(len(GRAPH), dim=1)
        y = sum(torch.matmul(part, self.graph[k]) for k, part in enumerate(parts))
        y = self.time(torch.relu(self.norm(y) + self.down(x)))
        return torch.relu(y if self.first else y + self.residual(x))


class StGcnPlusPlus(nn.Module):
    """The backbone of ST-GCN++ (Duan et al. 2022), from memory: `[1, 3, T, 25] -> [1, 256]`, 1.39 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3 * 25)
        inputs = (3, *WIDTHS)
        self.blocks = nn.Sequential(
            *(PlusBlock(inputs[i], inputs[i + 1], stride, first=i == 0) for i, stride in enumerate(STRIDES))
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, steps, joints = x.shape
        flat = self.norm(x.permute(0, 3, 1, 2).reshape(batch, joints * channels, steps))
        x = flat.reshape(batch, joints, channels, steps).permute(0, 2, 3, 1)
        return self.blocks(x).mean(dim=(2, 3))


class ContinualBlock(nn.Module):
    """A block of ST-GCN that takes one frame, and its last eight after the graph convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.register_buffer("graph", GRAPH.clone())
        self.spatial = nn.Conv2d(inputs, outputs * len(GRAPH), 1)
        self.before = nn.BatchNorm2d(outputs)
        self.time = _normed(nn.Conv2d(outputs, outputs, (kernel, 1)), width=outputs)
        same = inputs == outputs
        self.residual = nn.Identity() if same else _normed(nn.Conv2d(inputs, outputs, 1), width=outputs)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        parts = self.spatial(x).chunk(len(GRAPH), dim=1)
        y = sum(torch.matmul(part, self.graph[k]) for k, part in enumerate(parts))
        frames = torch.cat([past, torch.relu(self.before(y))], dim=2)
        y = self.time(frames)
        return torch.relu(y if self.first else y + self.residual(x)), frames[:, :, 1:]


class Continual(nn.Module):
    """After CoST-GCN* (Hedegaard et al. 2023): ST-GCN frame by frame, without strides: `[1, 3, 1, 25]` and ten pasts.

    Residuals are not delayed and the mean over time is left out; neither costs anything that could be measured.
    """

    def __init__(self) -> None:
        super().__init__()
        config = StConfig()
        inputs, kernel = (config.coordinates, *config.widths), config.kernel
        self.blocks = nn.ModuleList(
            ContinualBlock(inputs[i], width, kernel, first=i == 0) for i, width in enumerate(config.widths)
        )
        self.pasts = [torch.zeros(1, width, kernel - 1, 25) for width in config.widths]

    def forward(self, x: Tensor, pasts: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        kept = []
        for block, past in zip(self.blocks, pasts, strict=True):
            x, now = block(x, past)
            kept.append(now)
        return x.mean(dim=(2, 3)), kept
