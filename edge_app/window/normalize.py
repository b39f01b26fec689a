"""From landmarks to a standard body: root motion rebuilt, turned to the camera, scaled to one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge_app.types import Pose
from edge_app.window.skeleton import CORE15, Skeleton

LEAN_DEG = 15.0
"""MediaPipe's people lean towards the camera; `lift` turns them back about the pelvis. In the public videos the torso
of upright people leans by 14 degrees in the median (of drawn people by 9, where 5 are true); chosen on these videos."""
VISIBLE = 0.5
"""Joints with less visibility are masked."""
STANDARD_LENGTHS = {
    "pelvis-neck": 0.52,
    "shoulders": 0.36,
    "upper arm": 0.29,
    "forearm": 0.26,
    "thigh": 0.43,
    "shin": 0.41,
}
"""Bone lengths in metres of the standard body, 1.70 m tall: every person is scaled to it."""
_CORE15_BONES = (
    (0, 1, "pelvis-neck"), (3, 6, "shoulders"), (3, 4, "upper arm"), (6, 7, "upper arm"), (4, 5, "forearm"),
    (7, 8, "forearm"), (9, 10, "thigh"), (12, 13, "thigh"), (10, 11, "shin"), (13, 14, "shin"),
)  # fmt: skip
_NTU25_BONES = (
    (0, 20, "pelvis-neck"), (4, 8, "shoulders"), (4, 5, "upper arm"), (8, 9, "upper arm"), (5, 6, "forearm"),
    (9, 10, "forearm"), (12, 13, "thigh"), (16, 17, "thigh"), (13, 14, "shin"), (17, 18, "shin"),
)  # fmt: skip
BONES = {
    name: (np.array([bone[:2] for bone in bones]), np.array([STANDARD_LENGTHS[bone[2]] for bone in bones]))
    for name, bones in (("core15", _CORE15_BONES), ("ntu25", _NTU25_BONES))
}
"""Layout -> both ends of each bone, int `[N, 2]`, and the standard body's lengths, `[N]`."""


def lift(poses: Iterable[Pose], skeleton: Skeleton) -> np.ndarray:
    """Joints of one person in metres, with root motion rebuilt from the image.

    MediaPipe's world landmarks are centred at the hips of every frame, so a jump or a fall is lost in them. Here x and
    y are the image landmarks times one metre-per-pixel scale, z is the world landmarks' (the root's depth is 0). The
    scale is the median over frames of the least-squares fit of world to image (METHODS.md 8.6 B; the fit is ours).
    Then the body is turned upright about the pelvis by `LEAN_DEG`.

    Returns:
        float32 `[N, J, 4]`: x, y, z in the world frame and visibility; the origin is the picture's corner.
    """
    poses = list(poses)
    points = np.empty((len(poses), 33, 6), np.float32)
    points[..., :2] = [pose.image for pose in poses]
    points[..., 2:5] = [pose.world for pose in poses]
    points[..., 5] = [pose.visibility for pose in poses]
    image, world, visibility = np.split(skeleton.from_mediapipe @ points, [2, 5], axis=2)
    image, visibility = -image, visibility[..., 0]  # x to the left, y up: the world frame

    weight = np.clip(visibility, 0.05, 1)[..., None]
    weight = weight / weight.sum(axis=1, keepdims=True)
    image_spread = image - (weight * image).sum(axis=1, keepdims=True)
    world_spread = world[..., :2] - (weight * world[..., :2]).sum(axis=1, keepdims=True)
    fit = (weight * image_spread * world_spread).sum(axis=(1, 2)) / np.maximum(
        (weight * image_spread**2).sum(axis=(1, 2)), 1e-6
    )
    metres_per_pixel = np.float32(max(quantile(fit, 0.5), 1e-5))

    joints = np.empty((*visibility.shape, 4), np.float32)
    joints[..., :2] = image * metres_per_pixel
    joints[..., 2] = world[..., 2] - world[:, skeleton.torso[0], None, 2]
    joints[..., 3] = visibility
    height = joints[..., 1] - joints[:, skeleton.torso[0], None, 1]
    c, s = np.float32(np.cos(np.radians(LEAN_DEG))), np.float32(np.sin(np.radians(LEAN_DEG)))
    joints[..., 1] += (c - 1) * height - s * joints[..., 2]
    joints[..., 2] = s * height + c * joints[..., 2]
    return joints


def quantile(values: np.ndarray, share: float) -> float:
    """`np.quantile` of one axis, linear, at a fifth of its time for the few values of one window."""
    values = np.sort(values)
    at = share * (len(values) - 1)
    low = int(at)
    return float(values[low] + (at - low) * (values[min(low + 1, len(values) - 1)] - values[low]))


