"""What SA-DVAE and FS-VAE have in common: Gaussian latents, the released schedule, and the classifier made of latents.

Both descend from CADA-VAE and SynSE (METHODS.md 4 and 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CYCLES = 10
"""The released training is ten cycles of the schedule, one after another (METHODS.md 4.2, 5.3)."""


@dataclass(frozen=True)
class Weights:
    """What the terms of a loss weigh at one step: b1, b2 (METHODS.md 4.2) and the cross-alignment's a or kappa."""

    kl_feature: float
    kl_text: float
    cross: float


def released_weights(step: int, steps: int, cross_from: float, kl_from: float = 0.588, rise: float = 1.765) -> Weights:
    """The schedule as coded, in shares of a cycle (METHODS.md 4.2; 5.3 gives it in iterations).

    Args:
        step: 0 to `steps` - 1 of the whole training.
        cross_from, kl_from: shares of each cycle after which cross-alignment is on, and the feature's KL grows.
        rise: shares of a cycle in which a KL's weight would grow by 0.1.
    """
    cycle, place = divmod(step * CYCLES / steps, 1)
    kl_text = 0.0 if cycle < 2 else max(0.0, 0.1 * (place - cross_from) / rise)
    return Weights(max(0.0, 0.1 * (place - kl_from) / rise), kl_text, float(place > cross_from))


def linear(inputs: int, outputs: int, parts: int = 1) -> nn.Linear:
    """Xavier-uniform with gain 0.5 and zero bias (METHODS.md 4.1); `parts` layers in one, each with its own bounds."""
    layer = nn.Linear(inputs, outputs)
    for part in layer.weight.data.chunk(parts):
        nn.init.xavier_uniform_(part, gain=0.5)
    nn.init.zeros_(layer.bias)
    return layer


def gaussian(inputs: int, latent: int) -> nn.Linear:
    """The layer that gives mean and log-variance of a latent, `[B, inputs] -> [B, 2 * latent]`."""
    return linear(inputs, 2 * latent, 2)


def posterior(layer: nn.Linear, x: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Mean and log-variance; a bound on the latter, which is ours, keeps texts unlike the training's within reason."""
    mean, log_variance = layer(x).chunk(2, dim=-1)
    return mean, log_variance.clamp(-bound, bound)


def draw(mean: Tensor, log_variance: Tensor, one_epsilon: bool, parts: tuple[int, ...] = ()) -> Tensor:
    """A sample of each row.

    Args:
        one_epsilon: one number for all dimensions of a row, as coded (METHODS.md 4.1).
        parts: widths of parts of a row that have such a number each; by default the row is one.
    """
    if not one_epsilon:
        noise = torch.randn(mean.shape, device=mean.device)
    else:
        each = [torch.randn(len(mean), 1, device=mean.device).expand(-1, width) for width in parts or mean.shape[1:]]
        noise = torch.cat(each, dim=1)
    return mean + (0.5 * log_variance).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL to the standard normal, summed over dimensions, mean over rows (METHODS.md 4.2)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(-1).mean()


def latent_energies(latent: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """INFERRED (METHODS.md 4.4): minus the log-likelihood of latents under each text's posterior.

    Mean over dimensions, without the constant: `[B, Z], [K, Z], [K, Z] -> [B, K]`. The classifier of the papers learns
    from samples of just these normals, so with ever more samples the best it could do is this rule.
    """
    gap = latent[:, None] - mean
    return 0.5 * (gap.square() * (-log_variance).exp() + log_variance).mean(-1)


def contrast(energies: Tensor, own: Tensor, temperature: float, same: Tensor | None) -> Tensor:
    """Ours, in neither paper: cross-entropy of softmax(-E / temperature). same: bool `[B, K]`, texts passed over."""
    logits = -energies / temperature
    return functional.cross_entropy(logits if same is None else logits.masked_fill(same, -torch.inf), own)


def train_classifier(
    mean: Tensor,
    log_variance: Tensor,
    *,
    rectified: bool,
    one_epsilon: bool,
    latents: int = 500,
    steps: int = 300,
    lr: float = 1e-3,
    seed: int = 0,
) -> nn.Module:
    """The papers' classifier of latents drawn from the posteriors of texts, full-batch Adam (METHODS.md 4.4).

    Args:
        mean, log_variance: `[K, Z]`. rectified: a ReLU after the logits, as coded.

    Returns:
        A module `[B, Z] -> [B, K]` of logits. Torch's global random state stays as it was.
    """
    device = mean.device
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(seed)
        layer = linear(mean.shape[1], len(mean)).to(device)
        classifier = nn.Sequential(layer, nn.ReLU()) if rectified else layer
        x = draw(mean.detach().repeat(latents, 1), log_variance.detach().repeat(latents, 1), one_epsilon)
        y = torch.arange(len(mean), device=device).repeat(latents)
        optimiser = torch.optim.Adam(classifier.parameters(), lr)
        for _ in range(steps):
            optimiser.zero_grad()
            functional.cross_entropy(classifier(x), y).backward()
            optimiser.step()
    return classifier.eval().requires_grad_(False)
