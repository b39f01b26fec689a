"""The camera and the picture: 3-D joints in, a drawn person in a plain room and the true pixels out."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from edge_app.camera.person.kinematics import INDEX, Body, landmarks33, rotation

Colour = tuple[float, ...]
_CIRCLE = np.stack([np.cos(np.arange(18) * np.pi / 9), np.sin(np.arange(18) * np.pi / 9)], axis=1)
_SHADES = ((1.0, 0.0, 0.72), (0.8, 0.16, 0.88), (0.5, 0.3, 1.0))  # radius, offset towards the light, brightness
_SUBPIXEL = 4


class Stroke(NamedTuple):
    """The outline around balls: centres `[n, 3]` in the camera's frame, radii `[n]`, in metres."""

    centres: np.ndarray
    radii: np.ndarray
    colour: Colour
    shaded: bool


Part = tuple[float, list[Stroke]]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks at the person.

    distance, height: metres from the origin of the world and above the floor. yaw: degrees around the person, 0 in
    front, positive towards the person's right side. pitch: degrees downwards. roll: degrees clockwise.
    focal: focal length in heights of the picture. size: width and height in pixels.
    """

    distance: float = 3.6
    height: float = 1.15
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    focal: float = 1.33
    size: tuple[int, int] = (640, 480)

    def view(self, points: np.ndarray) -> np.ndarray:
        """World points `[..., 3]` in the camera's frame: x left in the picture, y up, z away, metres."""
        moved = points @ rotation("y", self.yaw).T + [0, -self.height, self.distance]
        return moved @ (rotation("z", -self.roll) @ rotation("x", self.pitch).T).T

    def pixels(self, seen: np.ndarray) -> np.ndarray:
        """Points of the camera's frame `[..., 3]` to pixels `[..., 2]`, x right, y down."""
        f = self.focal * self.size[1]
        z = np.maximum(seen[..., 2], 0.05)
        return np.stack([self.size[0] / 2 - f * seen[..., 0] / z, self.size[1] / 2 - f * seen[..., 1] / z], axis=-1)

    def landmarks(self, joints: np.ndarray) -> np.ndarray:
        """True pixels of MediaPipe's 33 landmarks, `[..., J, 3]` to `[..., 33, 2]`."""
        return landmarks33(self.pixels(self.view(joints)))


@dataclass(frozen=True, slots=True)
class Look:
    """Colours (blue, green, red; 0 to 255), sleeves and trousers, and how much stands in the room (0 to 1)."""

    skin: Colour = (138, 172, 224)
    hair: Colour = (32, 46, 66)
    shirt: Colour = (150, 84, 40)
    trousers: Colour = (74, 66, 62)
    shoes: Colour = (44, 40, 120)
    wall: Colour = (206, 214, 218)
    floor: Colour = (122, 150, 176)
    long_sleeves: bool = False
    shorts: bool = False
    clutter: float = 0.25
    seed: int = 0

    @classmethod
    def random(cls, seed: int) -> Look:
        r = np.random.default_rng([seed, 6])

        def paint(hue: tuple[float, float], strength: tuple[float, float], light: tuple[float, float]) -> Colour:
            red, green, blue = colorsys.hsv_to_rgb(r.uniform(*hue), r.uniform(*strength), r.uniform(*light))
            return 255 * blue, 255 * green, 255 * red

        return cls(
            paint((0.04, 0.085), (0.25, 0.55), (0.35, 0.95)), paint((0.02, 0.12), (0.1, 0.7), (0.08, 0.6)),
            paint((0, 1), (0.1, 0.9), (0.2, 0.95)), paint((0, 1), (0.0, 0.6), (0.15, 0.75)),
            paint((0, 1), (0.0, 0.8), (0.1, 0.9)), paint((0, 1), (0.0, 0.25), (0.45, 0.95)),
            paint((0.04, 0.12), (0.1, 0.5), (0.3, 0.8)), bool(r.random() < 0.4), bool(r.random() < 0.3),
            float(r.uniform(0, 1)), seed,
        )  # fmt: skip

    def cluttered(self, clutter: float) -> Look:
        return replace(self, clutter=clutter)


@dataclass(frozen=True, slots=True)
class Sensor:
    """light: 1 is bright, towards 0 dark. noise: standard deviation in grey levels. blur: pixels."""

    light: float = 1.0
    noise: float = 0.0
    blur: float = 0.0


