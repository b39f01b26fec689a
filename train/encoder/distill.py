"""Features and logits of the NTU-120 Shift-GCN for our true 3-D skeletons, computed once, to distill the encoder from.

    python -m train teacher --data ../shared/data --weights ../shared/weights/ntu120_ShiftGCN_joint_xsub.pt \\
        --out cache/teacher-0.npz --seed 0

The clips are those that `train encoder` loads with the same `--generated`, `--named`, `--composed` and `--seed`; flat
ones have no teacher. A clip is found again by a digest of its joints (`Teacher.rows`), so the order and choice of clips
do not matter, and a run goes on where an earlier one stopped. `--frames 300` is the authors' protocol to the letter;
repeating shorter clips to only 128 frames costs half as much (0.04 s a clip) and gives the same class for 88 %, and
features with a cosine of 0.97 to the others, about their mean (105 clips of all sets).

Preparation follows METHODS.md 7.1 and 8.6 but in one thing: the weights' own input statistics have mean and variance 0
at joint 1 of the first body, so its place is subtracted in *every* frame, not once a clip (INFERRED from the weights).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from edge_app.bundles.files import whole
from edge_app.errors import UsageError
from edge_app.window.skeleton import CORE15, NTU25
from train.data.clips import Clip
from train.data.preprocess import turn_onto
from train.data.texts import ConceptTexts
from train.encoder.training_set import load_training_clips
from train.models.shiftgcn import ShiftGCN, frozen, load_weights
from train.synthetic.bank import load_composed

RATE_HZ = 30.0
LONGEST = 300
"""Frames that the authors' network reads; of a longer clip the first ones."""
BETWEEN_SAVES = 1000
NECK, HAND, TIP = 0.35, 0.25, 0.4
"""Neck: part of the way from the shoulders to the head. Hand and its tip: past the wrist, in forearms. All INFERRED."""
NTU_CONCEPTS = Path(__file__).parents[1] / "data/ntu_concepts.csv"


def _from_core15() -> np.ndarray:
    """float32 `[25, 15]`: NTU-25 joints as sums of `core15` joints, METHODS.md 8.6; a foot is where its ankle is."""
    matrix = np.zeros((25, 15), np.float32)
    to, of = NTU25.joints.index, CORE15.joints.index
    for name in CORE15.joints:
        if name in NTU25.joints:
            matrix[to(name), of(name)] = 1
    pelvis, neck, head = (np.eye(15, dtype=np.float32)[of(name)] for name in ("pelvis", "neck", "head"))
    matrix[to("spine_base")], matrix[to("spine_mid")], matrix[to("spine_shoulder")] = pelvis, (pelvis + neck) / 2, neck
    matrix[to("neck")] = neck + NECK * (head - neck)
    for side in ("left", "right"):
        elbow, wrist = matrix[to(f"{side}_elbow")], matrix[to(f"{side}_wrist")]
        for name, part in (("hand", HAND), ("thumb", HAND), ("hand_tip", TIP)):
            matrix[to(f"{side}_{name}")] = wrist + part * (wrist - elbow)
        matrix[to(f"{side}_foot")] = matrix[to(f"{side}_ankle")]
    return matrix


FROM_CORE15 = _from_core15()


def prepared(clip: Clip) -> np.ndarray | None:
    """A clip as the authors' network reads a body: float32 `[F, 25, 3]`, 30 frames a second; None if nobody is there.

    Metres; SpineMid is the origin of every frame. In the first frame the spine is +z and the shoulders, from left to
    right, are +x, so that +y is the front. Frames with a collapsed body are passed over.
    """
    xyz = clip.joints[..., :3]
    spine, shoulders = xyz[:, 1] - xyz[:, 0], xyz[:, 6] - xyz[:, 3]
    whole = (np.linalg.norm(spine, axis=1) > 0.05) & (np.linalg.norm(shoulders, axis=1) > 0.02)
    whole &= clip.joints[..., 3].all(axis=1)
    if clip.flat or whole.sum() < 2:
        return None
    xyz, seconds = xyz[whole], np.flatnonzero(whole) / clip.fps
    at = np.arange(seconds[0], seconds[-1] + 1e-6, 1 / RATE_HZ)[:LONGEST]
    after = np.searchsorted(seconds, at - 1e-6).clip(1, len(seconds) - 1)
    part = ((at - seconds[after - 1]) / (seconds[after] - seconds[after - 1])).clip(0, 1)[:, None, None]
    body = FROM_CORE15 @ (xyz[after - 1] * (1 - part) + xyz[after] * part)
    body -= body[:, 1:2].copy()
    body = body @ turn_onto(body[0, 1] - body[0, 0], np.array([0.0, 0.0, 1.0])).T
    body = body @ turn_onto(body[0, 8] - body[0, 4], np.array([1.0, 0.0, 0.0])).T
    return body.astype(np.float32)


