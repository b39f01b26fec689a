"""`person://`: a drawn person who acts, so that everything runs with no camera and no footage."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

import numpy as np

from edge_app.camera.pace import Pace
from edge_app.camera.person.actions import ACTIONS, RETURN, Action
from edge_app.camera.person.draw import Camera, Look, Painter, Sensor
from edge_app.camera.person.kinematics import INDEX, Body, forward
from edge_app.camera.person.motion import Style, Timeline
from edge_app.errors import UsageError
from edge_app.types import Frame

VIEWS = {"full": (3.6, 1.15), "knees": (2.3, 1.25), "waist": (1.5, 1.32), "desk": (1.0, 1.42)}
"""Distance and height of the camera in metres; from "waist" on the legs are out of the picture."""

OPTIONS = {
    "fps": (30.0, 1, 120), "seconds": (4.0, 0.5, 120), "idle": (2.0, 0, 120), "loop": (-1.0, 0, 1),
    "distance": (0.0, 0.6, 12), "height": (0.0, 0.1, 4), "yaw": (0.0, -180, 180), "pitch": (0.0, -60, 60),
    "roll": (0.0, -45, 45), "focal": (1.33, 0.5, 5), "clutter": (-1.0, 0, 1),
    "light": (1.0, 0.02, 1.5), "noise": (0.0, 0, 60), "blur": (0.0, 0, 8),
    "seed": (0.0, 0, 2**31), "speed": (1.0, 0.4, 2.5), "amplitude": (1.0, 0.5, 1.4), "sway": (1.0, 0, 3),
}  # fmt: skip
"""Default, lowest and highest of each option that is a number; the view gives distance and height."""
_WORDS = {"view": tuple(VIEWS), "side": ("right", "left")}


@dataclass(frozen=True, slots=True)
class Segment:
    """What is acted from `t0_s` to `t1_s`, in seconds from the start of the script.

    beats: how often the action is repeated; 0 of one that is not repeated.
    """

    action: str
    t0_s: float
    t1_s: float
    beats: int = 0


class PersonSource:
    """`person://ACTION[,ACTION…][?option=value&…]`, for example `person://wave,sit%20down?yaw=30&view=desk`.

    Acts one action after the other, standing idle for `idle` seconds after each, and begins again. An action that ends
    on a stool or on the floor is followed by getting up, and "stand up" is preceded by sitting down; the script says
    so. In real time it goes on for ever; otherwise it plays once, unless `loop` says differently. A seed other than 0
    draws another person, in other clothes and with other manners. The same URI always gives the same pictures.

    script: what one round acts, in order and without gaps.
    joints: float64 `[N, J, 3]`, metres, the truth of every frame of one round, as `edge_app.camera.person.JOINTS`.

    Args:
        uri: the actions and the options: `OPTIONS`, `size=WxH`, `view=full|knees|waist|desk`, `side=right|left`.
        camera: the name that the frames carry.
        realtime: true paces the frames by the monotonic clock and skips what is late; false gives every frame, with
            stamps from 0.

    Raises:
        UsageError: an unknown action or option, or a value that is not allowed.
    """

    def __init__(self, uri: str, *, camera: str = "cam", realtime: bool = True) -> None:
        names, _, query = uri.removeprefix("person://").partition("?")
        actions = [_action(uri, name) for name in names.split(",")]
        numbers, words, size = _options(uri, query)
        self.uri, self.live, self.fps = uri, realtime, numbers["fps"]
        self._name, self._pace = camera, Pace(realtime)
        self._loop = realtime if numbers["loop"] < 0 else numbers["loop"] >= 0.5
        seed = int(numbers["seed"])
        distance, height = VIEWS[words["view"]]
        self.camera = Camera(
            numbers["distance"] or distance, numbers["height"] or height, numbers["yaw"], numbers["pitch"],
            numbers["roll"], numbers["focal"], size,
        )  # fmt: skip
        body = Body.random(seed) if seed else Body()
        look = Look.random(seed) if seed else Look()
        if numbers["clutter"] >= 0:
            look = look.cluttered(numbers["clutter"])
        sensor = Sensor(numbers["light"], numbers["noise"], numbers["blur"])
        self._painter = Painter(self.camera, look, body, sensor)
        side = "left" if words["side"] == "left" else "right"
        style = Style(seed, numbers["speed"], numbers["amplitude"], side, numbers["sway"])  # type: ignore[arg-type]
        self.script, self.joints = _rehearse(actions, style, body, numbers["seconds"], numbers["idle"], self.fps)
        self._seats = [(s.t0_s, self._seat(s, body)) for s in self.script if s.action == "sit down"]
        self._next = 0
        self._start_ns: int | None = None

    def read(self) -> Frame | None:
        """The next picture; None at the end or when closed."""
        while not self._pace.stopped:
            index, self._next = self._next, self._next + 1
            if not self._loop and index >= len(self.joints):
                return None
            media_ns, period_ns = round(index * 1e9 / self.fps), round(1e9 / self.fps)
            if self._pace.late(media_ns, period_ns):
                continue
            round_s = index % len(self.joints) / self.fps
            seats = [seat for t0, seat in self._seats if t0 <= round_s] or [seat for _, seat in self._seats[:1]]
            image = self._painter.draw(self.joints[index % len(self.joints)], seats[-1] if seats else None)
            t_ns = self._pace.wait(media_ns)  # drawn before it is due: a camera has its picture at the stamp
            if self._start_ns is None:
                self._start_ns = t_ns - media_ns
            return None if self._pace.stopped else Frame(self._name, index, t_ns, image)
        return None

    def acting(self, t_ns: int) -> str:
        """The action at the stamp of a frame: a label of `ACTIONS`, "stand" between them, or "get up" after a fall."""
        seconds = (t_ns - (self._start_ns or 0)) / 1e9 % self.script[-1].t1_s
        return next(segment.action for segment in self.script if seconds < segment.t1_s)

    def landmarks(self, index: int) -> np.ndarray:
        """The true landmarks of a frame in MediaPipe's order, `[33, 2]` pixels."""
        return self.camera.landmarks(self.joints[index % len(self.joints)])

    def _seat(self, segment: Segment, body: Body) -> np.ndarray:
        last = self.joints[min(round(segment.t1_s * self.fps), len(self.joints)) - 1]
        hips = 0.5 * (last[INDEX["r_hip"]] + last[INDEX["l_hip"]])
        return hips - [0.0, 0.095 * body.build * body.scale, 0.0]

    def close(self) -> None:
        self._pace.stop()

    def __enter__(self) -> PersonSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _rehearse(
    actions: list[str], style: Style, body: Body, seconds: float, idle: float, fps: float
) -> tuple[list[Segment], np.ndarray]:
    """One round of the script, and its joints; the end runs into the beginning."""
    timeline = Timeline(style)
    script: list[Segment] = []

    def act(name: str, action: Action, length: float) -> None:
        began = timeline.t
        rng = np.random.default_rng([style.seed, 9, len(script)])
        beats = timeline.lay(action.program(style, body, rng), length, rng)
        script.append(Segment(name, began, timeline.t, beats))

    for name in actions:
        action = ACTIONS[name]
        if action.starts == "seat":
            act("sit down", ACTIONS["sit down"], 2.5)
        act(name, action, seconds)
        if action.ends != "stand":
            back = RETURN[action.ends]
            act("stand up" if action.ends == "seat" else "get up", back, 2.5)
        if idle:
            script.append(Segment("stand", timeline.t, timeline.t + idle))
            timeline.pause(idle)
    # Frames sit on whole periods, so that a round has no seam.
    count = max(2, round(timeline.t * fps))
    script[-1] = replace(script[-1], t1_s=count / fps)
    times = np.arange(count + 1) / fps
    joints = forward(timeline.channels(times, count / fps), body)
    # Wherever the person has got to, walk it off while moving anyway.
    away = (joints[-1] - joints[0]).mean(axis=0) * [1, 0, 1]
    moved = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(joints, axis=0), axis=2).mean(axis=1))])
    return script, (joints - (moved / max(moved[-1], 1e-9))[:, None, None] * away)[:-1]


