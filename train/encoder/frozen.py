"""A trained encoder, frozen, and the features that heads learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from edge_app.errors import UsageError
from edge_app.ranker.layers import unit
from edge_app.types import Window
from edge_app.window.normalize import normalize
from edge_app.window.skeleton import LAYOUTS, WindowSpec
from train.data.clips import Bank, Clip
from train.data.texts import ConceptTexts, mean_text
from train.encoder.training_set import load_training_clips
from train.encoder.unseen import Unseen, unseen_features, unseen_top1
from train.models.edge import Branches, Detailed, EdgeEncoder, EncoderConfig
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.models.web_teacher import BesideWeb, WebTeacher
from train.synthetic.augment import plain_windows, training_windows
from train.synthetic.bank import ComposedBank, load_generated, seen_clips


def load_encoder(path: Path) -> tuple[EdgeEncoder | Branches, WindowSpec, dict[str, Any]]:
    """A trained encoder in evaluation mode, its window, and the checkpoint's other entries."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"--encoder {path}: {error}") from None
    config = saved["config"]
    encoder: EdgeEncoder | Branches
    if isinstance(config, dict):
        encoder = EdgeEncoder(EncoderConfig(**config))
    else:
        encoder = Branches([EncoderConfig(**one) for one in config])
    prefix = "encoder."
    encoder.load_state_dict({k[len(prefix) :]: v for k, v in saved["model"].items() if k.startswith(prefix)})
    window = saved["window"]
    return encoder.eval(), WindowSpec(window["seconds"], window["rate_hz"], LAYOUTS[window["skeleton"]]), saved


def device_network(
    encoder: EdgeEncoder | Branches, spec: WindowSpec, saved: Mapping[str, Any], *, detailed: bool
) -> nn.Module:
    """What a window is made into on the device, in one vector: `[pooled | of FS-VAE | shares of the web's classes]`.

    detailed: with what FS-VAE reads. The web's classes are there where the checkpoint has the web teacher.
    """
    network: nn.Module = Detailed(encoder) if detailed else encoder
    if "web" not in saved:
        return network
    model = ShiftGCN(ShiftConfig(classes=len(saved["web"]["names"])))
    model.load_state_dict(saved["web"]["model"])
    return BesideWeb(network, WebTeacher(model, spec.length)).eval()


