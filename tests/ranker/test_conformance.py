"""What every ranker promises, on the four that ship and a re-ranked one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.client import Subscriber
from edge_app.encoder import load_encoder
from edge_app.errors import UsageError
from edge_app.ranker.fdsm import RIVALS
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.load import feature_mean, load_ranker
from edge_app.ranker.prototypes import Prototypes
from edge_app.ranker.ranker import Ranker
from edge_app.stream.control import ask
from edge_app.types import Feature, Window
from tests.running import SQUATS, repeat, running, wait_for

KINDS = ("scale", "fdsm", "sa_dvae", "fs_vae", "scale+fdsm")
TELL = """
import hashlib
from tests.ranker.test_conformance import KINDS, made_up, vectors, with_shots
for kind in KINDS:
    energies = with_shots(kind, made_up(5)).energies(vectors())
    print(hashlib.sha256(energies.tobytes()).hexdigest())
"""


@cache
def bundle() -> Bundle:
    return load_bundle(DEFAULT)


@cache
def features() -> list[Feature]:
    encoder, window = load_encoder(bundle()), Window("cam", 1, 0, np.zeros(0), np.zeros(0), 30.0, 1.0, 1.0)
    return [Feature(window, encoder.vector(each)) for each in bundle().golden()["windows"]]


def vectors() -> np.ndarray:
    return np.stack([feature.vector for feature in features()])


@cache
def blank(kind: str) -> Ranker:
    return load_ranker(bundle(), kind)


def made_up(count: int, seed: int = 0, dim: int = 384, version: int = 1) -> LabelTable:
    """Labels with a name, a description and texts of their parts, all of made-up embeddings."""
    kinds = ("name", "description", "arms", "legs", "torso")
    drawn = np.random.default_rng(seed).normal(size=(len(kinds) * count, dim)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    return LabelTable(version, labels, "made-up", tuple(tuple(Text(k, k) for k in kinds) for _ in labels), drawn)


def of_names(*names: str, version: int) -> LabelTable:
    return replace(made_up(len(names), seed=version), version=version, labels=tuple(map(Label, names)))


def with_shots(kind: str, table: LabelTable) -> Ranker:
    """Two shots of "label 1"."""
    shots = {"label 1": [vectors()[:2], vectors()[2:3]]}
    prototypes = Prototypes.of(shots, feature_mean(bundle()), blank(kind).calibration.temperature)
    return blank(kind).adjusted(prototypes).with_labels(table)


def with_background(kind: str, background: np.ndarray, table: LabelTable) -> Ranker:
    of = blank(kind)
    return Ranker(kind, of.model, of.calibration, background, of.adjustments, table)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def test_labels_change_and_come_back_and_no_ranker_changes_another(kind):
    one, other = (of_names(*names, version=i) for i, names in enumerate((["wave", "bow"], ["run"]), 1))
    first = blank(kind).with_labels(one)
    before = first.rank(features()[:1])[0]
    second = first.with_labels(other)
    assert second.rank(features()[:1])[0].labels == ("run",)
    assert second.rank(features()[:1])[0].labels_version == 2
    for ranker in (first, second.with_labels(one)):
        again = ranker.rank(features()[:1])[0]
        assert again.labels == ("wave", "bow") and again.labels_version == 1 and again.known == before.known
        assert again.energies.tobytes() == before.energies.tobytes()
    assert second.model is first.model and second.background is first.background, "weights are shared, not copied"


def test_shapes_and_scores(kind):
    table = made_up(7)
    ranker = blank(kind).with_labels(table)
    energies = ranker.energies(vectors()[:3])
    background = min(RIVALS, len(ranker.background)) if kind == "fdsm" else len(ranker.background)
    assert energies.shape == (3, 7 + background) and energies.dtype == np.float32 and np.isfinite(energies).all()
    for feature, ranking in zip(features()[:3], ranker.rank(features()[:3]), strict=True):
        assert ranking.window is feature.window and ranking.labels == table.names
        assert ranking.energies.shape == ranking.scores.shape == (7,)
        assert ranking.scores.sum() == pytest.approx(1, abs=1e-5) and 0 <= ranking.known <= 1
        np.testing.assert_array_equal(np.argsort(ranking.energies), np.argsort(-ranking.scores))


def test_the_same_again_bit_for_bit_and_whatever_the_batch(kind):
    ranker = with_shots(kind, made_up(7))
    first, second, alone = ranker.rank(features()[:4]), ranker.rank(features()[:4]), ranker.rank(features()[2:3])[0]
    for one, other in [*zip(first, second, strict=True), (first[2], alone)]:
        assert one.energies.tobytes() == other.energies.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes() and one.known == other.known
    assert ranker.rank([]) == []


def test_two_processes_rank_alike_bit_for_bit():
    command = [sys.executable, "-c", TELL]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    one, other = (process.communicate(timeout=100)[0] for process in started)
    assert one == other and len(set(one.split())) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_energies_are_those_of_the_bundles_export(kind):
    """Of the same weights and windows, on whatever machine the bundle was made."""
    golden, labels = bundle().golden()[f"energies_{kind}"], bundle().json("labels.json")
    texts = tuple(tuple(Text(text["kind"], text["text"]) for text in row["texts"]) for row in labels)
    embeddings = np.load(DEFAULT / "labels.npy").astype(np.float32)
    table = LabelTable(1, bundle().default_labels, "bundle", texts, embeddings)
    found = blank(kind).with_labels(table).energies(vectors())[:, : len(labels)]
    np.testing.assert_allclose(found, golden, atol=2e-3)


def test_without_labels_nothing_is_ranked(kind):
    for ranker in (blank(kind), blank(kind).with_labels(made_up(3)).with_labels(made_up(0, version=9))):
        assert ranker.energies(vectors()[:2]).shape == (2, 0)
        (ranking,) = ranker.rank(features()[:1])
        assert ranking.labels == () and ranking.known == 0 and len(ranking.energies) == len(ranking.scores) == 0
    assert ranking.labels_version == 9


def test_texts_of_another_encoder_are_refused(kind):
    of = blank(kind)
    with pytest.raises(UsageError, match=f"labels: embeddings are .* wide, the bundle's are {of.model.text_width}"):
        of.with_labels(made_up(2, dim=9))
    with pytest.raises(UsageError, match=f"background: embeddings are 18 wide, the bundle's are {of.model.text_width}"):
        with_background(kind, np.zeros((2, 18), np.float32), made_up(2))
    with pytest.raises(UsageError, match="not in bundle"):
        load_ranker(bundle(), "nearest")


def test_background_that_means_a_label_stands_for_it_and_not_against_it(kind):
    table, own = made_up(3), made_up(4, seed=5)
    pooled = [each.pooled(parts=blank(kind).model.parts) for each in (table, own)]
    energies = with_background(kind, np.concatenate([pooled[0][1:2], pooled[1]]), table).energies(vectors()[:1])
    assert energies.shape == (1, 3 + 4)
    np.testing.assert_array_equal(
        np.sort(energies[0, 3:]), np.sort(with_background(kind, pooled[1], table).energies(vectors()[:1])[0, 3:])
    )
    for none in (pooled[0], pooled[0][:0]):
        ranker = with_background(kind, none, table)
        assert ranker.energies(vectors()[:2]).shape == (2, 3)
        assert ranker.rank(features()[:1])[0].known == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fs_vae", "scale+fdsm"])  # one that reads parts, one of two systems
def test_words_change_while_it_runs(kind, tmp_path: Path) -> None:
    first, _, second = kind.partition("+")
    options = ["--bundle", "default", "--ranker", first, *(["--rerank", second] if second else [])]
    endpoint, control = f"ipc://{tmp_path}/stream", f"ipc://{tmp_path}/control"
    source = repeat(SQUATS, tmp_path / "squats.mcap", 60)
    with (
        running(endpoint, source, "--control", control, *options),
        Subscriber(endpoint, newest=False) as stream,
    ):
        wait_for(stream, lambda message: message.kind == "state" and message.data["labels_version"] == 1)
        words = ["crouch: the knees bend deeply and straighten again", "wave"]
        version = ask(control, "labels.set", words)["labels_version"]
        told = wait_for(stream, lambda message: message.data.get("labels_version") == version and message.data["topk"])
        assert {label for label, _ in told[-1].data["topk"]} == {"crouch", "wave"}
