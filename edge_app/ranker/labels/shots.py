"""What a user has taught: the windows of each label's shots, poses without pixels, a file a label.

Windows are kept rather than features, so that any encoder can read them: a new bundle encodes them anew. Files are for
their owner alone, and appear only when they are whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_app.bundles.files import load_npz, write_bytes
from edge_app.bundles.user_folders import data_folder
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import fold
from edge_app.ranker.labels.label import MAX_LINE, Label, line_of, parse_lines
from edge_app.types import Window
from edge_app.window.skeleton import LAYOUTS, WindowSpec

log = logging.getLogger(__name__)

FORMAT = "edge-taught/1"
MAX_LABELS = 64
MAX_SHOTS = 10
MAX_WINDOWS = 64  # of a shot
MAX_FILE = 16 * 2**20
_KEYS = {"format", "label", "skeleton", "window", "joints", "valid", "shot"}


@dataclass(frozen=True, slots=True)
class Taught:
    """A label and its shots.

    spec: of the windows. joints: float32 `[N, T, J, 4]` and valid: bool `[N, T]`, as in `Window`.
    shot: int `[N]`, which shot each window is of, not falling.
    """

    label: Label
    spec: WindowSpec
    joints: np.ndarray
    valid: np.ndarray
    shot: np.ndarray

    @property
    def shots(self) -> int:
        return len(np.unique(self.shot))

    def with_shot(self, windows: Sequence[Window]) -> Taught:
        """One more shot; of more than `MAX_SHOTS` the oldest goes."""
        kept = np.isin(self.shot, np.unique(self.shot)[1 - MAX_SHOTS :])
        number = self.shot.max(initial=-1) + 1
        return replace(
            self,
            joints=np.concatenate([self.joints[kept], [window.joints for window in windows]]).astype(np.float32),
            valid=np.concatenate([self.valid[kept], [window.valid for window in windows]]).astype(bool),
            shot=np.concatenate([self.shot[kept], np.full(len(windows), number)]),
        )


def nothing_yet(label: Label, spec: WindowSpec) -> Taught:
    """A label without a shot."""
    joints = np.zeros((0, spec.length, len(spec.skeleton.joints), 4), np.float32)
    return Taught(label, spec, joints, np.zeros((0, spec.length), bool), np.zeros(0, np.int64))


def taught_folder() -> Path:
    """Where this user's are; raises UsageError as `data_folder`."""
    return data_folder("taught")


class TaughtFolder:
    """The taught labels of a folder, as they are there at every call: another process may teach and forget too."""

    def __init__(self, path: Path, spec: WindowSpec) -> None:
        self.path, self._spec = path, spec
        self._read: dict[Path, tuple[tuple[int, int, int], Taught | None]] = {}

    def all(self) -> dict[str, Taught]:
        """By folded name. What cannot be used is left where it is, after one warning."""
        found: dict[str, Taught] = {}
        try:
            paths = sorted(self.path.glob("*.npz"))
        except OSError:
            paths = []
        self._read = {path: entry for path, entry in self._read.items() if path in paths}
        if len(paths) > MAX_LABELS:
            log.warning("taught: %d labels found in %s, the first %d are used", len(paths), self.path, MAX_LABELS)
        for path in paths[:MAX_LABELS]:
            with contextlib.suppress(OSError):
                state = path.stat()
                key = (state.st_mtime_ns, state.st_size, state.st_ino)
                if path not in self._read or self._read[path][0] != key:
                    self._read[path] = (key, self._usable(path))
                if (taught := self._read[path][1]) is not None:
                    found[fold(taught.label.name)] = taught
        return found

    def _usable(self, path: Path) -> Taught | None:
        try:
            taught = read(path)
            if _told(taught.spec) != _told(self._spec):
                raise UsageError(
                    f"taught: {taught.label.name!a} has windows of {_told(taught.spec)}, the bundle reads "
                    f"{_told(self._spec)}; it is not used until it is taught again"
                )
            return taught
        except UsageError as error:
            log.warning("%s", error, extra={"kind": "taught"})
            return None

    def add(self, label: Label, windows: Sequence[Window]) -> Taught:
        """Keep one more shot of a label, which is as it was taught first.

        Raises:
            UsageError: too many labels or windows, or the folder cannot be written.
        """
        known = self.all()
        if not 0 < len(windows) <= MAX_WINDOWS:
            raise UsageError(f"taught: a shot of {len(windows)} windows found, 1 to {MAX_WINDOWS} are allowed")
        if fold(label.name) not in known and len(known) >= MAX_LABELS:
            raise UsageError(f"taught: {MAX_LABELS} labels are there, that many are allowed; forget one")
        taught = known.get(fold(label.name), nothing_yet(label, self._spec)).with_shot(windows)
        write(self._place(label.name), taught)
        return taught

    def forget(self, name: str) -> None:
        """Remove a label's shots, whether they can be read or not.

        Raises:
            UsageError: there are none, or the file cannot be removed.
        """
        try:
            self._place(name).unlink()
        except FileNotFoundError:
            known = ", ".join(ascii(each.label.name)[1:-1] for each in self.all().values())
            raise UsageError(f"nothing was taught as {name!a}; taught are: {known[:200] or 'none'}") from None
        except OSError as error:
            raise UsageError(f"taught: {error.filename}: {error.strerror}") from None

    def _place(self, name: str) -> Path:
        return self.path / f"{hashlib.sha256(fold(name).encode()).hexdigest()[:24]}.npz"