class TeacherNetwork:
    """Shift-GCN over one body, the absent second one added as the constant that it is.

    frames: bodies are repeated to at least so many frames; longer ones are read whole.
    """

    def __init__(self, model: ShiftGCN, frames: int) -> None:
        self._model, self._frames = frozen(model), frames
        self._absent: dict[int, torch.Tensor] = {}

    @torch.inference_mode()
    def __call__(self, body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`prepared` body -> feature `[256]`, logits `[120]`."""
        steps = min(LONGEST, max(self._frames, -(-len(body) // 4) * 4))
        if steps not in self._absent:
            self._absent[steps] = self._model.body(torch.zeros(1, 3, steps, 25), 1)
        repeated = torch.from_numpy(body[np.arange(steps) % len(body)]).permute(2, 0, 1)[None]
        feature = (self._model.body(repeated, 0) + self._absent[steps]) / 2
        return feature[0].numpy(), self._model.fc(feature)[0].numpy()


def digest(clip: Clip) -> int:
    """The same for the same joints."""
    joints = np.ascontiguousarray(clip.joints, np.float32)
    return int.from_bytes(hashlib.blake2b(joints.tobytes(), digest_size=8).digest(), "little")


class Teacher:
    """What `train teacher` kept.

    feature: float16 `[N, 256]`. logits: float16 `[N, 120]`, over NTU classes A1 to A120. dataset: str `[N]`.
    """

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as saved:
                self.digests, self.dataset = saved["digest"], saved["dataset"]
                self.feature, self.logits, self.frames = saved["feature"], saved["logits"], int(saved["frames"])
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"teacher {path}: {error}; expected a file of `train teacher`") from None
        self._row = {int(value): i for i, value in enumerate(self.digests)}

    def rows(self, clips: Sequence[Clip]) -> np.ndarray:
        """The row of each clip, int `[len(clips)]`; -1 where it has no teacher."""
        return np.array([-1 if clip.flat else self._row.get(digest(clip), -1) for clip in clips])


def ntu_concepts() -> list[tuple[str, ...]]:
    """Our concepts that each NTU class shows, in the order of the logits; most show one, "nod head/bow" two."""
    with NTU_CONCEPTS.open(newline="", encoding="utf-8") as file:
        return [tuple(name for name in row["concept"].split(";") if name) for row in csv.DictReader(file)]


class DistillationLoss:
    """Two losses against the teacher: of its features, and of its class probabilities over our concepts' texts.

    Classes that show a concept in `withheld` are left out of the latter. Features are used as they are: they know more
    of a withheld class than the student should.
    """

    def __init__(self, teacher: Teacher, withheld: Iterable[str]) -> None:
        shown = ntu_concepts()
        concepts = sorted({name for names in shown for name in names} - set(withheld))
        share = np.zeros((len(shown), len(concepts)), np.float32)
        for i, names in enumerate(shown):
            share[i, [concepts.index(name) for name in names if name in concepts]] = 1 / len(names)
        feature, logits = teacher.feature.astype(np.float32), teacher.logits.astype(np.float32)
        self.feature = torch.from_numpy(feature - feature.mean(axis=0))
        shares = torch.from_numpy(logits / 2).softmax(dim=1) @ torch.from_numpy(share) + 1e-6
        self.shares = shares / shares.sum(dim=1, keepdim=True)
        self.texts = ConceptTexts(concepts)

    def of_features(self, mapped: Tensor, rows: np.ndarray) -> Tensor:
        """One minus the cosine between mapped features `[B, 256]` and the teacher's, about their mean."""
        return 1 - functional.cosine_similarity(mapped, self.feature[rows]).mean()

    def of_texts(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        """KL divergence of the student's logits over the concepts' texts, `[B, K]`, from the teacher's shares."""
        return functional.kl_div(logits.log_softmax(dim=1), self.shares[rows], reduction="batchmean")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of core15 npz sets with concepts.csv")
    parser.add_argument("--weights", type=Path, required=True, help="the authors' NTU-120 joint-stream weights")
    parser.add_argument("--out", type=Path, required=True, help="npz to write or to go on with")
    parser.add_argument("--frames", type=int, default=128, help="frames to repeat a clip to; 300 as the authors do")
    parser.add_argument("--generated", type=int, default=40)
    parser.add_argument("--named", type=int, default=0)
    parser.add_argument("--composed", type=int, default=6000)
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder of the composed clips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    if not 4 <= arguments.frames <= LONGEST or arguments.frames % 4:
        raise UsageError(f"--frames {arguments.frames}: expected a multiple of 4 up to {LONGEST}")
    network = TeacherNetwork(load_weights(arguments.weights), arguments.frames)
    clips = load_training_clips(
        arguments.data, generated=arguments.generated, named=arguments.named, seed=arguments.seed
    )
    if arguments.composed:
        clips += load_composed(arguments.composed, arguments.seed, arguments.cache).bank.clips
    clips = [clip for clip in clips if not clip.flat]

    done: dict[int, tuple[str, np.ndarray, np.ndarray]] = {}
    if arguments.out.is_file():
        kept = Teacher(arguments.out)
        if kept.frames != arguments.frames:
            raise UsageError(f"--out {arguments.out}: made with --frames {kept.frames}, not {arguments.frames}")
        rows = zip(kept.digests.tolist(), kept.dataset.tolist(), kept.feature, kept.logits, strict=True)
        done = {key: (dataset, feature, logits) for key, dataset, feature, logits in rows}
    made, nobody = 0, 0
    for clip in tqdm(clips, "teacher", mininterval=5):
        key = digest(clip)
        if key in done:
            continue
        body = prepared(clip)
        if body is None:
            nobody += 1
            continue
        feature, logits = network(body)
        done[key] = (clip.dataset, feature.astype(np.float16), logits.astype(np.float16))
        made += 1
        if made % BETWEEN_SAVES == 0:
            _save(arguments.out, done, arguments.frames)
    _save(arguments.out, done, arguments.frames)
    print(f"{arguments.out}: {len(done)} clips, {made} of them new; {nobody} with nobody in them")


def _save(path: Path, done: dict[int, tuple[str, np.ndarray, np.ndarray]], frames: int) -> None:
    datasets, features, logits = zip(*done.values(), strict=True)
    with whole(path) as partial:
        np.savez(
            partial, digest=np.array([*done], np.uint64), dataset=np.array(datasets), feature=np.stack(features),
            logits=np.stack(logits), frames=np.int64(frames),
        )  # fmt: skip
