"""The edge encoder: a small spatio-temporal graph network over `core15` windows.

Two graph blocks after ST-GCN (Yan et al. 2018), with learned adjacencies as in ST-GCN++ (Duan et al. 2022), then the
joints are laid side by side and temporal convolutions go on: a graph network all the way costs seven times as much and
was no better (train/EXPERIMENTS.md). Widths, inputs and the masked pooling are ours. One `matmul` per adjacency: ONNX
Runtime runs that faster than `einsum`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge_app.skeleton import LAYOUTS, Skeleton


@dataclass(frozen=True)
class EncoderConfig:
    """graph: channels and strides of the graph blocks. trunk: width, and strides of its blocks."""

    skeleton: str = "core15"
    graph_widths: tuple[int, ...] = (32, 48)
    graph_strides: tuple[int, ...] = (1, 2)
    graph_kernel: int = 5
    trunk_width: int = 224
    trunk_strides: tuple[int, ...] = (1, 2)
    feature: int = 256
    dropout: float = 0.1


def adjacencies(skeleton: Skeleton) -> Tensor:
    """Self, towards the root, away from it: `[3, J, J]`, rows normalised (the spatial partition of ST-GCN)."""
    joints = len(skeleton.joints)
    inward = torch.zeros(joints, joints)
    for child, parent in enumerate(skeleton.parents):
        if child != parent:
            inward[child, parent] = 1
    stack = torch.stack([torch.eye(joints), inward, inward.T])
    return stack / stack.sum(-1, keepdim=True).clamp(min=1)


class GraphBlock(nn.Module):
    """Graph convolution with fixed and learned adjacency, then a temporal convolution; residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int, graph: Tensor) -> None:
        super().__init__()
        self.kinds = len(graph)
        self.register_buffer("graph", graph)
        self.learned = nn.Parameter(torch.zeros_like(graph))
        self.spatial = nn.Conv2d(inputs, outputs * self.kinds, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.temporal = nn.Sequential(
            nn.Conv2d(outputs, outputs, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = nn.Sequential(nn.Conv2d(inputs, outputs, 1, (stride, 1), bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        graph = self.graph + self.learned
        parts = self.spatial(x).chunk(self.kinds, dim=1)
        y = sum(torch.matmul(part, graph[k].T) for k, part in enumerate(parts))
        return torch.relu(self.temporal(torch.relu(self.norm(y))) + self.residual(x))


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


class EdgeEncoder(nn.Module):
    """Windows `[B, T, J, 4]` of `edge_app.window.normalise` -> features `[B, feature]`, root mean square 1."""

    def __init__(self, config: EncoderConfig = EncoderConfig()) -> None:
        super().__init__()
        self.config = config
        skeleton = LAYOUTS[config.skeleton]
        joints, graph = len(skeleton.joints), adjacencies(skeleton)
        self.neck = skeleton.torso[1]
        self.register_buffer("parents", torch.tensor(skeleton.parents), persistent=False)
        self.input_norm = nn.BatchNorm1d(self.channels * joints)
        widths = (self.channels, *config.graph_widths)
        self.graph_blocks = nn.ModuleList(
            GraphBlock(widths[i], widths[i + 1], stride, config.graph_kernel, graph)
            for i, stride in enumerate(config.graph_strides)
        )
        self.flatten = nn.Sequential(
            nn.Conv1d(widths[-1] * joints, config.trunk_width, 1, bias=False), nn.BatchNorm1d(config.trunk_width),
            nn.ReLU(), nn.Dropout(config.dropout),
        )  # fmt: skip
        self.trunk = nn.ModuleList(
            TrunkBlock(config.trunk_width, stride, config.dropout) for stride in config.trunk_strides
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
        x = self.inputs(window)
        batch, channels, steps, joints = x.shape
        flat = x.permute(0, 1, 3, 2).reshape(batch, channels * joints, steps)
        x = self.input_norm(flat).reshape(batch, channels, joints, steps).permute(0, 1, 3, 2)
        for block in self.graph_blocks:
            x = block(x)
        x = self.flatten(x.permute(0, 1, 3, 2).reshape(batch, -1, x.shape[2]))
        for block in self.trunk:
            x = block(x)
        present = (window[..., 3].sum(dim=2) > 0).to(x.dtype)
        present = present.reshape(batch, 1, x.shape[2], steps // x.shape[2]).amax(dim=3)
        mean = (x * present).sum(dim=2) / present.sum(dim=2).clamp(min=1)
        peak = (x * present).amax(dim=2)
        feature = self.head(torch.cat([mean, peak], dim=1))
        return nn.functional.normalize(feature, dim=1) * feature.shape[1] ** 0.5
