"""A small zero-shot problem: the mean feature of a class is linear in its text."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from train.heads.loop import Samples


@pytest.fixture(autouse=True)
def one_thread():
    """Of small networks a second thread only waits, and a verb may have asked for two."""
    torch.set_num_threads(1)


@dataclass(frozen=True)
class ToyTexts:
    """Stands for `train.data.texts.ConceptTexts`; a sample is the text with a little noise."""

    vectors: np.ndarray

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def rows(self, names):
        return np.array([int(name) for name in names])

    def pooled(self, names):
        return self.vectors[self.rows(names)]

    def sample(self, rows, rng, no_description=0.0):
        drawn = self.vectors[rows] + 0.05 * rng.normal(size=(len(rows), self.dim)).astype(np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@dataclass(frozen=True)
class Toy:
    """features `[N, 24]` of 40 seen classes, and of the 8 that training does not see; texts are 16 wide."""

    features: np.ndarray
    concept: np.ndarray
    texts: ToyTexts
    names: list[str]
    unseen_features: np.ndarray
    unseen: np.ndarray
    unseen_texts: np.ndarray

    @property
    def samples(self) -> Samples:
        """What a head learns from."""
        return Samples(self.features, self.concept, self.names, self.texts)

    def unseen_top1(self, energies: np.ndarray) -> float:
        return float((energies.argmin(1) == self.unseen).mean())


@pytest.fixture(scope="session")
def toy() -> Toy:
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(48, 16)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    means = texts @ rng.normal(size=(16, 24)).astype(np.float32)
    concept, unseen = np.repeat(np.arange(40), 20), np.repeat(np.arange(8), 20)

    def features(own):
        return means[own] + 0.3 * rng.normal(size=(len(own), 24)).astype(np.float32)

    names = [str(i) for i in range(40)]
    return Toy(features(concept), concept, ToyTexts(texts), names, features(unseen + 40), unseen, texts[40:])