def _action(uri: str, text: str) -> str:
    name = " ".join(re.split(r"[\s_+-]+", unquote(text).strip().lower()))
    if name not in ACTIONS:
        raise UsageError(f"{uri}: unknown action {name!r}; allowed: {', '.join(ACTIONS)}")
    return name


def _options(uri: str, query: str) -> tuple[dict[str, float], dict[str, str], tuple[int, int]]:
    numbers = {name: default for name, (default, _, _) in OPTIONS.items()}
    words = {"view": "full", "side": "right"}
    size = (640, 480)
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name == "size":
            match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", value)
            if match is None or not all(64 <= int(side) <= 4096 for side in match.groups()):
                raise UsageError(f"{uri}: size is {value!r}; allowed: WIDTHxHEIGHT, each from 64 to 4096")
            size = int(match[1]), int(match[2])
        elif name in words:
            if value not in _WORDS[name]:
                raise UsageError(f"{uri}: {name} is {value!r}; allowed: {', '.join(_WORDS[name])}")
            words[name] = value
        elif name in OPTIONS:
            _, low, high = OPTIONS[name]
            try:
                numbers[name] = float(value)
            except ValueError:
                numbers[name] = float("nan")
            if not low <= numbers[name] <= high:
                raise UsageError(f"{uri}: {name} is {value!r}; allowed: {low:g} to {high:g}")
        else:
            raise UsageError(f"{uri}: unknown option {name!r}; allowed: size, {', '.join([*words, *OPTIONS])}")
    return numbers, words, size
