"""Body proportions and forward kinematics: joint angles in, 3-D joints standing on the floor out.

Frame: metres, right-handed, y up, the floor at y = 0. With `yaw` 0 the person faces -z, which is towards the camera;
+x is then the person's right.

Angles are degrees. Arms are relative to the chest, legs to the root, so that thighs and trunk do not disturb each
other: `thigh` is how far the thigh is swung forward from hanging, `bend` how far the trunk leans forward. `toe` turns
the plane in which a leg bends outwards, foot and all. An arm is
`lift` (0 hangs, 90 level, 180 overhead) in a `plane` (0 forward, 90 sideways, negative across the body), then `turn`
(outward rotation of the upper arm), `elbow`, `palm` (forearm roll; 0 has a hanging palm face the thigh) and `wrist`.
Every left channel means the mirror image of the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_app.window.skeleton import CORE15

_CENTRE = ("yaw", "pitch", "roll", "air", "bend", "lean", "twist", "nod", "look", "tilt", "shift")
_ARM = ("lift", "plane", "turn", "elbow", "palm", "wrist", "fist", "shrug")
_LEG = ("thigh", "out", "toe", "knee", "ankle")
CHANNELS = _CENTRE + tuple(f"{side}_{name}" for side in "rl" for name in _ARM + _LEG)
"""What a motion sets. `air` is metres above the floor; `fist` is 0 open to 1 closed; the others are degrees.

yaw, pitch, roll turn the whole person (to the right, forward, to the right); bend, lean, twist the trunk; nod, look,
tilt the head; shift moves the pelvis sideways over planted feet.
"""
_LATERAL = ("yaw", "roll", "lean", "twist", "look", "tilt", "shift")

LIMITS = {
    "bend": (-35, 110), "lean": (-45, 45), "twist": (-60, 60), "nod": (-50, 60), "look": (-80, 80), "tilt": (-40, 40),
    "lift": (-60, 185), "plane": (-180, 180), "turn": (-130, 130), "elbow": (0, 155), "palm": (-130, 130),
    "wrist": (-80, 80), "fist": (0, 1), "shrug": (-20, 40),
    "thigh": (-40, 130), "out": (-35, 90), "toe": (-45, 60), "knee": (0, 150), "ankle": (-40, 60),
}  # fmt: skip
"""(lowest, highest) of each angle; a side prefix is left out."""

_SIDED = ("eye", "ear", "lip", "shoulder", "elbow", "wrist", "index", "pinky", "thumb", "finger",
          "hip", "knee", "ankle", "heel", "toe")  # fmt: skip
JOINTS = ("pelvis", "spine", "neck", "skull", "crown", "nose", *(f"{s}_{name}" for s in "rl" for name in _SIDED))
INDEX = {name: i for i, name in enumerate(JOINTS)}

BONES = (
    ("pelvis", "spine"), ("spine", "neck"), ("skull", "crown"), ("skull", "nose"),
    *((f"{s}_{a}", f"{s}_{b}") for s in "rl" for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "index"), ("wrist", "pinky"), ("wrist", "thumb"),
        ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "toe"))),
    *((a, f"{s}_{b}") for s in "rl" for a, b in (("pelvis", "hip"), ("skull", "ear"), ("skull", "eye"))),
)  # fmt: skip
"""Pairs of joints whose distance never changes."""

LANDMARKS = tuple(
    [
        "nose",
        "l_eye",
        "l_eye",
        "l_eye",
        "r_eye",
        "r_eye",
        "r_eye",
        "l_ear",
        "r_ear",
        "l_lip",
        "r_lip",
        "l_shoulder",
        "r_shoulder",
        "l_elbow",
        "r_elbow",
        "l_wrist",
        "r_wrist",
        "l_pinky",
        "r_pinky",
        "l_index",
        "r_index",
        "l_thumb",
        "r_thumb",
        "l_hip",
        "r_hip",
        "l_knee",
        "r_knee",
        "l_ankle",
        "r_ankle",
        "l_heel",
        "r_heel",
        "l_toe",
        "r_toe",
    ]
)
"""The joint at each of MediaPipe's 33 landmarks; the corners of an eye are taken as its middle."""
_LANDMARK_ROWS = np.array([INDEX[name] for name in LANDMARKS])

