"""`python -m export pose` and `parity --pose`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_app.bundles.files import load_npz
from edge_app.bundles.shipped import DEFAULT
from edge_app.bundles.user_folders import cache_folder
from edge_app.errors import UsageError
from edge_app.pose.choose import GOLDEN
from edge_app.pose.model_file import MODELS
from export.__main__ import main
from export.pose_parity import Row, misses, run

pytestmark = pytest.mark.skipif(
    not (cache_folder("models") / MODELS["full"].file).is_file(),
    reason="the pose model is not in the cache: python -m edge_app.pose.model_file",
)
GOOD = Row("ours", 100, 1.0, 0.01, 1.0, 0.001, 0.01, 0.001, 0.99, 1.0)
CONTROL = replace(GOOD, name="noise", found=0.98, image_median=0.5, image_p99=6.0, world_median=0.006, rankings=0.95)


def test_networks_and_the_golden_figure_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["pose", "--out", str(tmp_path), "--golden", str(tmp_path / "golden.npz")]) == 0
    assert "pose_landmarks.onnx: 12.7 MB" in capsys.readouterr().out
    made, shipped = load_npz(tmp_path / "golden.npz"), load_npz(GOLDEN)
    for name, values in shipped.items():
        assert np.allclose(made[name], values, atol=1e-3), name


def test_without_anything_to_write_it_says_what_is_allowed(capsys: pytest.CaptureFixture[str]):
    assert main(["pose"]) == 2
    assert "nothing to write; allowed: --out DIR, --golden NPZ" in capsys.readouterr().err


def test_parity_over_a_drawn_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """So few frames that nothing strays; what strays over whole clips is the table's to show."""
    out = tmp_path / "parity.json"
    arguments = argparse.Namespace(pose="onnxruntime", bundle=DEFAULT, windows=["person://wave"], frames=12, json=out)
    run(arguments)
    rows = json.loads(out.read_text())["rows"]
    assert [row["name"] for row in rows][:2] == ["onnxruntime-cpu, anew", "onnxruntime-cpu, next"]
    assert rows[0]["found"] == 1 and rows[0]["image_median"] < 0.05 and rows[0]["world_median"] < 1e-3
    assert "| onnxruntime-cpu, anew | 12 | 100.00 % |" in capsys.readouterr().out


def test_a_bar_that_is_missed_is_named():
    assert misses(GOOD, GOOD, GOOD, CONTROL) == []
    assert misses(replace(GOOD, found=0.98), GOOD, GOOD, CONTROL) == ["ours: 0.98 frames found alike, allowed 0.99"]
    assert misses(GOOD, replace(GOOD, image_p99=3.5), GOOD, CONTROL) == ["ours: 3.5 px, 99th percentile, allowed 3"]
    assert misses(GOOD, GOOD, replace(GOOD, image_median=0.7), CONTROL) == ["ours: 0.7 px, median, allowed 0.6"]
    assert misses(GOOD, GOOD, replace(GOOD, rankings=0.9), CONTROL) == ["ours: 0.1 rankings that differ, allowed 0.06"]


def test_a_backend_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="--pose tensor: allowed are auto"):
        run(argparse.Namespace(pose="tensor", bundle=DEFAULT, windows=[], frames=1, json=None))
