"""Which bodies of an NTU clip become its people: as the papers' codes choose, or as `train.data.ntu.people` does.

Each choice makes float32 `[M, T, 25, 3]` of a file's frames and bodies, M 0 to 2; who is not there is zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from train.data.ntu import JOINTS, SHORT, WIDE_SHARE, Body, people, wide

Choice = Callable[[int, list[Body]], np.ndarray]


def shift_gcn(frames: int, bodies: list[Body]) -> np.ndarray:
    """2s-AGCN's and Shift-GCN's: of the first four of each frame's list the two whose place in it has most energy.

    Energy: standard deviations of x, y and z over the frames with somebody, added up (METHODS.md 7.1, "P1").
    """
    places = _by_place(frames, bodies, 4)
    there = [place[place.sum(axis=(1, 2)) != 0] for place in places]
    energy = np.array([found.reshape(-1, 3).std(axis=0).sum() if len(found) else 0.0 for found in there])
    return _kept(places[energy.argsort(kind="stable")[::-1][:2]])


def st_gcn(frames: int, bodies: list[Body]) -> np.ndarray:
    """ST-GCN's, which AimCLR and SMIE read: the first two of each frame's list, whoever they are."""
    return _kept(_by_place(frames, bodies, 2))


def ctr_gcn(frames: int, bodies: list[Body]) -> np.ndarray:
    """CTR-GCN's, which STAR, Neuron and Flora use (METHODS.md 7.1, "P2"); T is the number of frames with somebody.

    Of several bodies those go that are followed for no more than 11 frames, and those that are too wide too often. The
    liveliest is the first person; each other, in order, goes on with the first person or the second where their spans
    do not overlap, and is left out where both do. Its limits of motion are never reached in the released code. Where
    its rules leave nobody the code stops; here all are kept (INFERRED).
    """
    shown = np.unique(np.concatenate([body.frames for body in bodies])) if bodies else np.zeros(0, int)
    if len(bodies) > 1:
        bodies = [body for body in bodies if len(body.frames) > SHORT] or bodies
    lively: list[tuple[float, Body]] = []
    for number, body in enumerate(bodies):
        motion, left = body.motion, len(lively) + len(bodies) - number
        noisy = wide(body)
        if left > 1 and noisy.mean() >= WIDE_SHARE:
            continue
        if left > 1 and noisy.any():
            motion = min(motion, float(body.joints[~noisy].reshape(-1, 3).var(axis=0).sum()))
        lively.append((motion, body))
    lively.sort(key=lambda pair: -pair[0])
    two = np.zeros((2, frames, JOINTS, 3), np.float32)
    spans: list[tuple[int, int]] = [(0, 0), (0, 0)]
    for number, (_, body) in enumerate(lively):
        start, end = (int(t) for t in np.searchsorted(shown, body.frames[[0, -1]]))
        for person, (first, last) in enumerate(spans):
            if number == 0 or min(last, end) - max(first, start) <= 0:
                two[person, body.frames] = body.joints
                spans[person] = (start, end) if number == 0 else (min(first, start), max(last, end))
                break
    two = two[:, shown]
    return _kept(two[:, two.sum(axis=(0, 2, 3)) != 0])


def _by_place(frames: int, bodies: list[Body], places: int) -> np.ndarray:
    """`[places, frames, 25, 3]`, by the place in each frame's own list; those of later places are left out."""
    found = np.zeros((places, frames, JOINTS, 3), np.float32)
    for body in bodies:
        fits = body.place < places
        found[body.place[fits], body.frames[fits]] = body.joints[fits]
    return found


def _kept(two: np.ndarray) -> np.ndarray:
    """Without people after the last who is there at all."""
    there = np.flatnonzero(two.any(axis=(1, 2, 3)))
    return two[: there[-1] + 1] if len(there) else two[:0]


BODIES: dict[str, Choice] = {"mended": people, "shift-gcn": shift_gcn, "ctr-gcn": ctr_gcn, "st-gcn": st_gcn}
