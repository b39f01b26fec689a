"""How well an encoder names concepts that it was not trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from train.data.clips import SPEC, Bank, Clip, some
from train.data.texts import ConceptTexts
from train.synthetic.augment import plain_windows

EVALUATED = 600
"""At most so many clips are tested after each epoch; the same ones every time."""


@dataclasses.dataclass(frozen=True)
class Unseen:
    """Features of clips, some windows of each, `[N, V, D]`; each clip's concept, int `[N]`; all texts `[K, E]`."""

    features: Tensor
    concept: np.ndarray
    texts: Tensor


@torch.inference_mode()
def unseen_features(
    encoder: nn.Module, clips: list[Clip], withheld: Iterable[str], left_out: Iterable[str], *, parts: bool = False
) -> dict[str, Unseen]:
    """Withheld concepts, and each data set left out, by its own names; at most `EVALUATED` clips each.

    parts: texts go on with those of body parts (`TextBank.with_parts`).
    """
    withheld, left_out = set(withheld), sorted(left_out)
    held = [c for c in clips if c.dataset not in (*left_out, "named", "drawn") and c.concept in withheld]
    asked = {"withheld": held} if held else {}
    for name in left_out:
        asked[name] = [dataclasses.replace(c, concept=c.name) for c in clips if c.dataset == name]
    found = {}
    for name, own in asked.items():
        bank = Bank(some(own, EVALUATED))
        texts = ConceptTexts(bank.concepts)
        told = (texts.with_parts() if parts else texts).pooled(bank.concepts)
        windows = torch.from_numpy(plain_windows(bank, np.arange(len(bank)), SPEC))
        features = torch.cat([encoder(w.flatten(0, 1)) for w in windows.split(64)])
        found[name] = Unseen(features.unflatten(0, windows.shape[:2]), bank.concept, torch.from_numpy(told))
    return found


@torch.inference_mode()
def unseen_top1(unseen: dict[str, Unseen], compare: Callable[[Tensor, Tensor], Tensor]) -> dict[str, float]:
    """Class-mean top-1 of each, among its own texts. compare: features `[B, D]`, texts `[K, E]` to `[B, K]`."""
    row = {}
    for name, own in unseen.items():
        logits = torch.cat([compare(x.flatten(0, 1), own.texts) for x in own.features.split(64)])
        guess = logits.unflatten(0, own.features.shape[:2]).log_softmax(-1).mean(1).argmax(1).numpy()
        right = [np.mean(guess[own.concept == k] == k) for k in range(len(own.texts))]
        row[f"{name}_top1"] = round(float(np.mean(right)), 4)
    return row