def web_classes(saved: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The web teacher's classes as `edge_app.ranker.conse.WebClasses` has them; nothing without one."""
    if "web" not in saved:
        return {}
    names = saved["web"]["names"]
    return {"texts": unit(ConceptTexts(names).pooled(names) - mean_text()), "mean": mean_text()}


@torch.inference_mode()
def encode(encoder: nn.Module, windows: np.ndarray) -> np.ndarray:
    """`[N, T, J, 4] -> [N, D]`."""
    return np.concatenate(
        [encoder(torch.from_numpy(part)).numpy() for part in np.array_split(windows, len(windows) // 128 + 1)]
    )


def encode_clips(encoder: nn.Module, spec: WindowSpec, cut: Sequence[list[Window]]) -> tuple[np.ndarray, np.ndarray]:
    """Features `[W, D]` of all windows of clips, and each one's clip, int `[W]`."""
    windows = [normalize(w.joints, w.valid, spec.skeleton) for own in cut for w in own]
    return encode(encoder, np.stack(windows)), np.repeat(np.arange(len(cut)), [*map(len, cut)])


def draw_features(
    encoder: nn.Module, bank: Bank, spec: WindowSpec, rounds: int, seed: int, *, clips: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Features `[N, D]` of every clip, `rounds` times augmented and three times plain; each one's concept, or clip."""
    rng = np.random.default_rng(seed)
    named = np.arange(len(bank)) if clips else bank.concept
    features, names = [], []
    for part in tqdm(np.array_split(np.arange(len(bank)), len(bank) // 256 + 1), desc="features", disable=None):
        for _ in range(rounds):
            features.append(encode(encoder, training_windows(bank, part, spec, rng)))
            names.append(named[part])
        plain = plain_windows(bank, part, spec)
        features.append(encode(encoder, plain.reshape(-1, *plain.shape[2:])))
        names.append(np.repeat(named[part], plain.shape[1]))
    return np.concatenate(features), np.concatenate(names)


@dataclasses.dataclass(frozen=True)
class Extra:
    """Features of composed windows beside the named concepts: `[M, D]`, and the clip of each, int `[M]`."""

    composed: ComposedBank
    features: np.ndarray
    clip: np.ndarray


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A trained encoder, the clips at hand, and features `[N, D]` of those that its training saw."""

    encoder: EdgeEncoder | Branches | Detailed
    spec: WindowSpec
    saved: dict[str, Any]
    clips: list[Clip]
    bank: Bank
    texts: ConceptTexts
    rounds: int
    seed: int
    features: np.ndarray
    concept: np.ndarray
    extra: Extra | None

    def cosine(self, x: Tensor, text: Tensor) -> Tensor:
        """The encoder's own text head, scaled: features `[B, D]` and texts `[K, E]` to logits `[B, K]`."""
        weights = self.saved["model"]
        mapped = functional.normalize(text - weights["text_mean"], dim=1) @ weights["text_map.weight"].T
        return weights["scale"].exp() * functional.normalize(x, dim=1) @ functional.normalize(mapped, dim=1).T

    @property
    def detailed_encoder(self) -> Detailed:
        return self.encoder if isinstance(self.encoder, Detailed) else Detailed(self.encoder)

    @cached_property
    def detailed(self) -> Frozen:
        """The same windows as `Detailed` features beside texts with parts: for FS-VAE, drawn when first asked for."""
        encoder, composed = self.detailed_encoder, self.extra.composed.with_parts() if self.extra else None
        drawn = _draw(encoder, self.bank, composed, self.spec, self.rounds, self.seed)
        return dataclasses.replace(self, encoder=encoder, texts=self.texts.with_parts(), **drawn)

    @cached_property
    def _unseen(self) -> dict[str, Unseen]:
        """What this encoder did not see."""
        how = (self.saved["withheld"], self.saved["left_out"])
        return unseen_features(self.encoder, self.clips, *how, parts=self.texts.parts)

    def unseen(self, compare: Callable[[Tensor, Tensor], Tensor]) -> dict[str, float]:
        """`train.encoder.unseen.unseen_top1` of what this encoder did not see."""
        return unseen_top1(self._unseen, compare)


def freeze(path: Path, data: Path, rounds: int, seed: int) -> Frozen:
    """Draw the features that a head learns from."""
    encoder, spec, saved = load_encoder(path)
    settings = saved["settings"]
    clips = load_training_clips(
        data, generated=int(settings["generated"]), named=int(settings["named"]), seed=int(settings["motion_seed"])
    )
    filmed_in = Path(settings["drawn"]) if settings["drawn"] != "None" else None
    composed, filmed = load_generated(
        int(settings["composed"]), int(settings["motion_seed"]), Path(settings["cache"]), filmed_in, saved["withheld"]
    )
    seen = seen_clips(clips + filmed, saved["left_out"], saved["withheld"], saved["held_people"])
    bank = Bank(seen, saved["concepts"])
    drawn = _draw(encoder, bank, composed, spec, rounds, seed)
    return Frozen(encoder, spec, saved, clips, bank, ConceptTexts(bank.concepts), rounds, seed, **drawn)


def _draw(
    encoder: nn.Module, bank: Bank, composed: ComposedBank | None, spec: WindowSpec, rounds: int, seed: int
) -> dict[str, Any]:
    """The fields of `Frozen` that hold features."""
    features, concept = draw_features(encoder, bank, spec, rounds, seed)
    extra = None
    if composed is not None:
        extra = Extra(composed, *draw_features(encoder, composed.bank, spec, rounds, seed, clips=True))
    return {"features": features, "concept": concept, "extra": extra}
