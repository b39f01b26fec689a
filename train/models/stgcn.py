"""ST-GCN (Yan et al., AAAI 2018): the encoder of the SMIE and SA-DVAE random splits (METHODS.md 1.3, 1.4).

METHODS.md has only its size, 3.1 M, and that these splits use it on 50 frames (6.4, 7.1 "P3"). The network is the
paper's: three adjacencies by distance to the centre of the body, each with learned weights of its edges, and a
convolution over nine frames. Widths, dropout and the centre are its code's for NTU. SMIE's is narrower (`NARROW`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edge_app.window.skeleton import NTU25


@dataclass(frozen=True)
class StConfig:
    """widths, strides: of the blocks; a stride of 2 halves time. kernel: frames that a convolution in time reads."""

    classes: int = 60
    coordinates: int = 3
    widths: tuple[int, ...] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
    strides: tuple[int, ...] = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
    kernel: int = 9
    dropout: float = 0.5


NARROW = (16, 16, 16, 16, 32, 32, 32, 64, 64, 256)
"""SMIE's widths (`hidden_channels` 16), and AimCLR's."""


def adjacency(parents: tuple[int, ...], centre: int, released: bool = False) -> np.ndarray:
    """Who passes what to whom: float32 `[3, V, V]`, from row to column (Yan et al., 3.3, "spatial configuration").

    The three: a joint itself; neighbours that are farther from the centre; nearer ones.
    Columns of the sum of the three add up to 1.

    Args:
        released: as the authors' code computes it: distances of more than one bone count as equal, so that most of the
            nearer neighbours stand among the farther ones.
    """
    linked = np.eye(len(parents), dtype=bool)
    for joint, parent in enumerate(parents):
        linked[joint, parent] = linked[parent, joint] = True
    far = np.full(len(parents), -1)
    reached, hop = np.arange(len(parents)) == centre, 0
    while (far < 0).any():
        far[reached & (far < 0)] = hop
        reached, hop = linked[reached].any(axis=0), hop + 1
    share, itself = linked / linked.sum(axis=0), np.eye(len(parents), dtype=bool)
    far = np.minimum(far, 2) if released else far
    nearer = far[:, None] < far[None]
    return np.stack([share * itself, share * (~nearer & ~itself), share * nearer]).astype(np.float32)


CENTRE = NTU25.joints.index("spine_shoulder")


class GraphConvolution(nn.Module):
    """A 1x1 convolution for each adjacency, then a sum over neighbours: `[B, C, T, V] -> [B, C', T, V]`."""

    def __init__(self, inputs: int, outputs: int, parts: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, parts * outputs, 1)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """weights: `[parts, V, V]`."""
        parts = self.conv(x).chunk(len(weights), dim=1)
        return torch.stack([part @ own for part, own in zip(parts, weights, strict=True)]).sum(0)


class Block(nn.Module):
    """`[B, C, T, V] -> [B, C', T / stride, V]`, T / stride rounded up. The first block has no residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, parts: int, config: StConfig, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.graph = GraphConvolution(inputs, outputs, parts)
        self.time = nn.Sequential(
            nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, (config.kernel, 1), (stride, 1), ((config.kernel - 1) // 2, 0)),
            nn.BatchNorm2d(outputs), nn.Dropout(0.0 if first else config.dropout),
        )  # fmt: skip
        plain = inputs == outputs and stride == 1
        self.residual = (
            nn.Identity()
            if plain or first
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, (stride, 1)), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        y = self.time(self.graph(x, weights))
        return torch.relu(y if self.first else y + self.residual(x))


class STGCN(nn.Module):
    """Clips `[B, M, T, 25, 3]` of NTU-25 joints -> feature `[B, 256]` and logits `[B, classes]`.

    x, y, z in metres, as `train.data.preprocess.p3` makes them. Absent people are zero, and count in the mean over M.
    """

    edges: Tensor

    def __init__(self, config: StConfig = StConfig()) -> None:
        super().__init__()
        self.config = c = config
        self.register_buffer("edges", torch.from_numpy(adjacency(NTU25.parents, CENTRE)))
        parts, joints = self.edges.shape[:2]
        self.data_bn = nn.BatchNorm1d(joints * c.coordinates)
        inputs = (c.coordinates, *c.widths)
        self.blocks = nn.ModuleList(
            Block(inputs[i], inputs[i + 1], stride, parts, c, first=i == 0) for i, stride in enumerate(c.strides)
        )
        self.importance = nn.ParameterList(nn.Parameter(torch.ones_like(self.edges)) for _ in c.strides)
        self.fc = nn.Linear(c.widths[-1], c.classes)
        for module in self.modules():  # as the authors' code
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)

    def take_released_edges(self) -> None:
        """The authors' adjacency in place of the paper's; state dicts keep it."""
        self.edges.copy_(torch.from_numpy(adjacency(NTU25.parents, CENTRE, released=True)))

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        batch, people, steps, joints, coordinates = clips.shape
        flat = clips.reshape(batch * people, steps, joints * coordinates).transpose(1, 2)
        x = self.data_bn(flat).reshape(batch * people, joints, coordinates, steps).permute(0, 2, 3, 1)
        for block, importance in zip(self.blocks, self.importance, strict=True):
            x = block(x, self.edges * importance)
        feature = x.mean(dim=(2, 3)).reshape(batch, people, -1).mean(dim=1)
        return feature, self.fc(feature)
