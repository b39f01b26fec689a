"""The shipped encoder and FDSM by torch, torch.compile, ONNX Runtime and TensorRT, at batches of 1 to 64.

    python -m benchmarks.gpu.run [--batches 1,2,4,8,16,32,64] [--seconds 1] [--json FILE]

One call is what the app would do: the input goes from the host's memory to the device, the output comes back. Torch
runs networks of the shipped sizes with random weights; the rest runs the shipped encoder, and FDSM as exported here.
What does not run here says so in its own words. Without a GPU all of it runs on one thread of the CPU, which tests this
file and no GPU.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge_app.app.bench.environment import environment
from edge_app.app.metrics import percentiles
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import DEFAULT
from edge_app.runtime.session import open_session
from train.models.edge import ENCODERS, Branches
from train.models.fdsm import EDGE, Fdsm
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.models.web_teacher import BesideWeb, WebTeacher

PARTS = ("conv-small", "conv-small", "attention")
"""What the shipped encoder is made of, as `configs/train/default.yaml` has it; a web network is beside it."""
WEB_CLASSES = 152
LABELS = 12
RUNTIMES = ("torch", "torch.compile", "onnxruntime", "cuda", "tensorrt")
Call = Callable[[np.ndarray], np.ndarray]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,2,4,8,16,32,64", metavar="N,N,…")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES), metavar="NAME,NAME,…")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="for each batch")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    batches = [int(each) for each in arguments.batches.split(",")]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    gpu = torch.cuda.get_device_name() if device == "cuda" else "not measured"
    print(f"GPU: {gpu}")
    if device == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (network, model, example) in networks(Path(folder)).items():
            for runtime in arguments.runtimes.split(","):
                for row in measure(runtime, network, model, example, batches, arguments.seconds, device):
                    rows.append({"network": name, "runtime": runtime, **row})
                    print(_line(rows[-1]), flush=True)
    if arguments.json:
        result = {"schema": "gpu-bench/1", "gpu": gpu, "torch": torch.__version__, "rows": rows}
        write_text(arguments.json, json.dumps({**result, "environment": environment()}, indent=1) + "\n")


def networks(folder: Path) -> dict[str, tuple[nn.Module, Path, np.ndarray]]:
    """By name: the torch network, the ONNX file, and one input `[1, ...]`."""
    bundle = load_bundle(DEFAULT)
    branches = Branches([replace(ENCODERS[part], skeleton=bundle.manifest["skeleton"]) for part in PARTS])
    encoder = BesideWeb(branches, WebTeacher(ShiftGCN(ShiftConfig(classes=WEB_CLASSES)), bundle.spec.length)).eval()
    found, shipped = sum(p.numel() for p in encoder.parameters()), bundle.manifest["encoder"]["parameters"]
    assert found == shipped, f"{found} parameters, the shipped encoder has {shipped}"
    matcher = Matcher(bundle.manifest["encoder"]["feature"]).eval()
    feature = np.random.default_rng(0).normal(size=(1, matcher.model.config.feature)).astype(np.float32)
    path = folder / "fdsm.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        batch = torch.export.Dim("batch", min=1, max=64)
        example = torch.from_numpy(np.repeat(feature, 2, axis=0))
        torch.onnx.export(
            matcher, (example,), str(path), input_names=["feature"], output_names=["energies"],
            dynamic_shapes=({0: batch},), dynamo=True, verbose=False, external_data=False,
        )  # fmt: skip
    return {
        "encoder": (encoder, bundle.path / bundle.manifest["encoder"]["file"], bundle.golden()["windows"][:1]),
        f"fdsm, {LABELS} labels": (matcher, path, feature),
    }


class Matcher(nn.Module):
    """FDSM's energies of features under fixed texts, all of a batch at once: `[B, D] -> [B, K]`."""

    def __init__(self, feature: int) -> None:
        super().__init__()
        self.model = Fdsm(replace(EDGE, feature=feature))
        texts = torch.randn(LABELS, EDGE.tokens * EDGE.text)
        with torch.no_grad():
            self.register_buffer("rows", self.model.rows(texts))
            self.register_buffer("anchor", self.model.anchor(texts))

    def forward(self, feature: Tensor) -> Tensor:
        x, noise = self.model.standardised(feature)[:, None, None], self.model.noise[None, :, None]
        t = torch.tensor(self.model.config.match_at, device=feature.device)
        given = self.model(self.model.noisy(x, noise, t), t, self.rows, self.anchor)
        return self.model.errors(given, x, noise).mean(1)


def measure(
    runtime: str, network: nn.Module, model: Path, example: np.ndarray, batches: list[int], seconds: float, device: str
) -> list[dict[str, Any]]:
    """A row for each batch, or one that says why there is none."""
    rows = []
    try:
        call, provider = prepare(runtime, network, model, device)
        for batch in batches:
            given = np.repeat(example, batch, axis=0)
            rows.append({"provider": provider, "batch": batch, **timed(lambda given=given: call(given), seconds)})
    except Exception as error:  # runtimes have their own classes for what they cannot do
        rows.append({"not_measured": f"{type(error).__name__}: {error}".partition("\n")[0]})
    return rows


def prepare(runtime: str, network: nn.Module, model: Path, device: str) -> tuple[Call, str]:
    """What takes and gives arrays on the host, and the name of what really runs."""
    if not runtime.startswith("torch"):
        session = open_session(model, runtime)
        return session.run, session.provider
    network = network.to(device)
    if runtime == "torch.compile":  # this mode captures CUDA graphs
        network = torch.compile(network, mode="reduce-overhead" if device == "cuda" else None, dynamic=False)

    def call(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(batch).to(device)).cpu().numpy()

    return call, f"{runtime} {device}"


def timed(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Percentiles of at least 20 calls, after ten that warm up."""
    for _ in range(10):
        call()
    spent: list[float] = []
    until = time.perf_counter() + seconds
    while len(spent) < 20 or time.perf_counter() < until:
        begun = time.perf_counter_ns()
        call()
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    return percentiles(spent)


def _line(row: dict[str, Any]) -> str:
    start = f"{row['network']:18}{row['runtime']:16}"
    if "not_measured" in row:
        return f"{start}not measured: {row['not_measured']}"
    return (
        f"{start}batch {row['batch']:3d}  p50 {row['p50_ms']:9.3f} ms  p99 {row['p99_ms']:9.3f} ms  {row['provider']}"
    )


if __name__ == "__main__":
    main()