class Painter:
    """Draws one person with one camera; the room is drawn once."""

    def __init__(
        self, camera: Camera | None = None, look: Look | None = None, body: Body | None = None,
        sensor: Sensor | None = None,
    ) -> None:  # fmt: skip
        self.camera, self.look = camera or Camera(), look or Look()
        self.body, self.sensor = body or Body(), sensor or Sensor()
        self._room = _room(self.camera, self.look)
        self._rng = np.random.default_rng([self.look.seed, 7])
        width, height = self.camera.size
        grain = self._rng.normal(0, self.sensor.noise, (height + 64, width + 64, 3)) if self.sensor.noise else None
        self._grain = None if grain is None else np.clip(grain, -127, 127).astype(np.int16)

    def draw(self, joints: np.ndarray, seat: np.ndarray | None = None) -> np.ndarray:
        """One picture, uint8 `[height, width, 3]`, BGR.

        joints: `[J, 3]` in metres, as `kinematics.JOINTS`. seat: `[3]`, the middle of a stool's top, if there is one.
        """
        image = self._room.copy()
        seen = self.camera.view(joints)
        self._shadow(image, joints)
        parts = self._figure(seen)
        if seat is not None:
            parts += self._stool(seat)
        focal = self.camera.focal * self.camera.size[1]
        for _, strokes in sorted(parts, key=lambda part: -part[0]):
            for stroke in strokes:
                self._stroke(image, stroke, focal)
        return self._expose(image)

    def _stroke(self, image: np.ndarray, stroke: Stroke, focal: float) -> None:
        centres, radii, colour, shaded = stroke
        if centres[:, 2].min() < 0.15:
            return
        pixels = self.camera.pixels(centres)
        size = np.maximum(radii * focal / centres[:, 2], 0.6)
        for shrink, offset, bright in _SHADES if shaded else ((1.0, 0.0, 1.0),):
            middle = pixels - (offset * size)[:, None] * [0.75, 0.65]
            outline = (middle[:, None] + (shrink * size)[:, None, None] * _CIRCLE).reshape(-1, 2)
            _fill(image, outline, tuple(bright * c for c in colour))

    def _shadow(self, image: np.ndarray, joints: np.ndarray) -> None:
        low = joints[joints[:, 1] < 0.35] * [1, 0, 1]
        disc = 0.09 * np.stack([_CIRCLE[:, 0], 0 * _CIRCLE[:, 0], _CIRCLE[:, 1]], axis=1)
        for grow, dark in ((1.5, 0.86), (1.0, 0.7)):
            if len(low):
                edge = self.camera.view((low[:, None] + grow * disc).reshape(-1, 3))
                if edge[:, 2].min() > 0.15:
                    _fill(image, self.camera.pixels(edge), tuple(dark * c for c in self.look.floor))

    def _figure(self, seen: np.ndarray) -> list[Part]:
        """Parts of the body as (depth, strokes), in any order."""
        look, girth, s = self.look, self.body.build * self.body.scale, self.body.scale
        p = {name: seen[i] for name, i in INDEX.items()}
        across = p["r_shoulder"] - p["l_shoulder"]
        across /= np.linalg.norm(across)
        beside = p["r_hip"] - p["l_hip"]
        beside /= np.linalg.norm(beside)
        middle = 0.5 * (p["r_shoulder"] + p["l_shoulder"])
        shoulders = [middle + 0.93 * (p[f"{side}_shoulder"] - middle) for side in "rl"]
        waist = [p["spine"] + sign * 0.085 * girth * across for sign in (1, -1)]
        up = (p["spine"] - p["pelvis"]) / np.linalg.norm(p["spine"] - p["pelvis"])
        hem = [p["pelvis"] + 0.03 * s * up + sign * 0.085 * girth * beside for sign in (1, -1)]
        rise = (p["neck"] - p["spine"]) / np.linalg.norm(p["neck"] - p["spine"])
        throat = p["neck"] + 0.055 * s * rise

        def stroke(points: list[np.ndarray], radii: list[float], colour: Colour, shaded: bool = True) -> Stroke:
            return Stroke(np.array(points), np.array(radii, float), colour, shaded)

        pelvis = [
            stroke(
                [p["r_hip"], p["l_hip"], p["pelvis"] + 0.06 * s * up],
                [0.088 * girth] * 2 + [0.1 * girth],
                look.trousers,
            )
        ]
        trunk = [
            stroke([throat - 0.02 * rise, 0.5 * throat + 0.5 * p["skull"]], [0.056 * girth, 0.052 * s], look.skin),
            stroke(
                [*shoulders, *waist, *hem, throat - 0.035 * s * rise],
                [0.066 * girth] * 2 + [0.09 * girth] * 2 + [0.094 * girth] * 2 + [0.06 * girth],
                look.shirt,
            ),
        ]
        chest_front = np.cross(rise, across)
        if chest_front @ -p["neck"] > 0:
            trunk.append(
                stroke([p["neck"] + 0.02 * s * rise, throat - 0.01 * rise], [0.045 * s, 0.05 * s], look.skin, False)
            )
        centre = float(0.5 * (p["pelvis"] + p["neck"])[2])
        parts = [
            (float(p["pelvis"][2]) + 0.06, pelvis),
            (centre - 0.04, trunk),
            (float(p["skull"][2]) - 0.06, self._head(p, stroke)),
        ]
        sleeve = look.shirt if look.long_sleeves else look.skin
        leg = look.skin if look.shorts else look.trousers
        for side in "rl":
            q = {name[2:]: point for name, point in p.items() if name.startswith(f"{side}_")}
            upper = [stroke([q["shoulder"], q["elbow"]], [0.056 * girth, 0.042 * girth], look.shirt)]
            lower = [stroke([q["elbow"], q["wrist"]], [0.04 * girth, 0.028 * girth], sleeve)]
            thigh = [stroke([q["hip"], q["knee"]], [0.088 * girth, 0.058 * girth], look.trousers)]
            shin = [stroke([q["knee"], 0.6 * q["knee"] + 0.4 * q["ankle"], q["ankle"]],
                           [0.055 * girth, 0.057 * girth, 0.037 * girth], leg)]  # fmt: skip
            sole = q["heel"] + 0.3 * (q["ankle"] - q["heel"])
            ball, tip = (q["toe"] + share * (sole - q["toe"]) for share in (0.35, 0.12))
            shoe = [
                stroke([q["heel"], q["toe"]], [0.012 * s] * 2, tuple(0.5 * c for c in look.shoes), False),
                stroke([q["ankle"], sole, ball, tip], [0.042 * s, 0.036 * s, 0.036 * s, 0.022 * s], look.shoes),
            ]
            # The surface of a limb is nearer than its bone; hands and feet lie on top of what they touch. A thigh comes
            # before the shirt only where it is swung forward, however the person is turned.
            parts += [
                (float((0.5 * (q["shoulder"] + q["elbow"]))[2] - 0.07), upper),
                (float((0.5 * (q["elbow"] + q["wrist"]))[2] - 0.08), lower),
                (float(q["index"][2] - 0.09), self._hand(q, stroke)),
                (
                    float(p["pelvis"][2] + 0.3 * (q["hip"] - p["pelvis"])[2] + 0.5 * (q["knee"] - q["hip"])[2] + 0.02),
                    thigh,
                ),
                (float((0.5 * (q["knee"] + q["ankle"]))[2] - 0.02), shin),
                (float(q["ankle"][2] - 0.03), shoe),
            ]
        return parts

    def _hand(self, q: dict[str, np.ndarray], stroke: Callable[..., Stroke]) -> list[Stroke]:
        s, skin = self.body.scale, self.look.skin
        reach = q["finger"] - 0.5 * (q["index"] + q["pinky"])
        spread = q["index"] - q["pinky"]
        strokes = [
            stroke([q["wrist"], q["thumb"]], [0.02 * s, 0.013 * s], skin),
            stroke([q["wrist"], q["index"], q["pinky"]], [0.026 * s, 0.019 * s, 0.017 * s], skin),
        ]
        for share, length in ((0.0, 0.78), (0.33, 0.95), (0.67, 1.0), (1.0, 0.9)):
            knuckle = q["pinky"] + share * spread
            strokes.append(
                stroke(
                    [knuckle, knuckle + length * reach + (share - 0.5) * 0.4 * spread], [0.0125 * s, 0.009 * s], skin
                )
            )
        return strokes

    def _head(self, p: dict[str, np.ndarray], stroke: Callable[..., Stroke]) -> list[Stroke]:
        look, unit = self.look, 0.108 * self.body.scale * self.body.head
        up = (p["crown"] - p["skull"]) / np.linalg.norm(p["crown"] - p["skull"])
        right = (p["r_ear"] - p["l_ear"]) / np.linalg.norm(p["r_ear"] - p["l_ear"])
        front = np.cross(up, right)
        frame = np.stack([right, up, front], axis=1)
        to_camera = -p["skull"] / np.linalg.norm(p["skull"])
        facing = frame.T @ to_camera  # the camera's direction as the head sees it

        def at(*points: tuple[float, float, float]) -> list[np.ndarray]:
            return [p["skull"] + unit * frame @ np.array(point) for point in points]

        def ball(
            points: list[tuple[float, float, float]], radii: list[float], colour: Colour, shaded: bool = False
        ) -> Stroke:
            return stroke(at(*points), [unit * r for r in radii], colour, shaded)

        dark, red, lip = (tuple(k * c for c in look.skin) for k in (0.62, 0.8, 0.7))
        lip = (lip[0], 0.82 * lip[1], 1.25 * lip[2])
        hair = ball([(0, 0.28, -0.16)], [0.8], look.hair)
        face = ball([(0, 0.3, 0.12), (0, -0.08, 0.2), (0, -0.6, 0.34)], [0.76, 0.76, 0.44], look.skin, True)
        strokes = [hair, face] if facing[2] > -0.3 else [face, hair]
        for sign in (1, -1):
            ear = ball([(0.8 * sign, 0.0, -0.05), (0.78 * sign, -0.22, 0.0)], [0.17, 0.11], red)
            strokes.insert(len(strokes) if sign * facing[0] > 0.1 else 0, ear)
        for patch in _HAIR:
            shown = patch[patch @ facing > 0.0]
            if len(shown):
                strokes.append(ball(list(0.84 * shown + [0, 0.28, -0.04]), [0.07] * len(shown), look.hair))
        if sum(1 for sign in (1, -1) if sign * facing[0] > 0.35):
            sign = 1 if facing[0] > 0 else -1
            strokes.append(ball([(0.8 * sign, 0.0, -0.05), (0.78 * sign, -0.22, 0.0)], [0.17, 0.11], red))
        if facing[2] < -0.2:
            return strokes
        for sign in (1, -1):
            if np.array([0.42 * sign, 0.05, 0.9]) @ facing < 0.12:
                continue
            strokes += [
                ball([(0.2 * sign, 0.1, 0.93), (0.46 * sign, 0.1, 0.82)], [0.075, 0.06], (236, 240, 242)),
                ball([(0.33 * sign, 0.1, 0.93)], [0.085], (52, 60, 74)),
                ball([(0.33 * sign, 0.1, 0.95)], [0.045], (14, 14, 16)),
                ball([(0.15 * sign, 0.19, 0.92), (0.5 * sign, 0.19, 0.78)], [0.018, 0.018], dark),
                ball(
                    [(0.15 * sign, 0.37, 0.92), (0.34 * sign, 0.41, 0.9), (0.53 * sign, 0.35, 0.74)],
                    [0.035, 0.04, 0.022],
                    look.hair,
                ),
            ]
        strokes += [
            ball([(0, 0.12, 0.96), (-0.1, -0.18, 1.0), (0.12, -0.18, 1.0)], [0.04, 0.08, 0.08], red),
            ball([(0, 0.12, 0.99), (0, -0.13, 1.12)], [0.04, 0.08], look.skin),
            ball([(-0.2, -0.6, 0.88), (0, -0.58, 0.95), (0.2, -0.6, 0.88)], [0.025, 0.05, 0.025], lip),
            ball([(-0.22, -0.57, 0.88), (0, -0.6, 0.95), (0.22, -0.57, 0.88)], [0.012] * 3, dark),
        ]
        return strokes

    def _stool(self, seat: np.ndarray) -> list[Part]:
        wood: Colour = (70, 104, 140)
        strokes = []
        corners = [np.array([x, 0.0, z]) for z in (0.15, -0.15) for x in (-0.17, 0.17)]
        for corner in corners:
            top = seat + corner * [0.9, 1, 0.9] - [0, 0.03, 0]
            leg = self.camera.view(np.array([top, [seat[0] + corner[0], 0.01, seat[2] + corner[2]]]))
            strokes.append(Stroke(leg, np.array([0.017, 0.015]), tuple(0.8 * c for c in wood), True))
        top = self.camera.view(seat + np.array(corners) - [0, 0.025, 0])
        strokes.append(Stroke(top, np.full(4, 0.025), wood, True))
        return [(float(top[:, 2].mean()) + 0.06, strokes)]

    def _expose(self, image: np.ndarray) -> np.ndarray:
        sensor = self.sensor
        if sensor.blur > 0:
            image = cv2.GaussianBlur(image, (0, 0), sensor.blur)
        if sensor.light != 1.0:
            image = cv2.convertScaleAbs(image, alpha=sensor.light)
        if self._grain is not None:
            y, x = self._rng.integers(0, 64, 2)
            height, width = image.shape[:2]
            image = cv2.add(image, self._grain[y : y + height, x : x + width], dtype=cv2.CV_8U)
        return image


