"""Shift-GCN (Cheng et al., CVPR 2020) in plain PyTorch, with no CUDA extension; it loads the authors' weights.

    python -m train teacher --help        # what it is here for

There is no graph: every joint exchanges channels with every other by shifts, and a 1x1 convolution mixes them. Names of
modules and parameters are the authors', so that their state dict loads strictly. Everything about the network and its
weights' meaning is from METHODS.md 7, which read the authors' code; what we inferred ourselves says so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_app.errors import UsageError


@dataclass(frozen=True)
class ShiftConfig:
    """bodies: skeletons a clip has, absent ones zero. widths, strides: of the units; a stride of 2 halves time."""

    classes: int = 120
    joints: int = 25
    bodies: int = 2
    coordinates: int = 3
    widths: tuple[int, ...] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
    strides: tuple[int, ...] = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


def spatial_shift(joints: int, channels: int, step: int) -> Tensor:
    """Where each entry of a flat `[joints * channels]` frame comes from, int64.

    Channel j of joint i comes from channel j of joint `(i + step * j) mod joints`; `step` is 1 on the way in and -1 on
    the way out.
    """
    i, j = torch.arange(joints)[:, None], torch.arange(channels)[None]
    return ((i + step * j) % joints * channels + j).flatten()


class SpatialShift(nn.Module):
    """Shift in, mask, 1x1 mixing, shift out: `[B, C, T, V] -> [B, C', T, V]`."""

    shift_in: Tensor
    shift_out: Tensor

    def __init__(self, inputs: int, outputs: int, joints: int) -> None:
        super().__init__()
        self.Linear_weight = nn.Parameter(torch.randn(inputs, outputs) / outputs**0.5)
        self.Linear_bias = nn.Parameter(torch.zeros(1, 1, outputs))
        self.Feature_Mask = nn.Parameter(torch.zeros(1, joints, inputs))
        self.register_buffer("shift_in", spatial_shift(joints, inputs, 1))
        self.register_buffer("shift_out", spatial_shift(joints, outputs, -1))
        self.bn = nn.BatchNorm1d(joints * outputs)
        self.down = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        steps, joints = x.shape[2:]
        inputs, outputs = self.Linear_weight.shape
        frames = x.permute(0, 2, 3, 1).reshape(-1, joints * inputs)
        frames = frames.index_select(1, self.shift_in).reshape(-1, joints, inputs)
        frames = torch.matmul(frames * (torch.tanh(self.Feature_Mask) + 1), self.Linear_weight) + self.Linear_bias
        frames = self.bn(frames.reshape(-1, joints * outputs).index_select(1, self.shift_out))
        y = frames.reshape(-1, steps, joints, outputs).permute(0, 3, 1, 2)
        return torch.relu(y + self.down(x))


class TemporalShift(nn.Module):
    """Each channel moved in time by a learned real number of frames: `[B, C, T, V] -> [B, C, T // stride, V]`.

    Channel c at output t reads time `p = stride * t + s_c`, half a frame later where stride is 2: between frames
    floor(p) and floor(p) + 1 linearly, and a frame that is not there is zero. `ypos` is s. The authors' operator also
    has a displacement over joints, `xpos`, kept from learning (below 1e-10 in their weights), which we pass over.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.xpos = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.ypos = nn.Parameter(torch.empty(channels).uniform_(-1, 1))

    def displacement(self) -> Tensor:
        """Frames from `stride * t` to what is read, float `[C]`."""
        return self.ypos + (0.5 if self.stride == 2 else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        shift = self.displacement()
        whole = shift.floor()
        part = (shift - whole)[:, None, None]
        at = self.stride * torch.arange(x.shape[2] // self.stride, device=x.device) + whole.long()[:, None]
        return (1 - part) * self._frames(x, at) + part * self._frames(x, at + 1)

    @staticmethod
    def _frames(x: Tensor, at: Tensor) -> Tensor:
        """Frames `at` `[C, T']` of each channel, zero where outside."""
        batch, channels, steps, joints = x.shape
        inside = ((at >= 0) & (at < steps)).to(x.dtype)
        rows = at.clamp(0, steps - 1) + steps * torch.arange(channels, device=x.device)[:, None]
        taken = x.reshape(batch, channels * steps, joints).index_select(1, rows.flatten())
        return taken.reshape(batch, channels, -1, joints) * inside[..., None]


class FrozenTemporalShift(nn.Module):
    """The same as a depthwise convolution in time with two taps a channel that are not zero: plain to export."""

    kernel: Tensor

    def __init__(self, shift: TemporalShift) -> None:
        super().__init__()
        self.stride = shift.stride
        displacement = shift.displacement().detach()
        whole = displacement.floor().long()
        part = displacement - whole
        self.before, self.after = max(0, -int(whole.min())), max(0, int(whole.max()) + 1)
        kernel = torch.zeros(len(whole), 1, self.before + self.after + 1, 1)
        channel = torch.arange(len(whole))
        kernel[channel, 0, self.before + whole, 0] = 1 - part
        kernel[channel, 0, self.before + whole + 1, 0] = part
        self.register_buffer("kernel", kernel)

    def forward(self, x: Tensor) -> Tensor:
        padded = functional.pad(x, (0, 0, self.before, self.after))
        y = functional.conv2d(padded, self.kernel, stride=(self.stride, 1), groups=x.shape[1])
        return y[:, :, : x.shape[2] // self.stride]


class TemporalUnit(nn.Module):
    """Shift, 1x1 convolution, shift; the second shift carries the stride."""

    shift_in: nn.Module
    shift_out: nn.Module

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.shift_in = TemporalShift(channels, 1)
        self.temporal_linear = nn.Conv2d(channels, channels, 1)
        self.shift_out = TemporalShift(channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.shift_out(torch.relu(self.temporal_linear(self.shift_in(self.bn(x))))))


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, (stride, 1))
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Unit(nn.Module):
    """`[B, C, T, V] -> [B, C', T // stride, V]`; T must be even where stride is 2. The first unit has no residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, joints: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.gcn1 = SpatialShift(inputs, outputs, joints)
        self.tcn1 = TemporalUnit(outputs, stride)
        plain = first or (inputs == outputs and stride == 1)
        self.residual = nn.Identity() if plain else Residual(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tcn1(self.gcn1(x))
        return torch.relu(y if self.first else y + self.residual(x))


class ShiftGCN(nn.Module):
    """Clips `[B, 3, T, V, M]` -> feature `[B, 256]` and logits `[B, classes]`.

    x, y, z in metres at 30 frames a second, as `train.encoder.distill.prepared` makes them; T divisible by every stride
    in turn (300 in the authors' training); M bodies, absent ones zero.
    """

    def __init__(self, config: ShiftConfig = ShiftConfig()) -> None:
        super().__init__()
        self.config = config
        self.data_bn = nn.BatchNorm1d(config.bodies * config.joints * config.coordinates)
        inputs = (config.coordinates, *config.widths)
        for i, stride in enumerate(config.strides):
            self.add_module(f"l{i + 1}", Unit(inputs[i], inputs[i + 1], stride, config.joints, first=i == 0))
        self.fc = nn.Linear(config.widths[-1], config.classes)
        self.initialise()

    def initialise(self) -> None:
        """As the authors' code: Kaiming by fan-out, zero biases but for the temporal mixing, and a wide classifier."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None and not name.endswith("temporal_linear"):
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.fc.weight, std=(2 / self.config.classes) ** 0.5)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        batch, coordinates, steps, joints, bodies = clips.shape
        flat = self.data_bn(clips.permute(0, 4, 3, 1, 2).reshape(batch, bodies * joints * coordinates, steps))
        each = flat.reshape(batch * bodies, joints, coordinates, steps).permute(0, 2, 3, 1)
        feature = self._pooled(each).reshape(batch, bodies, -1).mean(dim=1)
        return feature, self.fc(feature)

    def body(self, clips: Tensor, slot: int) -> Tensor:
        """What one body in place `slot` alone adds, before the mean over bodies: `[B, 3, T, V] -> [B, 256]`.

        Bodies meet only in that mean (in evaluation mode), so an absent one adds `body(zeros)`, a constant for each T.
        """
        norm, batch, steps = self.data_bn, len(clips), clips.shape[2]
        flat = clips.permute(0, 3, 1, 2).reshape(batch, -1, steps)
        part = slice(slot * flat.shape[1], (slot + 1) * flat.shape[1])
        state = norm.state_dict()
        mean, spread, weight, bias = (state[k][part] for k in ("running_mean", "running_var", "weight", "bias"))
        flat = functional.batch_norm(flat, mean, spread, weight, bias, eps=norm.eps)
        return self._pooled(flat.reshape(batch, self.config.joints, -1, steps).permute(0, 2, 3, 1))

    def _pooled(self, x: Tensor) -> Tensor:
        for i in range(len(self.config.strides)):
            x = self.get_submodule(f"l{i + 1}")(x)
        return x.mean(dim=(2, 3))


def frozen(model: ShiftGCN) -> ShiftGCN:
    """A copy for inference and export, its temporal shifts as depthwise convolutions."""
    model = copy.deepcopy(model).eval()
    for unit in [module for module in model.modules() if isinstance(module, TemporalUnit)]:
        for name, shift in list(unit.named_children()):
            if isinstance(shift, TemporalShift):
                setattr(unit, name, FrozenTemporalShift(shift))
    return model


def load_weights(path: Path) -> ShiftGCN:
    """The authors' weights, in evaluation mode.

    Raises:
        UsageError: the file is not there or holds something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model = ShiftGCN(ShiftConfig(classes=len(state["fc.bias"])))
        model.load_state_dict(state)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"weights {path}: {reason}; expected a state dict of Shift-GCN's joint stream") from None
    for unit in [module for module in model.modules() if isinstance(module, SpatialShift)]:
        inputs, outputs = unit.Linear_weight.shape
        for stored, channels, step in ((unit.shift_in, inputs, 1), (unit.shift_out, outputs, -1)):
            if not torch.equal(stored, spatial_shift(model.config.joints, channels, step)):
                raise UsageError(f"weights {path}: joints are not shifted as Shift-GCN does it")
    return model.eval()
