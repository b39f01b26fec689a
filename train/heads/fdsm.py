"""Train FDSM on the frozen features of a trained encoder."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_app.errors import UsageError
from train.data.texts import RowTexts, centre_of
from train.heads.loop import Batch, Recipe, Samples, fit
from train.models.diffusion import time_embedding
from train.models.fdsm import Fdsm, FdsmConfig


def fit_fdsm(
    samples: Samples, config: FdsmConfig, recipe: Recipe, text_map: Tensor | None = None,
    targets: np.ndarray | None = None,
) -> Fdsm:  # fmt: skip
    """Train an FDSM head; returns its exponential average.

    Texts are two tokens, names and description, as `LabelTable.pooled` has them, whatever the config says; a sparse
    text has its names for both, as on the device for words that the shipped table does not know. (The authors' code
    has the motion's description for a sparse text and a definition for a rich one: METHODS.md 3.3.) `RowTexts` are read
    as they are: tokens and a pooled row, or one row, of both texts.

    Args:
        text_map: `[D, texts.dim]`, where anchors begin.
        targets: `[K]` from 0 to 1, how much high frequencies matter for each name; the gate learns them first, and then
            no more (3.2 b).
    """
    torch.manual_seed(recipe.seed)
    texts, names = samples.texts, samples.names
    rows: dict[str, int | bool] = {"text": texts.dim // 2, "tokens": 2, "pooled": False}
    if isinstance(texts, RowTexts):
        rows = {"text": texts.width, "tokens": max(1, texts.count - 1), "pooled": texts.count > 1}
    config = dataclasses.replace(config, feature=samples.features.shape[1], **rows)  # type: ignore[arg-type]
    model = Fdsm(config)
    x = torch.from_numpy(samples.features)
    if config.standardise:
        model.feature_mean.copy_(x.mean(0))
        model.feature_std.fill_(float(x.std(0).square().mean().sqrt()))
        model.text_mean.copy_(torch.from_numpy(centre_of(texts, names)))
    if config.axes == "principal":
        model.axes.copy_(torch.linalg.eigh(torch.cov(model.standardised(x).T)).eigenvectors.flip(1).T)
    if text_map is not None and model.text_map is not None:
        model.text_map.weight.data.copy_(text_map)

    both = texts.both if isinstance(texts, RowTexts) else lambda text: (names_alone(text), text)
    learned = [*model.parameters()]
    if targets is not None:
        rich = both(torch.from_numpy(texts.pooled(names)))[1]
        distil_gate(model.gate, model.pooled(model.rows(rich)), torch.from_numpy(targets), recipe.seed)
        learned = [parameter for name, parameter in model.named_parameters() if not name.startswith("gate.")]

    def loss(b: Batch, step: int) -> Tensor:
        share = rich_share(step, recipe.steps, config.rich_floor)
        sparse, rich = both(b.text)
        return model.loss(b.feature, b.own, sparse, rich, share, b.same)

    slow = [] if model.text_map is None else [*model.text_map.parameters()]
    return fit(model, samples, recipe, loss, learned=learned, slow=slow, no_description=0)


def distil_gate(gate: nn.Module, texts: Tensor, targets: Tensor, seed: int) -> None:
    """Stage 1 of FDSM (METHODS.md 3.2 b): squared error on the gate's share, AdamW, 50 epochs of batches of 16.

    A fifth of the texts says which epoch is kept. Texts are of seen classes alone, and the gate learns no more
    afterwards (both INFERRED). texts: `[K, E]`; targets: `[K]`, 0 to 1.
    """
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(texts)))
    held, shown = order[: max(1, len(texts) // 5)], order[max(1, len(texts) // 5) :]
    optimiser = torch.optim.AdamW(gate.parameters(), 1e-4, weight_decay=1e-5)
    generator = torch.Generator().manual_seed(seed)
    best, kept = math.inf, gate.state_dict()

    def error(rows: Tensor) -> Tensor:
        return functional.mse_loss(gate(texts[rows])[:, 0].sigmoid(), targets[rows].to(texts.dtype))

    for _ in range(50):
        for part in shown[torch.randperm(len(shown), generator=generator)].split(16):
            optimiser.zero_grad()
            error(part).backward()
            optimiser.step()
        with torch.no_grad():
            found = float(error(held))
        if found < best:
            best, kept = found, {name: value.clone() for name, value in gate.state_dict().items()}
    gate.load_state_dict(kept)


def rich_share(step: int, steps: int, floor: float = 0.0) -> float:
    """Probability of a rich text at a step of training: a half cosine from 1 to `floor` (3.2 d, where it is 0)."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps))


def names_alone(text: Tensor) -> Tensor:
    """The sparse form of pooled texts: the names' half for the description's too: `[K, E] -> [K, E]`."""
    names = text[:, : text.shape[1] // 2]
    return torch.cat([names, names], dim=1)


def device_weights(model: Fdsm) -> dict[str, np.ndarray]:
    """What `FdsmModel` needs, float32: time is folded in at t = `match_at`, what only training uses is left out.

    Raises:
        UsageError: a model that the device cannot fold: two-way, without anchors, null text, or standardisation.
    """
    c = model.config
    if not (c.one_way and c.anchor and c.null and c.standardise and not c.pooled):
        raise UsageError("fdsm: only one-way models with anchors, a null text and no pooled row run on the device")
    unused = ("time.", "axes", "alpha_bar", *(f"blocks.{c.depth - 1}.text.{part}" for part in ("out", "mlp")))
    weights = {n: v.cpu().numpy() for n, v in model.state_dict().items() if not n.startswith(unused)}
    with torch.inference_mode():
        weights["time"] = model.time(time_embedding(torch.tensor(c.match_at), c.time)).numpy()
    weights["alpha_bar"] = model.alpha_bar[c.match_at].numpy()
    weights["heads"] = np.array(c.heads)
    return weights
