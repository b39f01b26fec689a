"""Who of a clip's bodies are people, as the papers' codes choose them: their rules written anew, on ugly files."""

import numpy as np
import pytest

from tests.train.formats import STANDING, acting, body_frames, skeleton_text, write_ntu_folder
from train.__main__ import main
from train.data.bodies import BODIES
from train.data.ntu import read_bodies
from train.data.prepared import read_prepared

RNG = np.random.default_rng(3)
ONE, TWO, THREE = (acting(action, 60, RNG, x=x) for action, x in ((1, -1.0), (6, 0.0), (11, 1.0)))
STILL = np.repeat((0.3 * STANDING + [0.5, -0.5, 2.5])[None], 60, axis=0) + RNG.normal(0, 1e-3, (60, 1, 3))
WALKS_FAR = ONE + np.linspace(0, 4, 60)[:, None, None] * [1.0, 0, 0]
FURNITURE = np.repeat((RNG.uniform(-1, 1, (25, 3)) * [0.6, 0.2, 0.2] + [1, 0, 2])[None], 60, axis=0)
HALF_WIDE = np.where(np.arange(60)[:, None, None] % 2, 3 * RNG.normal(size=(60, 25, 3)) * [1, 0.1, 0.1], TWO)


def frames_of(*bodies: tuple[int, np.ndarray, range]) -> list[list[tuple[int, np.ndarray]]]:
    return [[(number, joints[t]) for number, joints, when in bodies if t in when] for t in range(60)]


ALL = range(60)
CLIPS = {
    "one": frames_of((7, ONE, ALL)),
    "two": frames_of((7, ONE, ALL), (3, TWO, ALL)),
    "late second": frames_of((7, ONE, ALL), (3, TWO, range(25, 50))),
    "three at once": frames_of((7, ONE, ALL), (3, TWO, ALL), (5, THREE, range(10, 60))),
    "numbers change": frames_of((7, ONE, range(20)), (8, ONE, range(20, 45)), (9, ONE, range(45, 60))),
    "two change": frames_of((1, ONE, range(30)), (2, TWO, range(28)), (3, TWO, range(28, 60)), (4, ONE, range(30, 60))),
    "nobody at times": frames_of((7, ONE, range(5, 20)), (8, TWO, range(30, 55))),
    "ghost": frames_of((1, FURNITURE, ALL), (7, ONE, ALL)),
    "brief": frames_of((1, TWO, range(11)), (7, ONE, ALL)),
    "still and small": frames_of((1, STILL, ALL), (7, ONE, ALL)),
    "walks far": frames_of((1, STILL, ALL), (7, WALKS_FAR, ALL)),
    "wide at times": frames_of((1, HALF_WIDE, ALL), (7, WALKS_FAR, range(40)), (9, ONE, range(40, 60))),
    "only brief ones": frames_of((1, TWO, range(9)), (7, ONE, range(20, 30))),
}


def by_place(clip, most):
    out = np.zeros((most, 60, 25, 3))
    for t, bodies in enumerate(clip):
        for place, (_, joints) in enumerate(bodies[:most]):
            out[place, t] = joints
    return out


def shift_gcn(clip):
    people = by_place(clip, 4)
    energy = []
    for person in people:
        shown = person[[frame.sum() != 0 for frame in person]]
        energy.append(sum(shown[..., axis].std() for axis in range(3)) if len(shown) else 0)
    first, second = sorted(range(4), key=lambda place: -energy[place])[:2]
    return people[[first, second]]


def ctr_gcn(clip):
    """The numbers' tracks over the frames that have anybody, by dictionaries as in the released scripts."""
    clip = [bodies for bodies in clip if bodies]
    tracks: dict[int, dict[int, np.ndarray]] = {}
    for t, bodies in enumerate(clip):
        for number, joints in bodies:
            tracks.setdefault(number, {})[t] = joints
    motion = {n: np.var(np.concatenate(list(track.values())), axis=0).sum() for n, track in tracks.items()}
    if len(tracks) > 1:
        tracks = {n: track for n, track in tracks.items() if len(track) > 11} or tracks
    for number, track in list(tracks.items()):
        if len(tracks) == 1:
            break
        good = [j for j in track.values() if np.ptp(j[:, 0]) <= 0.8 * np.ptp(j[:, 1])]
        if len(good) == len(track):
            continue
        if 1 - len(good) / len(track) >= 0.69754:
            del tracks[number]
        else:
            motion[number] = min(motion[number], np.var(np.concatenate(good), axis=0).sum())
    order = sorted(tracks, key=lambda n: -motion[n])
    out, spans = np.zeros((2, len(clip), 25, 3)), [None, (0, 0)]
    for number in order:
        own = min(tracks[number]), max(tracks[number])
        for person in (0, 1):
            taken = spans[person]
            if taken is None or min(taken[1], own[1]) - max(taken[0], own[0]) <= 0:
                for t, joints in tracks[number].items():
                    out[person, t] = joints
                spans[person] = own if taken is None else (min(own[0], taken[0]), max(own[1], taken[1]))
                break
    return out[:, [t for t in range(len(clip)) if out[:, t].sum() != 0]]


EXPECTED = {"shift-gcn": shift_gcn, "st-gcn": lambda clip: by_place(clip, 2), "ctr-gcn": ctr_gcn}


@pytest.mark.parametrize("paper", EXPECTED)
@pytest.mark.parametrize("clip", CLIPS)
def test_people_are_those_of_the_papers_code(tmp_path, paper, clip):
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text(skeleton_text(CLIPS[clip]))
    found, expected = BODIES[paper](*read_bodies(path)), EXPECTED[paper](CLIPS[clip])
    two = np.zeros(expected.shape)
    two[: len(found)] = found
    np.testing.assert_allclose(two, expected, atol=1e-5)
    assert found.dtype == np.float32 and (not len(found) or found[-1].any())


def test_ours_drops_the_still_and_the_far_and_theirs_do_not(tmp_path):
    """The limits of motion, which stand behind a return in CTR-GCN's code."""
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text(skeleton_text(CLIPS["still and small"]))
    assert len(BODIES["mended"](*read_bodies(path))) == 1 and len(BODIES["ctr-gcn"](*read_bodies(path))) == 2


def test_prepare_takes_who_it_is_told(tmp_path, capsys):
    path = write_ntu_folder(tmp_path / "raw", actions=(1,), subjects=(1,), cameras=(1,))[0]
    path.write_text(skeleton_text(CLIPS["three at once"]))
    for bodies in BODIES:
        words = ["--dataset", "ntu60", "--root", str(tmp_path / "raw"), "--out", str(tmp_path / bodies)]
        assert main(["prepare", *words, "--bodies", bodies]) == 0
        shard = next(read_prepared(tmp_path / bodies))
        i = shard.name.tolist().index(path.stem)
        np.testing.assert_array_equal(shard.clip(i), BODIES[bodies](*read_bodies(path)))
    assert main(["prepare", *words, "--bodies", "mended"]) == 2, "another choice, another folder"
    capsys.readouterr()
    assert main(["prepare", "--dataset", "pku", "--root", str(tmp_path), "--out", "x", "--bodies", "st-gcn"]) == 2
    assert "only for ntu60 and ntu120" in capsys.readouterr().err


def test_nobody_is_nobody(tmp_path):
    path = tmp_path / "S001C001P001R001A001.skeleton"
    for clip in ([[], []], body_frames(np.zeros((20, 25, 3)))):
        path.write_text(skeleton_text(clip))
        assert all(len(choose(*read_bodies(path))) == 0 for choose in BODIES.values())
