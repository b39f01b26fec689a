"""What a network that learned from web videos says of a window: shares of its classes, beside the encoder's feature.

The network is Shift-GCN as "Quo Vadis, Skeleton Action Recognition?" (IJCV 2021, MIT licence) trained it on
Skeletics-152: 125,657 clips of Kinetics-700, skeletons by VIBE. How a window is laid out for it is INFERRED from the
weights' own input statistics and from what it then says of videos whose action is known (train/EXPERIMENTS.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_app.window.skeleton import CORE15
from train.models.shiftgcn import Residual, ShiftGCN, SpatialShift, TemporalShift, Unit

FILLED = 204 / 300
"""The share of a clip's frames that showed somebody in its training, by `data_bn`'s statistics; others were zero."""
CLIP = 300
PELVIS = (0.0, -0.247, 0.024)
"""Where SMPL's pelvis lies, in metres: the origin that the network knows."""
STANDING = {
    "pelvis": (0.0, 0.0, 0.0), "neck": (0.0, 0.52, 0.0), "head": (0.0, 0.68, 0.0), "shoulder": (0.18, 0.5, 0.0),
    "elbow": (0.2, 0.22, 0.0), "wrist": (0.2, -0.03, -0.05), "hip": (0.1, 0.0, 0.0), "knee": (0.1, -0.43, 0.0),
    "ankle": (0.1, -0.84, 0.0),
}  # fmt: skip
"""Where joints that are not seen are taken to be: metres from the pelvis, out to the own side, up, away."""
FACE = {
    "nose": (-0.005, 0.016, -0.124), "left_eye": (-0.017, 0.046, -0.095), "right_eye": (0.015, 0.044, -0.096),
    "left_ear": (-0.074, 0.001, 0.0), "right_ear": (0.074, -0.001, 0.0),
}  # fmt: skip
TOES = {"right": (0.019, -0.06, -0.112), "left": (-0.007, -0.056, -0.111)}
"""Face from the head, toes from the ankles, in metres along the body's own axes (right, up or the shin, back): medians
over the public videos."""


def standing() -> Tensor:
    """`STANDING` for each joint of `core15`, float32 `[15, 3]`."""
    rows = []
    for joint in CORE15.joints:
        side, _, name = joint.rpartition("_")
        x, y, z = STANDING[name]
        rows.append((-x if side == "left" else x, y, z))
    return torch.tensor(rows)


class WebTeacher(nn.Module):
    """Normalized windows `[B, T, 15, 4]` -> shares of the classes, `[B, C]`.

    A window's samples stand for frames, though they are half as many a second: at twice as many, interpolated, what it
    says of real clips is no better, and costs twice as much.
    """

    standing: Tensor
    rest: Tensor
    near: Tensor
    up: Tensor
    side: Tensor
    spine: Tensor
    lean: Tensor
    offset_by: Tensor

    def __init__(self, model: ShiftGCN, steps: int) -> None:
        super().__init__()
        model = model.eval()
        for name, value in {"standing": standing(), **layout()}.items():
            self.register_buffer(name, value, persistent=False)
        with torch.inference_mode():
            nobody = [model.body(torch.zeros(1, 3, CLIP, model.config.joints), slot) for slot in (0, 1)]
        rest = ((1 - FILLED) * nobody[0] + nobody[1]) / 2
        self.register_buffer("rest", rest.clone(), persistent=False)
        norm, width = model.data_bn, model.config.joints * model.config.coordinates
        scale, offset = affine(norm)
        self.scale = nn.Parameter(scale[:width].reshape(model.config.joints, -1).T[:, :, None], requires_grad=False)
        self.offset = nn.Parameter(offset[:width].reshape(model.config.joints, -1).T[:, :, None], requires_grad=False)
        self.units = nn.ModuleList()
        for i, stride in enumerate(model.config.strides):
            self.units.append(FoldedUnit(model.get_submodule(f"l{i + 1}"), steps))  # type: ignore[arg-type]
            steps //= stride
        self.fc = model.fc

    def forward(self, window: Tensor) -> Tensor:
        x = self.bodies(window).permute(0, 3, 2, 1) * self.scale + self.offset
        for unit in self.units:
            x = unit(x)
        return self.fc(FILLED / 2 * x.mean(dim=(2, 3)) + self.rest).softmax(dim=1)

    def bodies(self, window: Tensor) -> Tensor:
        """VIBE's 25 joints in a camera's axes (x to the right, y down, z away), metres: `[B, T, 25, 3]`."""
        xyz, seen = window[..., :3], window[..., 3:]
        xyz = (xyz - xyz[:, :, :1]) * seen + self.standing * (1 - seen)
        up = functional.normalize(self.up @ xyz + self.lean * functional.normalize(self.spine @ xyz, dim=-1), dim=-1)
        back = functional.normalize(torch.linalg.cross(self.side @ xyz, up), dim=-1)
        axes = torch.cat([torch.linalg.cross(up, back), up, back], dim=2)
        body = self.near @ xyz + self.offset_by @ axes
        return body * body.new_tensor([-1.0, -1.0, 1.0]) + body.new_tensor(PELVIS)


