"""What MediaPipe makes of a true skeleton, imitated: errors and hidden joints sampled from a model fitted to pairs.

Errors are those of twelve vectors along the body and of the neck's place. The model (ours) has three parts, each for
four views of the body, from the front to the back; a window whose right side is the nearer one is mirrored first and
mirrored back afterwards, so that one half of the circle serves for both.

1. A linear map from where the vectors point, and pointed a moment ago, to the mean error: bias, depth gain, lag.
2. What is left, as a Gaussian over the 38 coordinates for each of five bands of frequency: what stays for the whole
   window, slow drift, and so on to jitter. Quick errors are larger where the joint is fast.
3. A bank of cases from the pairs: which joints were hidden when, how far the errors of each limb and band lay above or
   below their mean, and when in the window the quick ones came. One case is drawn for each window, so that bad limbs
   come together with hidden joints, and jitter in bursts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from edge_app.window.skeleton import CORE15

RATE_HZ = 16.0
VIEWS_DEG = (25.0, 60.0, 110.0)
"""Where one view ends and the next begins, in degrees from the front."""

BANDS_HZ = (0.0, 0.75, 2.0, 4.0)
"""Upper ends of the bands; the last one has none."""

VECTORS = (
    (1, 0), (1, 2), (3, 6), (3, 4), (4, 5), (6, 7), (7, 8), (9, 12), (9, 10), (10, 11), (12, 13), (13, 14),
)  # fmt: skip
"""From which joint to which: trunk, head, across the shoulders, along the arms, across the hips, along the legs."""

PARTS = np.array([0, 0, 0, 1, 1, 2, 2, 0, 3, 3, 4, 4])
"""The part of the body that a vector belongs to: trunk and head, left arm, right arm, left leg, right leg."""

NECK, SHOULDERS, HIPS = CORE15.torso[1], (3, 6), (9, 12)
FILE = Path(__file__).with_name("sensor_noise.npz")
LEVELS = 8.0
"""Levels are kept as `round(LEVELS * log2(level)) + 128` in a byte."""

_FROM, _TO = np.array(VECTORS).T
_COUNT = len(VECTORS)
_SIZE = 3 * _COUNT + 2
_OF_VECTOR = np.r_[np.repeat(np.arange(_COUNT), 3), 0, 0]
"""The vector of each coordinate: x, y, z of each vector, and the neck's x and y beside the trunk's."""
_GROUP = np.r_[2 * np.repeat(np.arange(_COUNT), 3) + np.tile([0, 0, 1], _COUNT), 0, 0]
"""The level that a coordinate shares: one for x and y of each vector, one for its z."""
_CHUNKS = 8
_SLOW = 1
_RIDGE = 30.0
_PRIOR = (0.5, 0.1, 0.03, 0.02, 0.02)
_NEAREST = 40
_ASKED = 12
_FASTEST = 3.0


def _building() -> np.ndarray:
    """Joints from vectors, `[15, 12]`: the neck at the origin, shoulders and hips about the neck and the pelvis."""
    out = np.zeros((15, _COUNT), np.float32)
    out[SHOULDERS, 2] = -0.5, 0.5
    out[HIPS, 7] = -0.5, 0.5
    out[[0, *HIPS], 0] = 1
    for vector, (start, end) in enumerate(VECTORS):
        if vector not in (0, 2, 7):
            out[end] = out[start]
            out[end, vector] = 1
    return out


_BUILDING = _building()


@dataclass(frozen=True, slots=True)
class Pairs:
    """Windows of true joints and what MediaPipe saw of them, of the same size and in the same axes.

    truth, saw: float32 `[N, T, 15, 3]`, metres of the standard body, camera axes (x to the picture's left, y up, z
        away), the neck's mean at the origin, the neck's z 0 in every sample. seen: bool `[N, T, 15]`.
    """

    truth: np.ndarray
    saw: np.ndarray
    seen: np.ndarray

    def picked(self, rows: np.ndarray) -> Pairs:
        return Pairs(self.truth[rows], self.saw[rows], self.seen[rows])


def align(truth: np.ndarray, saw: np.ndarray, seen: np.ndarray) -> Pairs:
    """Pairs from joints of any place and size: `saw` takes the size that fits `truth` best in the picture's plane.

    Args:
        truth, saw: `[N, T, 15, 3]`; truth is a body of the standard size. seen: bool `[N, T, 15]`.
    """
    truth, saw = _about_neck(truth), _about_neck(saw)
    weight = seen[..., None].astype(np.float32)
    size = (weight * truth * saw)[..., :2].sum((1, 2, 3)) / np.maximum((weight * saw**2)[..., :2].sum((1, 2, 3)), 1e-6)
    return Pairs(truth, saw * size[:, None, None, None], seen)


@dataclass(frozen=True, slots=True)
class SensorNoise:
    """The fitted model; D = 38 coordinates, F = 115 features, V views, K bands, P parts of the
    body, G groups of coordinates, M cases.

    bias: `[V, F, D]`, from features of the true joints to the mean error in metres.
    lowest, highest: `[V, D]`, what the mean error is held within.
    quick: `[D]`: errors above 0.75 Hz grow by `sqrt(1 + quick * speed ** 2)` with the vector's end, in metres/second.
    shape: `[V, K, D, D]`; `normal @ shape` is a coefficient of the orthonormal DCT of T samples.
    samples: T of the pairs. case_view: `[M]` degrees from the front, ascending. case_motion: `[M, P]`, of `_motion`.
    case_level: uint8 `[M, K, G]`, of x and y or of z of each vector. case_burst: uint8 `[M, 8, P]`, how large quick
    errors were in each eighth of the window. case_seen: uint8 `[M, ...]`, bits of `[T, 15]`.
    """

    bias: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    quick: np.ndarray
    shape: np.ndarray
    case_view: np.ndarray
    case_motion: np.ndarray
    case_level: np.ndarray
    case_burst: np.ndarray
    case_seen: np.ndarray
    samples: np.ndarray

    @classmethod
    def fit(cls, pairs: Pairs, cases: int = 600, seed: int = 0) -> SensorNoise:
        """Fit to pairs; joints that are hidden for half of a window or more do not count in it."""
        truth, saw, seen, view, _ = _one_side(pairs.truth, pairs.saw, pairs.seen)
        assert saw is not None
        count, steps = truth.shape[:2]
        features, error, speed = _features(truth), _errors(truth, saw), _speed(truth)
        shown = seen.mean(axis=1) > 0.5
        known = (shown[:, _FROM] & shown[:, _TO])[:, _OF_VECTOR]
        basis, band = _dct(steps)
        of_view = np.digitize(view, VIEWS_DEG)
        rows_of = [np.flatnonzero(of_view == v) for v in range(len(VIEWS_DEG) + 1)]
        rows_of = [rows if len(rows) >= 60 else np.arange(count) for rows in rows_of]

        bias, lowest, highest, rest = [], [], [], np.empty_like(error)
        for rows in rows_of:
            bias.append(_regress(features[rows], error[rows], known[rows]))
            mean = features[rows] @ bias[-1]
            lowest.append(np.quantile(mean, 0.005, axis=(0, 1)))
            highest.append(np.quantile(mean, 0.995, axis=(0, 1)))
            rest[rows] = error[rows] - mean.clip(lowest[-1], highest[-1])
        coefficients = basis @ rest
        fast = basis[band > _SLOW].T @ coefficients[:, band > _SLOW]
        quick = _quick(fast, speed, known)
        fast /= _gain(speed, quick)
        burst = _bursts(fast, known)
        fast /= _over_time(burst, steps)
        coefficients[:, band > _SLOW] = basis[band > _SLOW] @ fast

        shape, level = [], np.ones((count, len(BANDS_HZ) + 1, _GROUP.max() + 1))
        for rows in rows_of:
            bands = [coefficients[rows][:, band == b] for b in range(band.max() + 1)]
            shape.append(np.stack([_factor(of_band, known[rows]) for of_band in bands]))
            level[rows] = _levels(coefficients[rows], known[rows], shape[-1], band)
        picked = np.random.default_rng(seed).permutation(count)[:cases]
        picked = picked[np.argsort(view[picked], kind="stable")]
        half = lambda rows: np.asarray(rows, np.float16).astype(np.float32)  # noqa: E731  # as a file keeps them
        return cls(
            bias=half(bias),
            lowest=half(lowest),
            highest=half(highest),
            quick=half(quick),
            shape=half(shape),
            case_view=half(view[picked]),
            case_motion=half(_motion(speed[picked])),
            case_level=_to_byte(level[picked]),
            case_burst=_to_byte(burst[picked]),
            case_seen=np.packbits(seen[picked].reshape(len(picked), -1), axis=1),
            samples=np.array(steps),
        )

    @classmethod
    def load(cls, path: Path = FILE) -> SensorNoise:
        with np.load(path) as saved:
            arrays = {field.name: saved[field.name] for field in fields(cls)}
        return cls(**{k: v.astype(np.float32) if v.dtype == np.float16 else v for k, v in arrays.items()})

    def save(self, path: Path = FILE) -> None:
        """Reals are kept in half precision."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        half = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in arrays.items()}
        np.savez_compressed(path, **half)

    def apply(
        self, xyz: np.ndarray, seen: np.ndarray, rng: np.random.Generator, strength: float | np.ndarray = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """True windows as MediaPipe might see them; the inputs stay as they are.

        Args:
            xyz: float32 `[B, T, 15, 3]`, metres of the standard body in camera axes, any origin, at `RATE_HZ`.
            seen: `[B, T, 15]`, 0 or 1; a joint that is not seen stays so.
            strength: factor on the random part of the errors; one number, or one for each window.

        Returns:
            xyz with errors, float32, and seen in its own type.
        """
        count, steps = xyz.shape[:2]
        origin = xyz[:, :, NECK].mean(axis=1)[:, None, None] * np.array([1, 1, 0], np.float32)
        depth = xyz[:, :, NECK, None, 2]
        truth, _, known, view, mirrored = _one_side(_about_neck(xyz), None, seen)
        speed = _speed(truth)
        case = self._cases(view, _motion(speed), rng)

        basis, band = _dct(steps)
        level = _from_byte(self.case_level[case])[:, :, _GROUP] * np.reshape(strength, (-1, 1, 1)).astype(np.float32)
        level[:, 0] *= np.sqrt(steps / float(self.samples))
        drawn = rng.standard_normal((count, steps, _SIZE), np.float32)
        features, mean = _features(truth), np.empty((count, steps, _SIZE), np.float32)
        of_view = np.digitize(view, VIEWS_DEG)
        for v in np.unique(of_view):
            rows = np.flatnonzero(of_view == v)
            for b in range(band.max() + 1):
                of_band = np.ix_(rows, np.flatnonzero(band == b))
                drawn[of_band] = drawn[of_band] @ self.shape[v, b] * level[rows, b, None]
            mean[rows] = (features[rows] @ self.bias[v]).clip(self.lowest[v], self.highest[v])
        quick = basis[band > _SLOW].T @ drawn[:, band > _SLOW]
        quick *= _gain(speed, self.quick) * _over_time(_from_byte(self.case_burst[case]), steps)
        error = mean + quick + basis[band <= _SLOW].T @ drawn[:, band <= _SLOW]

        samples = int(self.samples)
        hidden = np.unpackbits(self.case_seen[case], axis=1, count=samples * 15).reshape(count, samples, 15) == 0
        hidden = hidden[:, np.arange(steps) * samples // steps]
        out = _disturbed(truth, error)
        out[mirrored], hidden[mirrored] = _mirror(out[mirrored]), hidden[mirrored][:, :, CORE15.mirror]
        known[mirrored] = known[mirrored][:, :, CORE15.mirror]
        out += origin
        out[..., 2] += depth
        return out, (known & ~hidden).astype(seen.dtype)

    def _cases(self, view: np.ndarray, motion: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A case of nearly the same view and motion for each window, int `[B]`."""
        last = len(self.case_view) - 1
        aside = rng.integers(-_NEAREST, _NEAREST + 1, (len(view), _ASKED))
        near = np.searchsorted(self.case_view, view)[:, None] + aside
        near = np.abs(last - np.abs(last - near)).clip(0, last)
        unlike = np.abs(self.case_motion[near] - motion[:, None]).sum(axis=-1)
        return near[np.arange(len(near)), unlike.argmin(axis=1)]


def view_of(xyz: np.ndarray) -> np.ndarray:
    """How far the body is turned: degrees `[N]`, 0 facing the camera, positive with the right side farther away."""
    across = (xyz[:, :, [6, 12]] - xyz[:, :, [3, 9]]).mean(axis=(1, 2))
    return np.degrees(np.arctan2(across[:, 2], across[:, 0]))


def _about_neck(xyz: np.ndarray) -> np.ndarray:
    out = xyz - xyz[:, :, NECK].mean(axis=1)[:, None, None]
    out[..., 2] = xyz[..., 2] - xyz[:, :, NECK, None, 2]
    return out.astype(np.float32)


def _mirror(xyz: np.ndarray) -> np.ndarray:
    return xyz[:, :, CORE15.mirror] * np.array([-1, 1, 1], np.float32)


def _one_side(
    truth: np.ndarray, saw: np.ndarray | None, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]:
    """Copies with every window turned to the side of positive views; the views, and which windows were mirrored."""
    view = view_of(truth)
    mirrored = view < 0
    truth, seen = truth.copy(), seen > 0.5
    truth[mirrored], seen[mirrored] = _mirror(truth[mirrored]), seen[mirrored][:, :, CORE15.mirror]
    if saw is not None:
        saw = saw.copy()
        saw[mirrored] = _mirror(saw[mirrored])
    return truth, saw, seen, np.abs(view), mirrored


def _length(vector: np.ndarray) -> np.ndarray:
    """Several times faster than numpy's norm for three numbers."""
    return np.sqrt(vector[..., 0] ** 2 + vector[..., 1] ** 2 + vector[..., 2] ** 2)


def _depth_unit(vector: np.ndarray) -> np.ndarray:
    """What errors in depth are measured in: they fade where a vector points at the camera, for its length is known."""
    flat, deep = vector[..., 0] ** 2 + vector[..., 1] ** 2, vector[..., 2] ** 2
    return np.sqrt((flat + 0.1 * deep) / (flat + deep + 1e-6))


def _errors(truth: np.ndarray, saw: np.ndarray) -> np.ndarray:
    """x, y, and z of each vector, z in `_depth_unit`, and the neck's x and y, in metres: `[N, T, D]`."""
    a, b = (xyz[:, :, _TO] - xyz[:, :, _FROM] for xyz in (truth, saw))
    error = b - a
    error[..., 2] /= np.maximum(_depth_unit(a), 0.1)
    return np.concatenate([error.reshape(*error.shape[:2], -1), (saw - truth)[:, :, NECK, :2]], axis=-1)


def _disturbed(truth: np.ndarray, error: np.ndarray) -> np.ndarray:
    """`truth` with errors as `_errors` gives them."""
    vector = truth[:, :, _TO] - truth[:, :, _FROM]
    change = error[..., : 3 * _COUNT].reshape(vector.shape).copy()
    change[..., 2] *= np.maximum(_depth_unit(vector), 0.1)
    # Where a set's neck is not between the shoulders, or its pelvis not between the hips, it stays so.
    moved = _BUILDING @ change
    moved[..., :2] += error[..., None, 3 * _COUNT :]
    return truth + moved


def _features(truth: np.ndarray) -> np.ndarray:
    """A constant, directions and the neck's place, and their steps from one and three samples ago: `[N, T, F]`."""
    count, steps = truth.shape[:2]
    vector = truth[:, :, _TO] - truth[:, :, _FROM]
    vector = vector / np.maximum(_length(vector), 1e-3)[..., None]
    place = np.concatenate([vector.reshape(count, steps, -1), truth[:, :, NECK, :2].clip(-1, 1)], axis=-1)
    moved = [place - place[:, np.maximum(np.arange(steps) - lag, 0)] for lag in (1, 3)]
    return np.concatenate([np.ones((count, steps, 1), np.float32), place, *moved], axis=-1)


def _speed(truth: np.ndarray) -> np.ndarray:
    """How fast each vector's end moves about now, metres/second, at most 3: `[N, T, 12]`."""
    step = np.zeros((*truth.shape[:2], _COUNT), np.float32)
    moved = truth[:, 1:, _TO] - truth[:, :-1, _TO]
    step[:, 1:] = _length(moved) * np.float32(RATE_HZ)
    step[:, 0] = step[:, 1]
    around = np.stack([step, np.roll(step, 1, axis=1), np.roll(step, 2, axis=1), np.roll(step, -1, axis=1)])
    around[1, :, 0], around[2, :, :2], around[3, :, -1] = step[:, 0], step[:, :1], step[:, -1]
    return around.mean(axis=0).clip(0, _FASTEST)


def _motion(speed: np.ndarray) -> np.ndarray:
    """The logarithm of each part's mean speed: `[N, P]`."""
    parts = np.stack([speed[:, :, p == PARTS].mean(axis=(1, 2)) for p in range(PARTS.max() + 1)], axis=1)
    return np.log(parts + np.float32(0.02))


def _gain(speed: np.ndarray, quick: np.ndarray) -> np.ndarray:
    return np.sqrt(1 + quick * (speed**2)[..., _OF_VECTOR])


def _quick(moving: np.ndarray, speed: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Least squares of the squared error on 1 and the squared speed, as slope over height: `[D]`."""
    out = np.zeros(_SIZE)
    for d, vector in enumerate(_OF_VECTOR):
        rows = known[:, d]
        if rows.any():
            x = (speed[rows, :, vector] ** 2).ravel().astype(np.float64)
            y = (moving[rows, :, d] ** 2).ravel().astype(np.float64)
            y = np.minimum(y, np.quantile(y, 0.99))
            slope = ((x - x.mean()) * (y - y.mean())).mean() / max(x.var(), 1e-9)
            still = y.mean() - slope * x.mean()
            out[d] = np.clip(slope / max(still, 0.05 * y.mean(), 1e-9), 0, 100)
    return out


def _bursts(fast: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How large errors of each part are in each eighth of a window, beside the window's mean: `[N, 8, P]`."""
    square = np.stack([part.mean(axis=1) for part in np.array_split(fast**2, _CHUNKS, axis=1)], axis=1)
    square /= np.maximum(square.mean(axis=(0, 1)), 1e-12)
    out = np.ones((len(fast), _CHUNKS, PARTS.max() + 1))
    for p in range(out.shape[2]):
        of_part = PARTS[_OF_VECTOR] == p
        power = (square * known[:, None])[..., of_part].sum(axis=-1) + 1e-5
        out[..., p] = np.sqrt(power / power.mean(axis=1, keepdims=True)).clip(0.03, 4)
    return out


def _over_time(burst: np.ndarray, steps: int) -> np.ndarray:
    """Eighths of a window to its samples, parts to coordinates, by linear interpolation: `[N, T, D]`."""
    at = ((np.arange(steps) + 0.5) * _CHUNKS / steps - 0.5).clip(0, _CHUNKS - 1)
    before = np.minimum(at.astype(int), _CHUNKS - 2)
    weight = np.zeros((steps, _CHUNKS), np.float32)
    weight[np.arange(steps), before] = 1 - (at - before)
    weight[np.arange(steps), before + 1] = at - before
    return (weight @ burst)[..., PARTS[_OF_VECTOR]]


def _to_byte(level: np.ndarray) -> np.ndarray:
    return np.round(LEVELS * np.log2(level) + 128).clip(0, 255).astype(np.uint8)


def _from_byte(kept: np.ndarray) -> np.ndarray:
    return np.exp2((kept.astype(np.float32) - 128) / np.float32(LEVELS))


def _regress(features: np.ndarray, error: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Ridge regression of each coordinate's error, over the windows where its vector is known: `[F, D]`."""
    out = np.zeros((features.shape[-1], _SIZE))
    penalty = np.full(features.shape[-1], _RIDGE)
    penalty[0] = 1e-3
    for vector in range(_COUNT):
        of_vector = np.flatnonzero(vector == _OF_VECTOR)
        rows = known[:, of_vector[0]]
        if rows.any():
            x = features[rows].reshape(-1, features.shape[-1]).astype(np.float64)
            y = error[rows][:, :, of_vector].reshape(-1, len(of_vector))
            out[:, of_vector] = np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)
    return out


def _factor(coefficients: np.ndarray, known: np.ndarray) -> np.ndarray:
    """F with `F.T @ F` the covariance of coefficients `[N, k, D]`, each pair over the windows where both are known."""
    weight = known.astype(np.float64)
    filled = coefficients * weight[:, None]
    pairs = np.maximum(weight.T @ weight * coefficients.shape[1], 1.0)
    flat = filled.reshape(-1, _SIZE)
    values, vectors = np.linalg.eigh(flat.T @ flat / pairs)
    return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T


def _levels(coefficients: np.ndarray, known: np.ndarray, shape: np.ndarray, band: np.ndarray) -> np.ndarray:
    """How large errors of each window are beside the mean over windows, by band and group: `[N, K, G]`."""
    out = np.ones((len(coefficients), len(shape), _GROUP.max() + 1))
    for b, factor in enumerate(shape):
        variance = np.maximum((factor**2).sum(axis=0), 1e-10)
        ratio = (coefficients[:, band == b] ** 2 / variance).sum(axis=1) * known
        for p in range(out.shape[2]):
            of_part = (p == _GROUP) & (variance > 1e-9)
            many = known[:, of_part].sum(axis=1) * (band == b).sum()
            square = (ratio[:, of_part].sum(axis=1) + _PRIOR[b]) / (many + _PRIOR[b])
            some = many > 0
            if some.any():
                out[some, b, p] = np.sqrt(square[some] / square[some].mean())
    return out


def _dct(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The orthonormal DCT-II `[T, T]`, a row a frequency, and the band of each."""
    k = np.arange(steps)
    basis = np.sqrt(2 / steps) * np.cos(np.pi * (np.arange(steps) + 0.5) * k[:, None] / steps)
    basis[0] /= np.sqrt(2)
    band = np.searchsorted(BANDS_HZ, k * RATE_HZ / (2 * steps) - 1e-9)
    return basis.astype(np.float32), band