def _lengths(joints: np.ndarray, seen: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The 90th percentile over time of each bone's length, NaN where its ends are never both seen: `[N]`.

    Args:
        joints: float32 `[T, J, 3 or more]`; seen: bool `[T, J]`; ends: int `[N, 2]`.
    """
    both = seen[:, ends[:, 0]] & seen[:, ends[:, 1]]
    steps = joints[:, ends[:, 0], :3] - joints[:, ends[:, 1], :3]
    lengths = np.sort(np.where(both, np.sqrt((steps * steps).sum(axis=-1)), -1.0), axis=0)
    count = both.sum(axis=0)
    at = len(lengths) - count + 0.9 * (count - 1)
    low = np.clip(at.astype(int), 0, len(lengths) - 1)
    high = np.minimum(low + 1, len(lengths) - 1)
    column = np.arange(len(ends))
    found = lengths[low, column] + (at - low) * (lengths[high, column] - lengths[low, column])
    return np.where(count > 0, found, np.nan)


def body_scale(joints: np.ndarray, skeleton: Skeleton) -> float:
    """How many times larger than the standard body a person is.

    Each bone's 90th percentile over time, against the standard; then the 75th percentile over bones, because in a flat
    picture foreshortening only shortens. Bones with a masked end do not count. 1.0 where no bone is visible.

    Args:
        joints: float32 `[T, J, 4]`.
    """
    ends, standard = BONES[skeleton.name]
    ratios = _lengths(joints, joints[..., 3] >= VISIBLE, ends) / standard
    ratios = ratios[~np.isnan(ratios)]
    return max(quantile(ratios, 0.75), 1e-4) if len(ratios) else 1.0


def _chains(parents: Sequence[int]) -> np.ndarray:
    """Which bones lead from the root to each joint, both included, of a layout that names parents first: `[J, J]`."""
    chains = np.eye(len(parents), dtype=np.float32)
    for joint, parent in enumerate(parents):
        if joint != parent:
            chains[joint] += chains[parent]
    return chains


def standard_proportions(xyz: np.ndarray, seen: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Every bone stretched to the standard body's length, its direction kept; left and right by the same factor.

    Sensors and laboratories place joints differently: a Kinect's torso is a fifth shorter than MediaPipe's, its thigh
    a fifth longer. A bone that was never seen keeps its length, and none changes by more than `STRETCH`.
    """
    if skeleton.name not in _LIMBS:
        return xyz
    parents = np.array(skeleton.parents)
    own = _lengths(xyz, seen, np.stack([np.arange(len(parents)), parents], axis=1))
    factor = np.clip(_LIMBS[skeleton.name] / np.maximum(own, 1e-6), 1 / STRETCH, STRETCH)
    factor = np.where(np.isnan(factor), factor[skeleton.mirror], factor)
    factor = 0.5 * (factor + factor[skeleton.mirror])
    factor = np.where(np.isnan(factor), 1.0, factor).astype(xyz.dtype)
    bones = (xyz - xyz[:, parents]) * factor[:, None]
    root = parents == np.arange(len(parents))
    bones[:, root] = xyz[:, root]
    return _CHAINS[skeleton.name] @ bones


def facing_camera(xyz: np.ndarray, seen: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints turned about the vertical so that shoulders and hips, on the whole, lie across the view: `[T, J, 3]`."""
    across = np.zeros(3)
    for _, left, right in skeleton.middles:
        both = seen[:, left] & seen[:, right]
        across += (xyz[both, right] - xyz[both, left]).sum(axis=0)
    length = np.hypot(across[0], across[2])
    if length < 1e-6:
        return xyz
    c, s = across[0] / length, across[2] / length
    return xyz @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], xyz.dtype)


def normalize(joints: np.ndarray, valid: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """What the encoder reads: the standard body's size, origin at the mean place of the neck, hidden joints zero.

    The neck, not the pelvis, is the origin: at a desk the hips are out of the picture. The root's depth is taken out,
    since a camera does not measure it. Neck and pelvis are the middles of shoulders and hips, as with MediaPipe: a
    Kinect's lie up to a tenth of a metre higher.

    Args:
        joints: float32 `[T, J, 4]`, valid: bool `[T]`.

    Returns:
        float32 `[T, J, 4]`: x, y, z, and 1 or 0 for seen or not.
    """
    out = np.zeros(joints.shape, np.float32)
    seen = (joints[..., 3] >= VISIBLE) & valid[:, None]
    if not seen.any():
        return out
    joints = joints.copy()
    for joint, one, other in skeleton.middles:
        both = seen[:, one] & seen[:, other]
        joints[both, joint, :3] = 0.5 * (joints[both, one, :3] + joints[both, other, :3])
    neck = joints[:, skeleton.torso[1], :3]
    anchored = valid & seen.any(axis=1)
    xyz = joints[..., :3] - neck[anchored].mean(axis=0)
    xyz[..., 2] -= (neck[:, 2] - neck[anchored, 2].mean())[:, None]
    xyz = facing_camera(xyz / body_scale(joints[valid], skeleton), seen, skeleton)
    xyz = standard_proportions(xyz, seen, skeleton)
    xyz -= xyz[anchored, skeleton.torso[1]].mean(axis=0)
    out[..., :3] = xyz * seen[..., None]
    out[..., 3] = seen
    return out


_LIMBS = {
    "core15": np.array([np.nan, 0.52, 0.20, *2 * [0.18, 0.29, 0.26], *2 * [0.10, 0.43, 0.41]]),
}
"""Layout -> the standard body's distance of each joint from its parent, in metres."""
_CHAINS = {"core15": _chains(CORE15.parents)}
STRETCH = 1.5
"""No bone is made longer or shorter than this many times for the standard body."""