class BesideWeb(nn.Module):
    """An encoder and the web teacher side by side: `[B, T, J, 4] -> [B, D + C]`, the shares of the classes last."""

    def __init__(self, encoder: nn.Module, teacher: WebTeacher) -> None:
        super().__init__()
        self.encoder, self.teacher = encoder, teacher

    def forward(self, window: Tensor) -> Tensor:
        return torch.cat([self.encoder(window), self.teacher(window)], dim=1)


def layout() -> dict[str, Tensor]:
    """What `bodies` multiplies joints by.

    near: `[25, 15]`, where joints are, or the joint that they are a given way from. up, side: `[3, 15]`, directions up,
    and roughly to the right, of the head, the right foot and the left one; spine: `[1, 15]`, of which `lean`, `[3, 1]`,
    is added to up. offset_by: `[25, 9]`, of each joint along the axes right, up, back of the three.
    """
    at = dict(zip(CORE15.joints, torch.eye(len(CORE15.joints)), strict=True))
    shoulders, hips = (at[f"right_{name}"] - at[f"left_{name}"] for name in ("shoulder", "hip"))
    shins = [at[f"{side}_knee"] - at[f"{side}_ankle"] for side in TOES]
    thorax = 0.87 * (at["left_shoulder"] + at["right_shoulder"]) / 2 + 0.13 * at["head"]
    neck = at["head"] - thorax
    arms, legs = (
        [at[f"{side}_{joint}"] for side in TOES for joint in joints]
        for joints in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    )
    trunk = [at["pelvis"] + 0.6 * (thorax - at["pelvis"]), at["pelvis"]]
    head = [thorax + 1.68 * neck, thorax + 1.37 * neck, *[at["head"]] * len(FACE), thorax, thorax + 0.31 * neck]
    near = torch.stack([*head, *arms, *trunk, *legs, *(at[f"{side}_ankle"] for side in TOES)])
    offsets = torch.zeros(len(near), 3, 3)  # joint, axis, whose axes
    offsets[2 : 2 + len(FACE), :, 0] = torch.tensor([*FACE.values()])
    for foot, offset in enumerate(TOES.values(), 1):
        offsets[len(near) - 3 + foot, :, foot] = torch.tensor(offset)
    return {
        "near": near, "up": torch.stack([at["head"] - at["neck"], *shins]),
        "side": torch.stack([shoulders, hips, hips]), "offset_by": offsets.flatten(1),
        "spine": (at["neck"] - at["pelvis"])[None], "lean": torch.tensor([[0.05], [0.0], [0.0]]),
    }  # fmt: skip


def affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A batch norm in evaluation mode as a factor and an offset for each channel."""
    state = norm.state_dict()
    scale = state["weight"] / (state["running_var"] + norm.eps).sqrt()
    return scale, state["bias"] - state["running_mean"] * scale


class FoldedUnit(nn.Module):
    """A `Unit` for inference, `[B, C, V, T] -> [B, C', V, T']`, in plain matrix products.

    Shifts along the joints are gathers of whole rows, each with a factor and an offset of its own; shifts in time are
    products with a matrix `[T, T']` for each channel, made of the displacements.
    """

    shift_in: Tensor
    shift_out: Tensor
    mask: Tensor
    weight: Tensor
    scale: Tensor
    offset: Tensor
    down: Tensor
    linear: Tensor
    linear_bias: Tensor
    earlier_at: Tensor
    earlier_scale: Tensor
    earlier_offset: Tensor
    later_at: Tensor
    later_scale: Tensor
    later_offset: Tensor
    kept: Tensor

    def __init__(self, unit: Unit, steps: int) -> None:
        super().__init__()
        gcn, tcn = unit.gcn1, unit.tcn1
        joints = gcn.Feature_Mask.shape[1]
        inputs, outputs = gcn.Linear_weight.shape
        self.register_buffer("shift_in", rows_of(joints, inputs, 1), persistent=False)
        self.register_buffer("shift_out", rows_of(joints, outputs, -1), persistent=False)
        scale, offset = (part.reshape(joints, outputs).T for part in affine(gcn.bn))
        down, down_bias = _pointwise(gcn)
        constants = {
            "mask": (torch.tanh(gcn.Feature_Mask[0]) + 1).T.flatten(),
            "weight": gcn.Linear_weight.T,
            "scale": scale.flatten(),
            "offset": (offset + scale * gcn.Linear_bias[0, 0, :, None] + down_bias[:, None]).flatten(),
            "down": down,
            "linear": tcn.temporal_linear.weight[:, :, 0, 0],
            "linear_bias": tcn.temporal_linear.bias[:, None, None],  # type: ignore[index]
        }
        for name, (norm, shift) in {"earlier": (tcn.bn, tcn.shift_in), "later": (tcn.bn2, tcn.shift_out)}.items():
            assert isinstance(shift, TemporalShift)
            factor, added = affine(norm)
            constants |= {f"{name}_at": shift.displacement(), f"{name}_scale": factor[:, None, None]}
            constants[f"{name}_offset"] = added[:, None, None]
        self.residual = "none" if unit.first else "same"
        if isinstance(unit.residual, Residual):
            self.residual = "mapped"
            weight, bias = _convolution(unit.residual.conv, unit.residual.bn)
            constants |= {"kept": weight, "later_offset": constants["later_offset"] + bias[:, None, None]}
        for name, value in constants.items():
            setattr(self, name, nn.Parameter(value.detach().clone(), requires_grad=False))
        assert isinstance(tcn.shift_out, TemporalShift)
        self.steps, self.stride = steps, tcn.shift_out.stride

    def forward(self, x: Tensor) -> Tensor:
        y = self._mixed(self.weight, self._shifted(x, self.shift_in, self.mask, torch.zeros_like(self.mask)))
        y = self._shifted(y, self.shift_out, self.scale, self.offset)
        y = torch.relu(y + (x if not self.down.numel() else self._mixed(self.down, x)))
        # What follows from weights alone is worked out when the network is loaded.
        earlier = self._in_time(self.earlier_at, 1)
        added = self.linear_bias + self._mixed(self.linear, self.earlier_offset * earlier.sum(dim=1, keepdim=True))
        added = added.expand(-1, x.shape[2], -1)  # a sum of equal shapes is faster
        y = torch.relu(self._mixed(self.linear, torch.matmul(y, self.earlier_scale * earlier)) + added)
        y = torch.matmul(y, self.later_scale * self._in_time(self.later_at, self.stride)) + self.later_offset
        if self.residual == "none":
            return torch.relu(y)
        kept = x if self.residual == "same" else self._mixed(self.kept, x[..., :: self.stride])
        return torch.relu(y + kept)

    @staticmethod
    def _shifted(x: Tensor, rows: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
        """Rows `[V * C]` of `[B, C, V, T]`, each scaled and offset.

        As a batch norm that has nothing left to normalize: a runtime does that a row at a time, which is faster than a
        product and a sum that are spread over T.
        """
        mean, variance = torch.zeros_like(scale), torch.ones_like(scale)
        y = functional.batch_norm(x.flatten(1, 2).index_select(1, rows), mean, variance, scale, offset, eps=0.0)
        return y.unflatten(1, (-1, x.shape[2]))

    @staticmethod
    def _mixed(weight: Tensor, x: Tensor) -> Tensor:
        """Channels mixed: `[C', C], [..., C, V, T] -> [..., C', V, T]`."""
        return torch.matmul(weight, x.flatten(-2)).unflatten(-1, x.shape[-2:])

    def _in_time(self, at: Tensor, stride: int) -> Tensor:
        """`[C, T, T']`: what each output takes of each frame, linearly between the two nearest."""
        outputs = torch.arange(self.steps // stride, dtype=torch.float32) * stride
        frames = torch.arange(self.steps, dtype=torch.float32)
        return torch.relu(1 - (outputs + at[:, None, None] - frames[:, None]).abs())


def rows_of(joints: int, channels: int, step: int) -> Tensor:
    """As `spatial_shift`, of rows that lie channel after channel."""
    c, v = torch.arange(channels)[:, None], torch.arange(joints)[None]
    return (c * joints + (v + step * c) % joints).flatten()


def _convolution(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A 1x1 convolution and its batch norm as a matrix and an offset."""
    scale, offset = affine(norm)
    bias = torch.zeros(len(scale)) if conv.bias is None else conv.bias
    return conv.weight[:, :, 0, 0] * scale[:, None], offset + bias * scale


def _pointwise(gcn: SpatialShift) -> tuple[Tensor, Tensor]:
    """What is added to a spatial unit's output, as a matrix (empty for the input itself) and an offset."""
    if isinstance(gcn.down, nn.Identity):
        return torch.zeros(0), torch.zeros(gcn.Linear_weight.shape[1])
    conv, norm = gcn.down
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return _convolution(conv, norm)