# Points that may touch the floor, and how much flesh is below them in metres.
_CONTACTS = {
    "heel": 0.0, "toe": 0.0, "knee": 0.06, "hip": 0.10, "index": 0.02, "wrist": 0.03, "elbow": 0.045, "shoulder": 0.08,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Body:
    """A person's proportions. `height` in metres; the others are factors around 1; `build` is the girth."""

    height: float = 1.72
    legs: float = 1.0
    arms: float = 1.0
    shoulders: float = 1.0
    head: float = 1.0
    build: float = 1.0

    @classmethod
    def random(cls, seed: int) -> Body:
        """A plausible adult or tall child; the same seed gives the same body."""
        r = np.random.default_rng([seed, 1])
        legs, arms, shoulders, head = (float(r.uniform(*span)) for span in ((0.95, 1.05),) * 2 + ((0.9, 1.1),) * 2)
        return cls(float(np.clip(r.normal(1.70, 0.11), 1.4, 2.0)), legs, arms, shoulders, head,
                   float(r.uniform(0.88, 1.18)))  # fmt: skip

    @property
    def scale(self) -> float:
        return self.height / 1.72

    @property
    def upper_arm(self) -> float:
        return 0.285 * self.scale * self.arms

    @property
    def forearm(self) -> float:
        return 0.25 * self.scale * self.arms

    @property
    def thigh(self) -> float:
        return 0.425 * self.scale * self.legs

    @property
    def shin(self) -> float:
        return 0.4 * self.scale * self.legs

    @property
    def sole(self) -> float:
        """Height of the ankle above the sole."""
        return 0.093 * self.scale

    @property
    def shoulder(self) -> float:
        """Half the distance between the shoulder joints."""
        return 0.178 * self.scale * self.shoulders

    @property
    def hip(self) -> float:
        """Half the distance between the hip joints."""
        return 0.105 * self.scale

    @property
    def spine(self) -> tuple[float, float]:
        """Pelvis to the middle of the spine, and on to the line of the shoulders."""
        return 0.22 * self.scale, 0.28 * self.scale

    def head_point(self, right: float, up: float, front: float) -> np.ndarray:
        """A point of the upright head in the frame of the neck, in units of the head's radius (0.108 m), `[3]`."""
        return 0.108 * self.scale * np.array([right, up, -front]) * self.head + [0, 0.205 * self.scale, 0]


def mirror_channels(values: np.ndarray) -> np.ndarray:
    """Swap left and right of channels `[T, C]`."""
    half = (len(CHANNELS) - len(_CENTRE)) // 2
    centre = values[:, : len(_CENTRE)] * [-1.0 if name in _LATERAL else 1.0 for name in _CENTRE]
    sides = values[:, len(_CENTRE) :]
    return np.concatenate([centre, sides[:, half:], sides[:, :half]], axis=1)


def mirror_pose(pose: Mapping[str, float]) -> dict[str, float]:
    """Swap left and right of some channels, by name."""
    swap = {"r_": "l_", "l_": "r_"}
    return {swap.get(n[:2], n[:2]) + n[2:]: -v if n in _LATERAL else v for n, v in pose.items()}


def clip_channels(values: np.ndarray) -> np.ndarray:
    """Hold channels `[T, C]` within `LIMITS`."""
    spans = [LIMITS.get(name.removeprefix("r_").removeprefix("l_"), (-np.inf, np.inf)) for name in CHANNELS]
    low, high = np.array(spans, float).T
    return np.clip(values, low, high)


def rotation(axis: str, degrees: np.ndarray | float) -> np.ndarray:
    """Right-handed rotation about a coordinate axis, `[..., 3, 3]`."""
    angle = np.radians(np.asarray(degrees, float))
    c, s = np.cos(angle), np.sin(angle)
    out = np.zeros((*angle.shape, 3, 3))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    k = 3 - i - j
    out[..., i, i], out[..., j, j], out[..., k, k] = c, c, 1.0
    out[..., i, j], out[..., j, i] = -s, s
    return out


def arm_rotations(
    lift: np.ndarray | float, plane: np.ndarray | float, turn: np.ndarray | float, elbow: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of the right upper arm and forearm in the frame of the chest; both bones point along -y of theirs."""
    swing = rotation("y", -np.asarray(plane)) @ rotation("x", lift) @ rotation("y", plane)
    upper = swing @ rotation("y", -np.asarray(turn))
    return upper, upper @ rotation("x", elbow)


def reach(body: Body, point: np.ndarray, elbow_out: float = 30.0) -> dict[str, float]:
    """Angles that bring the right wrist to a point: two-bone inverse kinematics.

    point: `[3]`, metres, in the frame of the chest with its origin at the neck.
    elbow_out: where the elbow goes around the line from shoulder to wrist: 0 down, 90 outward.
    A point out of reach is approached as near as the arm allows.
    """
    wrist = np.asarray(point, float) - [body.shoulder, 0, 0]
    upper, fore = body.upper_arm, body.forearm
    distance = np.clip(np.linalg.norm(wrist), abs(upper - fore) + 0.03, (upper + fore) * 0.995)
    axis = wrist / max(float(np.linalg.norm(wrist)), 1e-9)
    cosine = (upper**2 + distance**2 - fore**2) / (2 * upper * distance)
    down = np.array([0.0, -1.0, 0.35])
    down -= axis * (down @ axis)
    down /= np.linalg.norm(down)
    out = np.cross(axis, down)
    out *= 1 if out[0] > 0 else -1
    swivel = np.radians(elbow_out)
    aside = np.cos(swivel) * down + np.sin(swivel) * out
    elbow = upper * (cosine * axis + np.sqrt(1 - cosine**2) * aside)
    lift = np.degrees(np.arccos(np.clip(-elbow[1] / upper, -1, 1)))
    plane = np.degrees(np.arctan2(elbow[0], -elbow[2]))
    swing, _ = arm_rotations(lift, plane, 0.0, 0.0)
    forearm = swing.T @ (axis * distance - elbow)
    bend = 180 - np.degrees(np.arccos(np.clip((upper**2 + fore**2 - distance**2) / (2 * upper * fore), -1, 1)))
    return {
        "r_lift": float(lift),
        "r_plane": float(plane),
        "r_turn": float(np.degrees(np.arctan2(forearm[0], -forearm[2]))),
        "r_elbow": float(bend),
    }


def facing(arm: dict[str, float], direction: tuple[float, float, float]) -> dict[str, float]:
    """The same right arm with its palm rolled towards a direction of the chest's frame."""
    _, fore = arm_rotations(arm["r_lift"], arm["r_plane"], arm["r_turn"], arm["r_elbow"])
    local = fore.T @ np.asarray(direction, float)
    roll = float(np.degrees(np.arctan2(local[2], -local[0])))
    low, high = LIMITS["palm"]
    return {**arm, "r_palm": min(max(roll, low), high)}


def forward(channels: np.ndarray, body: Body) -> np.ndarray:
    """Joints of a motion, the lowest part of the body on the floor and supporting feet in their place.

    channels: float `[T, C]` in the order of `CHANNELS`.
    Returns float64 `[T, J, 3]` in the order of `JOINTS`; the motion happens around the origin.
    """
    c = dict(zip(CHANNELS, channels.T, strict=True))
    root = rotation("y", -c["yaw"]) @ rotation("z", -c["roll"]) @ rotation("x", -c["pitch"])
    points: dict[str, np.ndarray] = {"pelvis": np.zeros((len(channels), 3))}

    def trunk(share: float) -> np.ndarray:
        bent = rotation("x", -share * c["bend"]) @ rotation("z", -share * c["lean"])
        return root @ bent @ rotation("y", -share * c["twist"])

    chest = trunk(1.0)
    points["spine"] = trunk(0.7) @ [0, body.spine[0], 0]
    points["neck"] = points["spine"] + chest @ [0, body.spine[1], 0]
    # A bent trunk carries the head along; the eyes keep a little of the level.
    level = rotation("x", 0.25 * c["bend"])
    head = chest @ level @ rotation("y", -c["look"]) @ rotation("z", -c["tilt"]) @ rotation("x", -c["nod"])
    base = points["neck"] + chest @ [0, 0.06 * body.scale, 0]
    # The skull turns about the top of the neck. Units: the head's radius.
    pivot = base + chest @ level @ [0, 0.05 * body.scale, 0]

    def on_head(right: float, up: float, front: float) -> np.ndarray:
        return pivot + head @ (0.108 * body.scale * body.head * np.array([right, up, -front]))

    face = {"skull": (0, 0.95, 0.1), "crown": (0, 2.0, 0.05), "nose": (0, 0.82, 1.16)}
    points |= {name: on_head(*at) for name, at in face.items()}
    for side, sign in (("r", 1.0), ("l", -1.0)):
        flip = np.array([sign, 1.0, 1.0])
        a = {name: c[f"{side}_{name}"] for name in _ARM + _LEG}
        sided = {"eye": (0.34, 1.05, 0.98), "ear": (0.84, 0.85, -0.05), "lip": (0.24, 0.34, 0.95)}
        points |= {f"{side}_{name}": on_head(sign * x, y, z) for name, (x, y, z) in sided.items()}
        points |= {f"{side}_{name}": p for name, p in _arm(a, points["neck"], chest, flip, body).items()}
        hip = root @ [sign * body.hip, 0, 0]
        a["out"] = a["out"] - sign * c["shift"]
        points |= {f"{side}_{name}": p for name, p in _leg(a, hip, root, flip, body).items()}
    joints = np.stack([points[name] for name in JOINTS], axis=1)
    return joints + _placing(joints, c["air"], body)[:, None]


def core15(joints: np.ndarray) -> np.ndarray:
    """The joints of a motion `[T, J, 3]` in the layout core15, float32 `[T, 15, 3]`."""
    return np.einsum("jl,tlx->tjx", CORE15.from_mediapipe, joints[:, _LANDMARK_ROWS]).astype(np.float32)


def landmarks33(joints: np.ndarray) -> np.ndarray:
    """Rows `[..., J, n]` in `JOINTS` order to rows `[..., 33, n]` in MediaPipe's order."""
    return joints[..., _LANDMARK_ROWS, :]


def _arm(
    a: dict[str, np.ndarray], neck: np.ndarray, chest: np.ndarray, flip: np.ndarray, body: Body
) -> dict[str, np.ndarray]:
    # A raised arm takes the shoulder up with it, from 60 degrees on.
    shrug = a["shrug"] + 0.22 * np.clip(a["lift"] - 60, 0, None)
    shoulder = neck + _local(chest, rotation("z", shrug) @ [body.shoulder, 0, 0], flip)
    upper, fore = arm_rotations(a["lift"], a["plane"], a["turn"], a["elbow"])
    hand = fore @ rotation("y", a["palm"]) @ rotation("z", -a["wrist"])
    elbow = shoulder + _local(chest, upper @ [0, -body.upper_arm, 0], flip)
    wrist = elbow + _local(chest, fore @ [0, -body.forearm, 0], flip)
    s = body.scale
    index = wrist + _local(chest, hand @ [0, -0.085 * s, -0.028 * s], flip)
    pinky = wrist + _local(chest, hand @ [0, -0.075 * s, 0.036 * s], flip)
    thumb = wrist + _local(chest, hand @ [-0.018 * s, -0.06 * s, -0.062 * s], flip)
    curl = hand @ rotation("z", -150.0 * a["fist"])
    finger = 0.5 * (index + pinky) + _local(chest, curl @ [0, -0.085 * s, 0], flip)
    return {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "index": index, "pinky": pinky, "thumb": thumb,
            "finger": finger}  # fmt: skip


def _leg(
    a: dict[str, np.ndarray], hip: np.ndarray, root: np.ndarray, flip: np.ndarray, body: Body
) -> dict[str, np.ndarray]:
    upper = rotation("z", a["out"]) @ rotation("y", -a["toe"]) @ rotation("x", a["thigh"])
    knee = hip + _local(root, upper @ [0, -body.thigh, 0], flip)
    ankle = knee + _local(root, upper @ rotation("x", -a["knee"]) @ [0, -body.shin, 0], flip)
    # The sole stays level as far as the ankle allows: 30 degrees up, 45 degrees down, 25 to the side.
    shin = a["thigh"] - a["knee"]
    pitch = shin + np.clip(-shin, -45, 30) - a["ankle"]
    foot = rotation("z", a["out"] - np.clip(a["out"], -25, 25)) @ rotation("y", -a["toe"]) @ rotation("x", pitch)
    s = body.scale
    heel = ankle + _local(root, foot @ [0, -body.sole, 0.05 * s], flip)
    toe = ankle + _local(root, foot @ [0, -body.sole, -0.16 * s], flip)
    return {"hip": hip, "knee": knee, "ankle": ankle, "heel": heel, "toe": toe}


def _local(frame: np.ndarray, vectors: np.ndarray, flip: np.ndarray) -> np.ndarray:
    return (frame @ (vectors * flip)[..., None])[..., 0]


def _placing(joints: np.ndarray, air: np.ndarray, body: Body) -> np.ndarray:
    """Offsets `[T, 3]`: down to the floor, and back against whatever the touching points would slide."""
    rows = np.array([INDEX[f"{side}_{name}"] for side in "rl" for name in _CONTACTS] + [INDEX["skull"]])
    flesh = np.array([*_CONTACTS.values()] * 2 + [0.1 * body.head]) * body.scale
    touching = joints[:, rows]
    clearance = touching[..., 1] - flesh
    lowest = clearance.min(axis=1, keepdims=True)
    weight = np.exp(-(clearance - lowest) / 0.012)
    weight = 0.5 * (weight[1:] + weight[:-1])
    slide = (weight[..., None] * np.diff(touching, axis=0)).sum(axis=1) / weight.sum(axis=1)[:, None]
    slide *= np.exp(-np.maximum(air[1:], air[:-1]) / 0.02)[:, None]
    offset = np.zeros((len(joints), 3))
    offset[1:] = -np.cumsum(slide, axis=0)
    offset[:, 1] = air - lowest[:, 0]
    middle = joints.mean(axis=1) + offset
    return offset - 0.5 * (middle.max(axis=0) + middle.min(axis=0)) * [1, 0, 1]
