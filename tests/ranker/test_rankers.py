"""The four rankers that ship, and a re-ranked one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_app.bundles.bundle import DEFAULT, Bundle, load_bundle
from edge_app.client import Subscriber
from edge_app.encoder import load_encoder
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.stream.control import ask
from edge_app.types import Feature
from tests.running import SQUATS, repeat, running, wait_for

KINDS = ("scale", "fdsm", "sa_dvae", "fs_vae", "scale+fdsm")
TELL = """
import hashlib
from tests.ranker.test_rankers import KINDS, energies
from edge_app.bundles.bundle import DEFAULT, load_bundle
bundle = load_bundle(DEFAULT)
for kind in KINDS:
    print(hashlib.sha256(energies(bundle, kind, ["wave", "squat", "sit down", "stir a pot"]).tobytes()).hexdigest())
"""


def energies(bundle: Bundle, kind: str, names: list[str]) -> np.ndarray:
    """Of the golden windows, window by window."""
    ranker, encoder = load_ranker(bundle, kind), load_encoder(bundle)
    ranker.set_labels(build_table([Label(name) for name in names], BundleText(bundle), 1))
    features = [Feature(None, encoder.vector(window)) for window in bundle.golden()["windows"]]  # type: ignore[arg-type]
    return np.stack([ranking.energies for ranking in ranker.rank(features)])


def test_two_processes_rank_alike_bit_for_bit() -> None:
    said = [
        subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, timeout=100, check=True).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1] and len(set(said[0].split())) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_change_and_come_back(kind: str) -> None:
    bundle = load_bundle(DEFAULT)
    ranker, text, vectors = load_ranker(bundle, kind), BundleText(bundle), bundle.golden()["windows"]
    feature = Feature(None, load_encoder(bundle).vector(vectors[0]))  # type: ignore[arg-type]
    one, other = (build_table(list(map(Label, names)), text, i) for i, names in enumerate((["wave", "bow"], ["run"])))
    ranker.set_labels(one)
    before = ranker.rank([feature])[0]
    ranker.set_labels(other)
    assert ranker.rank([feature])[0].labels == ("run",)
    ranker.set_labels(one)
    again = ranker.rank([feature])[0]
    assert again.labels == ("wave", "bow") and again.known == before.known
    np.testing.assert_array_equal(again.energies, before.energies)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_words_change_while_it_runs(kind: str, tmp_path: Path) -> None:
    first, _, second = kind.partition("+")
    options = ["--ranker", first, *(["--rerank", second] if second else [])]
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