def write(path: Path, taught: Taught) -> None:
    """A file of mode 0600 in a folder of mode 0700, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    data, spec = io.BytesIO(), taught.spec
    np.savez(
        data, format=np.array(FORMAT), label=np.array(line_of(taught.label)), skeleton=np.array(spec.skeleton.name),
        window=np.array([spec.seconds, spec.rate_hz]), joints=taught.joints, valid=taught.valid, shot=taught.shot,
    )  # fmt: skip
    if data.tell() > MAX_FILE:
        raise UsageError(
            f"taught: {data.tell():,} bytes of shots found, at most {MAX_FILE:,} are allowed; take shorter ones"
        )
    try:
        write_bytes(path, data.getbuffer(), mode=0o600)
    except UsageError as error:
        raise UsageError(f"taught: {error}") from None


def read(path: Path) -> Taught:
    """What `write` wrote.

    Raises:
        UsageError: anything else.
    """
    if path.stat().st_size > MAX_FILE:
        raise UsageError(f"taught: {path} is larger than the {MAX_FILE // 2**20} MiB allowed; it is not used")
    try:
        arrays = load_npz(path, MAX_FILE)
        if set(arrays) != _KEYS or arrays["format"].item() != FORMAT:
            raise ValueError(f"format {FORMAT} is allowed")
        (label,) = parse_lines([str(arrays["label"].item())[: MAX_LINE + 1]], "label", note=None)
        seconds, rate_hz = (float(value) for value in arrays["window"])
        spec = WindowSpec(seconds, rate_hz, LAYOUTS[arrays["skeleton"].item()])
        joints, valid, shot = arrays["joints"], arrays["valid"], arrays["shot"]
        shape = (len(shot), spec.length, len(spec.skeleton.joints), 4)
        if joints.dtype != np.float32 or valid.dtype != np.bool_ or shot.dtype.kind != "i" or shot.ndim != 1:
            raise ValueError("arrays of other types")
        if joints.shape != shape or valid.shape != shape[:2] or not 0 < len(shot) <= MAX_SHOTS * MAX_WINDOWS:
            raise ValueError(f"windows of {joints.shape}, {valid.shape} and {shot.shape}")
        if not np.isfinite(joints).all() or np.abs(joints).max() > 1e3 or (np.diff(shot) < 0).any() or shot[0] < 0:
            raise ValueError("joints or shots out of range")
        return Taught(label, spec, joints, valid, shot.astype(np.int64))
    except (UsageError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = ascii(str(error))[1:-1][:100]
        raise UsageError(f"taught: {path} is damaged or of another version ({reason}); it is not used") from None


def _told(spec: WindowSpec) -> str:
    return f"{spec.seconds:g} s at {spec.rate_hz:g} Hz of {spec.skeleton.name}"
