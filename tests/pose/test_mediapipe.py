from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_app.bundles.user_folders import cache_folder
from edge_app.camera import open_source
from edge_app.errors import UsageError
from edge_app.pose.figure import draw_figure
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.pose.model_file import ENVIRONMENT, MODELS, _problem
from edge_app.types import Frame

SQUATS = Path(__file__).parents[2] / "../shared/videos/squats_s3.mp4"
EMPTY = np.zeros((480, 640, 3), np.uint8)
NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ANKLE = 0, 11, 12, 27


@pytest.fixture(scope="module")
def estimator() -> Iterator[PoseEstimator]:
    here = os.environ.get(ENVIRONMENT) or not _problem(cache_folder("models") / MODELS["full"].file, MODELS["full"])
    if not here:
        pytest.skip("the pose model is not in the cache: python -m edge_app.pose.model_file")
    with PoseEstimator() as estimator:
        yield estimator


def squats(count: int) -> list[Frame]:
    if not SQUATS.is_file():
        pytest.skip("the shared folder with test videos is not beside the checkout")
    with open_source(str(SQUATS), realtime=False) as source:
        return [frame for _ in range(count) if isinstance(frame := source.read(), Frame)]


def test_nobody_in_an_empty_picture(estimator: PoseEstimator) -> None:
    estimator.reset()
    poses = estimator.estimate(Frame("front", 7, 123, EMPTY))
    assert (poses.camera, poses.index, poses.t_ns, poses.poses) == ("front", 7, 123, ())


def test_a_drawn_person_in_our_frame(estimator: PoseEstimator) -> None:
    """She faces the camera: her right is on the left of the picture, and +x in the world; y is up."""
    estimator.reset()
    (pose,) = estimator.estimate(Frame("cam", 0, 5, draw_figure())).poses
    assert pose.t_ns == 5 and pose.size == (640, 480)
    for array, shape in ((pose.image, (33, 2)), (pose.world, (33, 3)), (pose.visibility, (33,))):
        assert array.dtype == np.float32 and array.shape == shape and np.isfinite(array).all()
    assert np.linalg.norm(pose.image[NOSE] - (320, 68)) < 20
    assert pose.image[RIGHT_SHOULDER, 0] < pose.image[LEFT_SHOULDER, 0]
    assert pose.world[RIGHT_SHOULDER, 0] > 0 > pose.world[LEFT_SHOULDER, 0]
    assert pose.world[NOSE, 1] > pose.world[LEFT_SHOULDER, 1] > 0 > pose.world[LEFT_ANKLE, 1]
    assert pose.world[NOSE, 2] < 0  # the face is nearer to the camera than the hips; z goes away from it
    assert pose.visibility.min() >= 0 and pose.visibility.max() <= 1


@pytest.mark.shared
def test_a_real_person_is_followed(estimator: PoseEstimator) -> None:
    estimator.reset()
    found = [estimator.estimate(frame) for frame in squats(10)]
    assert all(len(poses.poses) == 1 for poses in found)
    assert all(poses.poses[0].visibility.mean() > 0.8 for poses in found)
    assert [poses.t_ns for poses in found] == [frame.t_ns for frame in squats(10)]


@pytest.mark.fault
@pytest.mark.parametrize("stamps", [[10**12, 0, -5, 10**12, 10**12, 10**12 + 1, 3], [0, 0, 0], [-(10**18), 10**18, 5]])
def test_C7_bad_stamps_never_reach_mediapipe(estimator: PoseEstimator, stamps: list[int]) -> None:
    estimator.reset()
    for index, t_ns in enumerate(stamps):
        assert estimator.estimate(Frame("cam", index, t_ns, EMPTY[:64, :64])).t_ns == t_ns


def test_reset_forgets_the_frames_before(estimator: PoseEstimator) -> None:
    person = Frame("cam", 0, 0, draw_figure())
    estimator.reset()
    first = estimator.estimate(person).poses[0]
    moved = np.roll(draw_figure(), 90, axis=1)
    estimator.estimate(Frame("cam", 1, 40_000_000, moved))
    estimator.reset()
    again = estimator.estimate(person).poses[0]
    assert np.array_equal(first.image, again.image) and np.array_equal(first.world, again.world)


def test_several_sizes_in_one_stream(estimator: PoseEstimator) -> None:
    estimator.reset()
    for index, (height, width) in enumerate([(480, 640), (640, 480), (17, 33), (1, 1)]):
        image = np.zeros((height, width, 3), np.uint8)
        assert estimator.estimate(Frame("cam", index, index * 10**8, image)).poses == ()


def test_metrics_go_to_the_address_where_nobody_listens(estimator: PoseEstimator) -> None:
    """Here somebody listens there, to show that this is the way they take."""
    assert os.environ["https_proxy"] == "http://127.0.0.1:9"
    code = (
        "import sys\nfrom edge_app.pose import mediapipe as pose\nfrom edge_app.pose.figure import draw_figure\n"
        "from edge_app.types import Frame\n"
        "pose.NO_METRICS = sys.argv[1]\n"
        "with pose.PoseEstimator() as e: e.estimate(Frame('c', 0, 0, draw_figure()))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.settimeout(20)
        with subprocess.Popen([sys.executable, "-c", code, address]) as process:
            connection, _ = listener.accept()
            with connection:
                asked = connection.recv(1000)
            process.kill()
    assert asked.startswith(b"CONNECT ")


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_model_that_cannot_be_loaded(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\.task cannot be loaded") as caught:
        PoseEstimator(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", ["libEGL.so.1", "libGLESv2.so.2"])
def test_missing_system_libraries_name_the_packages(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mediapipe.tasks.python import vision

    def fail(options: object) -> None:
        raise OSError(f"{library}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(vision.PoseLandmarker, "create_from_options", fail)
    (tmp_path / "any.task").write_bytes(b"any")
    with pytest.raises(UsageError, match=rf"{library}\); install them: apt-get install libegl1 libgles2"):
        PoseEstimator(tmp_path / "any.task")


def test_F15_without_sys_mediapipe_would_abort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_app.pose.mediapipe.CPUS", tmp_path / "possible")
    with pytest.raises(UsageError, match=r"needs /sys, which is not mounted here: .*/possible is missing"):
        PoseEstimator(tmp_path / "any.task")
