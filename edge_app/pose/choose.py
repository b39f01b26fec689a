"""What finds the poses: MediaPipe, or its networks on a runtime of our own where that gives the same and is faster."""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_app.bundles.files import load_npz
from edge_app.errors import UsageError
from edge_app.pose.detector import Detector
from edge_app.pose.figure import draw_figure
from edge_app.pose.landmarker import PoseLandmarker
from edge_app.pose.landmarks import LandmarkNetwork
from edge_app.pose.mediapipe import PoseBackend, PoseEstimator
from edge_app.pose.multi_person import PeopleEstimator
from edge_app.pose.networks import NETWORKS, ensure_network
from edge_app.pose.people import PeopleLandmarker
from edge_app.runtime.choose import CLEARLY, one_line, why_chosen
from edge_app.runtime.session import PRECISIONS, open_session
from edge_app.types import Frame

log = logging.getLogger(__name__)

RUNTIMES = ("onnxruntime", "openvino", "tensorrt")
BACKENDS = ("auto", "mediapipe", *RUNTIMES)
MEDIAPIPE_IS_SLOWER = ("x86_64", "AMD64")
"""Processors on which MediaPipe never was the fastest: there "auto" does not load it, unless nothing else works."""
GOLDEN = Path(__file__).with_name("golden.npz")
"""What MediaPipe sees in the drawn figure. Written by `python -m export pose --golden`."""
MAX_PX, MAX_M, MAX_VISIBILITY = 0.5, 0.005, 0.02
"""By how much any landmark of the figure may be off: in pixels of 640, in metres, in visibility."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class PoseConfig:
    """backend: one of `BACKENDS`; "auto" is the fastest that passes its self-test on this machine."""

    backend: str = "auto"


class OnePerson(Protocol):
    """Makes a backend for one person; those of one choice share the networks."""

    def __call__(self, *, video: bool = True, confidence: float = 0.5) -> PoseBackend: ...


@dataclass(frozen=True, slots=True)
class ChosenPose:
    """provider: what really runs. why: one line on it, how fast it is, and what else was tried.

    one, several: make a backend for one person, and for so many.
    """

    provider: str
    why: str
    one: OnePerson
    several: Callable[[int], PoseBackend]

    def open(self, people: int) -> PoseBackend:
        """A backend that finds up to `people` people."""
        return self.one() if people == 1 else self.several(people)


@dataclass(slots=True)
class _Candidate:
    """ms: for one frame of the figure, the shortest time, which other work on the machine disturbs least."""

    provider: str
    one: OnePerson
    several: Callable[[int], PoseBackend]
    backend: PoseBackend
    ms: float = math.inf


def choose_pose(backend: str = "auto", waiting: Callable[[], None] = lambda: None) -> ChosenPose:
    """The backend of that name, or for "auto" the fastest of those here that see the drawn figure as MediaPipe does.

    waiting: called now and then; see `edge_app.runtime.engines.Waiting`.

    Raises:
        UsageError: unknown name; nothing can be used, with the reason for each.
    """
    if backend not in BACKENDS:
        raise UsageError(f"--pose {backend}: allowed are {', '.join(BACKENDS)}")
    names = [*RUNTIMES, "mediapipe"] if backend == "auto" else [backend]
    figure = Frame("self-test", 0, 0, draw_figure())
    passed: list[_Candidate] = []
    rejected: dict[str, str] = {}
    for name in names:
        if name == "mediapipe" and passed and platform.machine() in MEDIAPIPE_IS_SLOWER:
            continue
        try:
            passed.append(_open_and_test(name, figure, waiting))
        except Exception as error:  # every runtime has its own classes; the next one may do
            rejected[name] = one_line(error)
    if not passed:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in rejected.items())
        raise UsageError(f"--pose {backend}: cannot be used: {reasons}")
    for _ in range(ROUNDS):  # in turn, so that all have the same disturbance
        for candidate in passed:
            begun = time.perf_counter()
            candidate.backend.estimate(figure)
            candidate.ms = min(candidate.ms, (time.perf_counter() - begun) * 1e3)
    best = passed[0]
    for candidate in passed:
        if candidate.ms <= CLEARLY * best.ms:
            best = candidate
    for candidate in passed:
        candidate.backend.close()
    others = [(one.provider, one.ms) for one in passed if one is not best]
    why = why_chosen(f"pose {best.provider}: {best.ms:.1f} ms to find a figure", others, rejected)
    level = logging.WARNING if backend == "auto" and not set(RUNTIMES) - rejected.keys() else logging.DEBUG
    log.log(level, "%s", why, extra={"kind": "pose"})
    return ChosenPose(best.provider, why, best.one, best.several)


def pose_backend(people: int, backend: str = "auto") -> PoseBackend:
    """What finds so many people, by `choose_pose`.

    Raises:
        UsageError: as there.
    """
    return choose_pose(backend).open(people)


def self_test(backend: PoseBackend, figure: Frame) -> None:
    """Whether a backend sees the drawn figure as MediaPipe does.

    Raises:
        UsageError: nobody found, or a landmark that is off.
    """
    poses = backend.estimate(figure).poses
    if len(poses) != 1:
        raise UsageError(f"the self-test fails: {len(poses)} people found in the figure, 1 is there")
    golden = load_npz(GOLDEN)
    off = (
        float(np.linalg.norm(poses[0].image - golden["image"], axis=1).max()),
        float(np.linalg.norm(poses[0].world - golden["world"], axis=1).max()),
        float(np.abs(poses[0].visibility - golden["visibility"]).max()),
    )
    if not all(found <= allowed for found, allowed in zip(off, (MAX_PX, MAX_M, MAX_VISIBILITY), strict=True)):
        raise UsageError(
            f"the self-test fails: landmarks off by {off[0]:.2f} px, {1e3 * off[1]:.1f} mm and {off[2]:.3f} of "
            f"visibility; allowed are {MAX_PX} px, {1e3 * MAX_M:.0f} mm and {MAX_VISIBILITY}"
        )


def _open_and_test(name: str, figure: Frame, waiting: Callable[[], None]) -> _Candidate:
    if name == "mediapipe":
        provider = f"mediapipe-{version('mediapipe')}"
        return _Candidate(provider, PoseEstimator, PeopleEstimator, PoseEstimator(video=False))
    tried: list[str] = []
    for precision in reversed(PRECISIONS[name]):  # the lowest first; engines take minutes to build, so no more than due
        if ("landmarks", precision) not in NETWORKS:
            continue
        waiting()
        try:
            sessions = [
                open_session(ensure_network(kind, precision), name, precision, waiting)
                for kind in ("detector", "landmarks")
            ]
            networks = Detector(sessions[0]), LandmarkNetwork(sessions[1])
            one = partial(PoseLandmarker, *networks)
            backend = one(video=False)
            self_test(backend, figure)
            return _Candidate(sessions[1].provider, one, partial(PeopleLandmarker, *networks), backend)
        except UsageError as error:
            tried.append(str(error))
    raise UsageError("; ".join(dict.fromkeys(tried)))
