"""The edge encoder: a small network over `core15` windows, in three parts that a config chooses.

Graph blocks, after ST-GCN (Yan et al. 2018) with learned adjacencies as in ST-GCN++ (Duan et al. 2022), or after
CTR-GCN (Chen et al. 2021) with an adjacency of its own for each channel group and clip. Then the joints are laid side
by side or averaged. Then a trunk over time: convolutions, or attention. `ENCODERS` names the combinations
to compare (train/EXPERIMENTS.md). Widths, inputs and the masked pooling are ours. One `matmul` per adjacency: ONNX
Runtime runs that faster than `einsum`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edge_app.window.skeleton import LAYOUTS, Skeleton


@dataclass(frozen=True)
class EncoderConfig:
    """graph: channels, strides over time and temporal kernel of the graph blocks; refined: CTR-GCN's kind of graph.

    side_by_side: joints become channels; else they are averaged. trunk: width and strides of its blocks;
    attention: blocks of self-attention instead of convolutions (the strides are then those of one convolution before).
    """

    skeleton: str = "core15"
    steps: int = 32
    graph_widths: tuple[int, ...] = (32, 48)
    graph_strides: tuple[int, ...] = (1, 2)
    graph_kernel: int = 5
    refined: bool = False
    side_by_side: bool = True
    trunk_width: int = 224
    trunk_strides: tuple[int, ...] = (1, 2)
    attention: bool = False
    feature: int = 256
    dropout: float = 0.1


ENCODERS = {
    "graph-conv": EncoderConfig(),
    "conv": EncoderConfig(graph_widths=(), graph_strides=(), trunk_width=208, trunk_strides=(2, 1, 2)),
    "conv-small": EncoderConfig(graph_widths=(), graph_strides=(), trunk_width=144, trunk_strides=(2, 1, 2)),
    "attention": EncoderConfig(
        graph_widths=(), graph_strides=(), trunk_width=144, trunk_strides=(2, 1, 1, 1), attention=True
    ),
    "st-gcn": EncoderConfig(
        graph_widths=(64, 64, 96, 96, 128, 128), graph_strides=(2, 1, 1, 2, 1, 1), side_by_side=False, trunk_strides=()
    ),
    "ctr-gcn": EncoderConfig(
        graph_widths=(48, 48, 64, 96, 96), graph_strides=(2, 1, 1, 2, 1), refined=True, side_by_side=False,
        trunk_strides=(),
    ),
}  # fmt: skip
"""By name; what each is worth, where it was measured, is in train/EXPERIMENTS.md."""


def adjacencies(skeleton: Skeleton) -> Tensor:
    """Self, towards the root, away from it: `[3, J, J]`, rows normalized (the spatial partition of ST-GCN)."""
    joints = len(skeleton.joints)
    inward = torch.zeros(joints, joints)
    for child, parent in enumerate(skeleton.parents):
        if child != parent:
            inward[child, parent] = 1
    stack = torch.stack([torch.eye(joints), inward, inward.T])
    return stack / stack.sum(-1, keepdim=True).clamp(min=1)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Over time, joint by joint, then normalized."""
    convolution = nn.Conv2d(inputs, outputs, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class GraphBlock(nn.Module):
    """Graph convolution with fixed and learned adjacency, then a temporal convolution; residual."""

    graph: Tensor

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int, graph: Tensor) -> None:
        super().__init__()
        self.kinds = len(graph)
        self.register_buffer("graph", graph)
        self.learned = nn.Parameter(torch.zeros_like(graph))
        self.spatial = nn.Conv2d(inputs, outputs * self.kinds, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.temporal = _convolution(outputs, outputs, kernel, stride)
        self.residual = _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        graph = self.graph + self.learned
        parts = self.spatial(x).chunk(self.kinds, dim=1)
        y = sum(torch.matmul(part, graph[k].T) for k, part in enumerate(parts))
        return torch.relu(self.temporal(torch.relu(self.norm(y))) + self.residual(x))


class RefinedGraph(nn.Module):
    """Channel-wise topology refinement of CTR-GCN for one adjacency: `[B, C, T, J] -> [B, O, T, J]`.

    The adjacency is the shared one plus, for each group of channels and each clip, alpha times the tanh of pairwise
    differences of pooled joint features (CTR-GCN, equations 4 to 6; groups instead of single channels are ours).
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 8) -> None:
        super().__init__()
        self.groups = groups
        self.query, self.key = nn.Linear(inputs, groups), nn.Linear(inputs, groups)
        self.alpha = nn.Parameter(torch.zeros(1))
        self.spatial = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        joints = x.mean(dim=2).transpose(1, 2)
        pairs = torch.tanh(self.query(joints)[:, :, None] - self.key(joints)[:, None])
        topology = graph + self.alpha * pairs.permute(0, 3, 1, 2)
        y = self.spatial(x)
        batch, channels, steps, count = y.shape
        y = y.reshape(batch, self.groups, -1, count)
        return torch.matmul(y, topology.transpose(2, 3)).reshape(batch, channels, steps, count)


class RefinedBlock(nn.Module):
    """As `GraphBlock`, with refined adjacencies."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int, graph: Tensor) -> None:
        super().__init__()
        self.graph = nn.Parameter(graph.clone())
        self.parts = nn.ModuleList(RefinedGraph(inputs, outputs) for _ in graph)
        self.norm = nn.BatchNorm2d(outputs)
        self.temporal = _convolution(outputs, outputs, kernel, stride)
        self.residual = _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.stack([part(x, self.graph[k]) for k, part in enumerate(self.parts)]).sum(dim=0)
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
        joints, graph = len(skeleton.joints), adjacencies(skeleton)
        self.neck = skeleton.torso[1]
        self.register_buffer("parents", torch.tensor(skeleton.parents), persistent=False)
        self.input_norm = nn.BatchNorm1d(self.channels * joints)
        widths = (self.channels, *config.graph_widths)
        block = RefinedBlock if config.refined else GraphBlock
        self.graph_blocks = nn.ModuleList(
            block(widths[i], widths[i + 1], stride, config.graph_kernel, graph)
            for i, stride in enumerate(config.graph_strides)
        )
        laid = widths[-1] * joints if config.side_by_side else widths[-1]
        self.flatten = nn.Sequential(
            nn.Conv1d(laid, config.trunk_width, 1, bias=False), nn.BatchNorm1d(config.trunk_width),
            nn.ReLU(), nn.Dropout(config.dropout),
        )  # fmt: skip
        if config.attention:
            steps = config.steps // math.prod(config.graph_strides)
            first, depth = config.trunk_strides[0], len(config.trunk_strides)
            self.trunk: nn.Module = AttentionTrunk(config.trunk_width, steps, first, depth, config.dropout)
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
        for block in self.graph_blocks:
            x = block(x)
        batch = x.shape[0]
        x = x.permute(0, 1, 3, 2).reshape(batch, -1, x.shape[2]) if self.config.side_by_side else x.mean(dim=3)
        x = self.trunk(self.flatten(x))
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
