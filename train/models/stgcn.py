"""The edge encoder: a small spatio-temporal graph network over `core15` windows.

After ST-GCN (Yan et al. 2018) with learned adjacencies as in ST-GCN++ (Duan et al. 2022); widths, inputs and the masked
pooling are ours. One `matmul` per adjacency: ONNX Runtime runs that faster than `einsum`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge_app.skeleton import LAYOUTS, Skeleton


@dataclass(frozen=True)
class EncoderConfig:
    skeleton: str = "core15"
    widths: tuple[int, ...] = (64, 64, 96, 128, 160, 192)
    strides: tuple[int, ...] = (1, 1, 2, 1, 2, 1)
    kernel: int = 5
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


class Block(nn.Module):
    """Graph convolution with fixed and learned adjacency, then a temporal convolution; residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int, graph: Tensor, dropout: float) -> None:
        super().__init__()
        self.kinds = len(graph)
        self.register_buffer("graph", graph)
        self.learned = nn.Parameter(torch.zeros_like(graph))
        self.spatial = nn.Conv2d(inputs, outputs * self.kinds, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.temporal = nn.Sequential(
            nn.Conv2d(outputs, outputs, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
            nn.BatchNorm2d(outputs),
            nn.Dropout(dropout),
        )
        self.residual: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.residual = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, (stride, 1), bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        graph = self.graph + self.learned
        parts = self.spatial(x).chunk(self.kinds, dim=1)
        y = sum(torch.matmul(part, graph[k].T) for k, part in enumerate(parts))
        y = self.temporal(torch.relu(self.norm(y)))
        return torch.relu(y + self.residual(x))


class EdgeEncoder(nn.Module):
    """Windows `[B, T, J, 4]` as `edge_app.window.normalise` gives them -> features `[B, feature]`."""

    def __init__(self, config: EncoderConfig = EncoderConfig()) -> None:
        super().__init__()
        self.config = config
        skeleton = LAYOUTS[config.skeleton]
        self.neck = skeleton.torso[1]
        graph = adjacencies(skeleton)
        self.register_buffer("parents", torch.tensor(skeleton.parents), persistent=False)
        self.input_norm = nn.BatchNorm1d(self.channels * len(skeleton.joints))
        widths = (self.channels, *config.widths)
        self.blocks = nn.ModuleList(
            Block(widths[i], widths[i + 1], stride, config.kernel, graph, config.dropout)
            for i, stride in enumerate(config.strides)
        )
        self.head = nn.Linear(2 * widths[-1], config.feature)

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
        for block in self.blocks:
            x = block(x)
        present = (window[..., 3].sum(dim=2) > 0).to(x.dtype)
        shrink = steps // x.shape[2]
        present = present.reshape(batch, 1, x.shape[2], shrink).amax(dim=3)
        frames = x.mean(dim=3)
        mean = (frames * present).sum(dim=2) / present.sum(dim=2).clamp(min=1)
        peak = (x.amax(dim=3) * present).amax(dim=2)
        return self.head(torch.cat([mean, peak], dim=1))
