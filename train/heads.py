"""Train a ranker on the frozen features of a trained encoder.

    python -m train head --encoder runs/encoder/encoder.pt --data ../shared/data --out runs/scale --seed 0

Features of augmented windows are drawn once (`--rounds` times over all clips) and kept in the run folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from edge_app.errors import UsageError
from edge_app.skeleton import LAYOUTS
from edge_app.window import WindowSpec
from train.data.augment import plain_windows, training_windows
from train.data.clips import Bank, Clip
from train.data.composed import ComposedBank, load_generated, seen_clips
from train.data.sources import load_training_clips
from train.encoder import composed_rivals, moving_average, unseen_top1
from train.models.edge import Branches, EdgeEncoder, EncoderConfig
from train.models.scale import Scale, ScaleConfig
from train.texts import ConceptTexts, FixedTexts, centre_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", type=Path, required=True, help="encoder.pt of `train encoder`")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1, help="augmented windows of each clip")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)


def load_encoder(path: Path) -> tuple[nn.Module, WindowSpec, dict]:
    """A trained encoder in evaluation mode, its window, and the checkpoint's other entries."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"--encoder {path}: {error}") from None
    config = saved["config"]
    encoder: nn.Module
    if isinstance(config, dict):
        encoder = EdgeEncoder(EncoderConfig(**config))
    else:
        encoder = Branches([EncoderConfig(**one) for one in config])
    prefix = "encoder."
    encoder.load_state_dict({k[len(prefix) :]: v for k, v in saved["model"].items() if k.startswith(prefix)})
    window = saved["window"]
    return encoder.eval(), WindowSpec(window["seconds"], window["rate_hz"], LAYOUTS[window["skeleton"]]), saved


@torch.inference_mode()
def encode(encoder: nn.Module, windows: np.ndarray) -> np.ndarray:
    """`[N, T, J, 4] -> [N, D]`."""
    return np.concatenate(
        [encoder(torch.from_numpy(part)).numpy() for part in np.array_split(windows, len(windows) // 128 + 1)]
    )


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


def fit_scale(
    features: np.ndarray, concept: np.ndarray, names: list[str], texts: ConceptTexts | FixedTexts, config: ScaleConfig,
    text_map: Tensor | None = None, extra: Extra | None = None, *, steps: int, batch: int, lr: float, seed: int,
) -> Scale:  # fmt: skip
    """Train a SCALE head; returns its exponential average. `text_map`: `[feature, text]`, where anchors begin."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Scale(config)
    x, y = torch.from_numpy(features), torch.from_numpy(concept)
    frozen = torch.from_numpy(texts.pooled(names))
    model.feature_mean.copy_(x.mean(0))
    model.feature_std.fill_(float(x.std(0).square().mean().sqrt()))
    model.text_mean.copy_(torch.from_numpy(centre_of(texts, names)))
    if text_map is not None and model.text_map is not None:
        model.text_map.weight.data.copy_(text_map)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=moving_average, use_buffers=True)
    slow = [] if model.text_map is None else [model.text_map.weight]
    rest = [p for p in model.parameters() if all(p is not s for s in slow)]
    optimiser = torch.optim.AdamW([{"params": rest}, {"params": slow}], lr=lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [lr, 0.1 * lr], total_steps=steps, pct_start=0.1)
    chance = 1 / np.sqrt(np.bincount(concept, minlength=len(names))[concept])
    picks = torch.from_numpy(rng.choice(len(x), (steps, batch), p=chance / chance.sum()))
    for step in tqdm(range(steps), desc="scale", disable=None):
        warm = min(1.0, step / (0.2 * steps))
        text: Tensor = torch.from_numpy(texts.sample(texts.rows(names), rng))
        loss = model.loss(x[picks[step]], y[picks[step]], text, warm, frozen)
        if extra is not None:
            some = rng.choice(len(extra.features), batch // 2, replace=False)
            rivals, same = composed_rivals(extra.composed, extra.clip[some], rng, batch)
            own, text = torch.arange(len(some)), torch.from_numpy(rivals)
            loss = loss + 0.5 * model.loss(torch.from_numpy(extra.features[some]), own, text, warm, text, same)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
    return average.module.eval()


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A trained encoder, the clips at hand, and features `[N, D]` of those that its training saw."""

    encoder: nn.Module
    saved: dict
    clips: list[Clip]
    bank: Bank
    features: np.ndarray
    concept: np.ndarray
    texts: ConceptTexts
    extra: Extra | None

    def unseen(self, compare: Callable[[Tensor, Tensor], Tensor]) -> dict[str, float]:
        """`train.encoder.unseen_top1` of what this encoder did not see."""
        return unseen_top1(self.encoder, compare, self.clips, self.saved["withheld"], self.saved["left_out"])


def freeze(path: Path, data: Path, rounds: int, seed: int) -> Frozen:
    """Draw the features that a head learns from."""
    encoder, spec, saved = load_encoder(path)
    settings = saved["settings"]
    clips = load_training_clips(
        data, generated=int(settings["generated"]), named=int(settings["named"]), seed=int(settings["motion_seed"])
    )
    drawn = Path(settings["drawn"]) if settings["drawn"] != "None" else None
    composed, filmed = load_generated(
        int(settings["composed"]), int(settings["motion_seed"]), Path(settings["cache"]), drawn, saved["withheld"]
    )
    seen = seen_clips(clips + filmed, saved["left_out"], saved["withheld"], saved["held_people"])
    bank = Bank(seen, saved["concepts"])
    features, concept = draw_features(encoder, bank, spec, rounds, seed)
    extra = None
    if composed is not None:
        extra = Extra(composed, *draw_features(encoder, composed.bank, spec, rounds, seed, clips=True))
    return Frozen(encoder, saved, clips, bank, features, concept, ConceptTexts(bank.concepts), extra)


def fit_head(frozen: Frozen, config: ScaleConfig, *, steps: int, batch: int, lr: float, seed: int) -> Scale:
    """`fit_scale` on frozen features, anchored where the encoder's training mapped the texts."""
    config = dataclasses.replace(config, feature=frozen.features.shape[1], text=frozen.texts.dim)
    return fit_scale(
        frozen.features, frozen.concept, frozen.bank.concepts, frozen.texts, config,
        frozen.saved["model"]["text_map.weight"], frozen.extra, steps=steps, batch=batch, lr=lr, seed=seed,
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    frozen = freeze(arguments.encoder, arguments.data, arguments.rounds, arguments.seed)
    model = fit_head(
        frozen, ScaleConfig(), steps=arguments.steps, batch=arguments.batch, lr=arguments.lr, seed=arguments.seed
    )
    torch.save(
        {"model": model.state_dict(), "config": dataclasses.asdict(model.config), "encoder": str(arguments.encoder)},
        arguments.out / "scale.pt",
    )
    features, concepts = frozen.features, frozen.bank.concepts
    with torch.inference_mode():
        part = np.random.default_rng(0).choice(len(features), min(4000, len(features)), replace=False)
        energies = model.energies(torch.from_numpy(features[part]), torch.from_numpy(frozen.texts.pooled(concepts)))
    top1 = float((energies.argmin(1).numpy() == frozen.concept[part]).mean())
    row = {"train_top1": round(top1, 4), "clips": len(frozen.bank)}
    row |= frozen.unseen(lambda x, text: -model.energies(x, text))
    (arguments.out / "metrics.json").write_text(json.dumps(row) + "\n")
    print(row)
