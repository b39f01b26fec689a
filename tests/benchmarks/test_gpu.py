"""The GPU suite on what this machine has: every runtime is measured, or says why not."""

import json

import numpy as np
import pytest
import torch

from benchmarks.gpu.run import Matcher, main, measure
from edge_app.bundles.shipped import DEFAULT


@pytest.mark.slow
def test_two_batches_on_this_machine(tmp_path, capsys):
    out = tmp_path / "gpu.json"
    runtimes = ["--runtimes", "torch,onnxruntime,tensorrt"]
    main(["--batches", "1,2", "--seconds", "0.01", *runtimes, "--json", str(out)])
    result = json.loads(out.read_text())
    assert result["schema"] == "gpu-bench/1"
    by_runtime = {}
    for row in result["rows"]:
        by_runtime.setdefault((row["network"], row["runtime"]), []).append(row)
    assert len(by_runtime) == 6
    for (_, runtime), rows in by_runtime.items():
        if runtime == "tensorrt" and "not_measured" in rows[0]:
            assert len(rows[0]["not_measured"]) > 20, "the reason, in words"
            continue
        assert [row["batch"] for row in rows] == [1, 2]
        assert all(0 < row["p50_ms"] <= row["p99_ms"] and row["provider"] for row in rows)
    if not torch.cuda.is_available():
        assert result["gpu"] == "not measured"
        assert capsys.readouterr().out.startswith("GPU: not measured\n")


def test_what_cannot_run_is_told_and_not_hidden():
    rows = measure("no-such-runtime", None, DEFAULT / "encoder.onnx", np.zeros((1, 32, 15, 4)), [1], 0.01, "cpu")
    assert len(rows) == 1
    assert "no-such-runtime" in rows[0]["not_measured"]


def test_the_matcher_gives_the_energies_of_fdsm():
    torch.manual_seed(0)
    matcher = Matcher(24).eval()
    torch.nn.init.normal_(matcher.model.final.weight)
    texts = torch.randn(12, 768)
    matcher.rows, matcher.anchor = matcher.model.rows(texts), matcher.model.anchor(texts)
    features = torch.randn(3, 24)
    with torch.inference_mode():
        expected = matcher.model.energies(features, texts)
        found = matcher(features)
    # `energies` takes off the error under the null text, one number for each feature.
    offset = found - expected
    assert torch.allclose(offset, offset[:, :1].expand_as(offset), atol=1e-5)
    assert found.std(dim=1).min() > 0
