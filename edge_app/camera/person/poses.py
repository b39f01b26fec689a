"""Key poses in words: the pieces that the programs of `gestures` and `moves` are written with."""

from __future__ import annotations

import numpy as np

from edge_app.camera.person.kinematics import Body, facing, reach
from edge_app.camera.person.motion import Pose

FRONT, IN, UP, DOWN, BACK = (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)


def right(**channels: float) -> dict[str, float]:
    return {f"r_{name}": value for name, value in channels.items()}


def other(pose: Pose) -> dict[str, float]:
    """The same for the left side."""
    return {"l_" + name[2:] if name.startswith("r_") else name: value for name, value in pose.items()}


def both(pose: Pose) -> dict[str, float]:
    return {**pose, **other(pose)}


def spot(body: Body, x: float, y: float, front: float) -> np.ndarray:
    """A point before the chest, in metres of an average body, from the neck: right, up, forward."""
    return body.scale * np.array([x, y, -front])


def hand(
    body: Body, point: np.ndarray, palm: tuple[float, float, float] = IN, out: float = 30, **more: float
) -> dict[str, float]:
    """The right wrist at a point of the chest's frame, the palm towards a direction."""
    return {**facing(reach(body, point, out), palm), **right(**{"wrist": 0.0, **more})}


def arm(
    lift: float, plane: float, turn: float = 0, elbow: float = 10, palm: tuple[float, float, float] = IN, **more: float
) -> dict[str, float]:
    return {**facing(right(lift=lift, plane=plane, turn=turn, elbow=elbow), palm), **right(**{"wrist": 0.0, **more})}


def legs(thigh: float, knee: float, apart: float = 4.0, toe: float = 10.0) -> dict[str, float]:
    """Both legs bent over feet that stay as far apart as straight legs spread by `apart` would put them."""
    shin = knee - thigh
    ahead = 0.515 * np.sin(np.radians(thigh)) - 0.485 * np.sin(np.radians(shin))
    below = 0.515 * np.cos(np.radians(thigh)) + 0.485 * np.cos(np.radians(shin))
    out = np.degrees(np.arcsin((np.sin(np.radians(apart)) - ahead * np.sin(np.radians(toe))) / below))
    return both(right(thigh=thigh, knee=knee, out=float(out), toe=toe))


def crouch(knee: float, lean: float = 0.42, apart: float = 4.0, toe: float = 10.0) -> dict[str, float]:
    """Both knees bent over planted feet, the pelvis going back and the trunk forward to stay in balance."""
    return {**legs(knee - min(0.4 * knee, 30.0), knee, apart, toe), "bend": 3 + lean * knee}


def guard(b: Body) -> dict[str, float]:
    ready = both(hand(b, spot(b, 0.13, 0.0, 0.25), IN, 18, fist=1.0))
    return {**ready, **crouch(18), "twist": 0.0, "nod": 6.0}


STRAIGHT = both(right(thigh=0.0, knee=0.0, ankle=0.0))
HANG = both(right(lift=10.0, plane=60.0, turn=0.0, elbow=15.0, palm=10.0, wrist=0.0, fist=0.2))
SEAT: dict[str, float] = {
    **legs(88.0, 88.0, 5.0),
    "bend": 2.0,
    **both(right(lift=24.0, plane=15.0, turn=-8.0, elbow=60.0, palm=-60.0, wrist=0.0, fist=0.1)),
}