def _sphere(around: range, up: range) -> np.ndarray:
    """Unit vectors (right, up, front) at degrees around from the front and degrees up, `[n, 3]`."""
    a, u = (np.radians(grid.ravel()) for grid in np.meshgrid(np.array(around), np.array(up)))
    return np.stack([np.cos(u) * np.sin(a), np.sin(u), np.cos(u) * np.cos(a)], axis=1)


_HAIR = (
    _sphere(range(0, 360, 20), range(36, 91, 12)),
    _sphere(range(105, 181, 15), range(-45, 60, 15)),
    _sphere(range(180, 256, 15), range(-45, 60, 15)),
)


def _fill(image: np.ndarray, outline: np.ndarray, colour: Colour) -> None:
    """Fill the convex hull of points `[n, 2]` in pixels, with smooth edges."""
    points = np.clip(outline, -4000, 8000).astype(np.float32)
    hull = cv2.convexHull(points)
    fixed = np.round(hull * 2**_SUBPIXEL).astype(np.int32)
    cv2.fillConvexPoly(image, fixed, colour, cv2.LINE_AA, _SUBPIXEL)


def _room(camera: Camera, look: Look) -> np.ndarray:
    """The empty room: a wall 1.7 m behind the person, square to the camera, a floor of boards, and what hangs there."""
    width, height = camera.size
    r = np.random.default_rng([look.seed, 8])
    wall = 1.7
    front = Camera(camera.distance, camera.height, 0.0, camera.pitch, camera.roll, camera.focal, camera.size)

    def quad(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], colour: Colour) -> None:
        corners = np.array([[x[i], y[j], z[j]] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
        _fill(image, front.pixels(front.view(corners)), colour)

    shade = np.linspace(1.0, 0.88, height)[:, None, None] * np.linspace(1.02, 0.95, width)[None, :, None]
    image = np.clip(shade * np.array(look.wall), 0, 255).astype(np.uint8)
    near = 0.3 - camera.distance
    quad((-9, 9), (0, 0), (near, wall), look.floor)
    for k in range(-16, 17):
        line = front.pixels(front.view(np.array([[0.3 * k, 0, near], [0.3 * k, 0, wall]])))
        a, b = (tuple(int(v) for v in np.clip(np.round(16 * p), -(2**24), 2**24)) for p in line)
        cv2.line(image, a, b, tuple(0.9 * c for c in look.floor), 1, cv2.LINE_AA, 4)
    quad((-9, 9), (0, 0.09), (wall, wall), tuple(min(255.0, 1.12 * c) for c in look.wall))
    quad((-9, 9), (0, 0.012), (wall, wall), tuple(0.6 * c for c in look.floor))
    things = round(8 * look.clutter)
    for k in range(things):
        side = 1 if k % 2 == 0 else -1
        x, w, h = side * r.uniform(0.75, 2.4), r.uniform(0.25, 0.7), r.uniform(0.25, 0.8)
        base = r.uniform(1.1, 1.6) if r.random() < 0.6 else 0.0
        hue = tuple(float(v) for v in r.uniform(40, 215, 3))
        quad((x - w / 2, x + w / 2), (base, base + h), (wall, wall), tuple(0.55 * c for c in hue))
        quad((x - w / 2 + 0.03, x + w / 2 - 0.03), (base + 0.03, base + h - 0.03), (wall, wall), hue)
    return image
