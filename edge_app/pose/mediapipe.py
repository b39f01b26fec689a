"""The pose stage: Frame -> Poses, by MediaPipe."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - see `_close_all`
import os
import re
import threading
import weakref
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from edge_app.errors import UsageError
from edge_app.pose.figure import draw_figure
from edge_app.pose.model_file import ensure_pose_model
from edge_app.pose.native_stderr import give_back_stderr, native_stderr_captured
from edge_app.types import Frame, Pose, Poses

NO_METRICS = "http://127.0.0.1:9"
CPUS = Path("/sys/devices/system/cpu/possible")
TO_WORLD = np.array([-1.0, -1.0, 1.0], np.float32)
_warmed = threading.Event()
_open: weakref.WeakSet[PoseEstimator] = weakref.WeakSet()


class PoseBackend(Protocol):
    """Frames of one camera in, in order, and everybody found in each out; a context manager.

    `edge_app.pose.choose.choose_pose` picks one.
    `reset` makes it forget whom it followed, `close` gives its memory back.
    """

    def estimate(self, frame: Frame) -> Poses: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> PoseBackend: ...

    def __exit__(self, *exc: object) -> None: ...


class PoseEstimator:
    """Finds people and their 33 landmarks. One thread of one core; no GPU.

    MediaPipe reports the use of its tasks to its maker over https. This product lets nothing out of the device: the
    environment variable `https_proxy` of this process is set to an address where nobody listens, before MediaPipe
    starts, and stays. Python code that opens https in the same process later is cut off too, unless it uses no proxy
    from the environment; OpenCV's https sources are not affected.

    Args:
        model: a pose landmarker `.task`; by default `ensure_pose_model()`.
        max_people: how many to look for. More than 1 costs the detector in every frame, and MediaPipe finds few.
        video: follow people from frame to frame; otherwise every frame is looked at anew.
        confidence: from which on MediaPipe takes something for a person, 0 to 1; 0.5 is its own.

    Raises:
        UsageError: the model cannot be had or loaded, or a system library is missing.
    """

    _landmarker: Any = None

    def __init__(
        self, model: Path | None = None, *, max_people: int = 1, video: bool = True, confidence: float = 0.5
    ) -> None:
        self._video, self._confidence = video, confidence
        self._model = model if model is not None else ensure_pose_model()
        self._max_people = max_people
        os.environ["https_proxy"] = NO_METRICS
        self._last_ms = -1
        try:
            if not _warmed.is_set():
                # The first person that a process sees makes MediaPipe print, and is slow: let it be this one.
                _warmed.set()
                self._create()
                self._detect(draw_figure(), 0)
            self.reset()
        except UsageError:
            self.close()
            raise

    @native_stderr_captured()
    def _create(self) -> None:
        if not CPUS.exists():  # MediaPipe would abort
            raise UsageError(f"MediaPipe needs /sys, which is not mounted here: {CPUS} is missing")
        from mediapipe.tasks.python import BaseOptions, vision

        try:
            options = vision.PoseLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=self._model.read_bytes()),
                running_mode=vision.RunningMode.VIDEO if self._video else vision.RunningMode.IMAGE,
                num_poses=self._max_people,
                min_pose_detection_confidence=self._confidence,
                min_pose_presence_confidence=self._confidence,
                min_tracking_confidence=self._confidence,
            )
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
            _open.add(self)
        except OSError as error:
            if re.search(r"lib(EGL|GLES)", str(error)):
                raise UsageError(
                    f"MediaPipe needs system libraries that are missing ({str(error).partition(':')[0]}); "
                    "install them: apt-get install libegl1 libgles2"
                ) from None
            raise UsageError(f"the pose model {self._model} cannot be loaded: {error}") from None
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"the pose model {self._model} cannot be loaded: {reason}") from None

    @native_stderr_captured()
    def _detect(self, image: np.ndarray, t_ns: int) -> Any:
        from mediapipe import Image, ImageFormat

        self._last_ms = max(t_ns // 1_000_000, self._last_ms + 1)
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        picture = Image(image_format=ImageFormat.SRGB, data=rgb)
        if not self._video:
            return self._landmarker.detect(picture)
        return self._landmarker.detect_for_video(picture, self._last_ms)

    def estimate(self, frame: Frame) -> Poses:
        """Everybody found in a frame. MediaPipe tracks from frame to frame: give the frames of one camera in order.

        Stamps need not be good: what MediaPipe gets is strictly increasing in milliseconds, whatever comes in.
        World landmarks are mapped to the world frame by (-x, -y, +z); see `edge_app.types.Pose`.
        """
        height, width = frame.image.shape[:2]
        result = self._detect(frame.image, frame.t_ns)
        poses = tuple(
            Pose(
                t_ns=frame.t_ns,
                image=np.array([(p.x * width, p.y * height) for p in landmarks], np.float32),
                world=np.array([(p.x, p.y, p.z) for p in world], np.float32) * TO_WORLD,
                visibility=np.array([p.visibility for p in world], np.float32),
                size=(width, height),
            )
            for landmarks, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)
        )
        return Poses(frame.camera, frame.index, frame.t_ns, poses)

    def reset(self) -> None:
        """Forget whom it was tracking, and the stamps: after a reconnect, or for another file."""
        self._drop()
        self._create()
        self._last_ms = -1

    def _drop(self) -> None:
        if self._landmarker is not None:
            with native_stderr_captured():
                landmarker, self._landmarker = self._landmarker, None
                landmarker.close()
                del landmarker  # MediaPipe takes this for another close

    def close(self) -> None:
        """Give the memory back. Safe to call twice."""
        self._drop()
        _open.discard(self)
        if not _open:
            give_back_stderr()

    def __del__(self) -> None:
        if self._landmarker is not None:
            self.close()

    def __enter__(self) -> PoseEstimator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _close_all() -> None:
    for estimator in list(_open):
        estimator.close()


# MediaPipe closes in a thread pool and prints a traceback once the pools are gone, so `atexit` is too late. What is
# registered here runs before the pools end, since they were registered first.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]
