"""What a decision costs us, against networks of the sizes that others use: ratios in one run on one machine.

    python -m benchmarks.peers [--rounds 7] [--out benchmarks/peers]

Encoders run in ONNX Runtime on one thread, the candidates in turn, round after round; a ratio is taken within a round,
and its median and range over rounds are what is reported. SCALE runs as it does in the app (numpy, one thread,
background included), the diffusion matcher in eager torch on one thread. All weights but ours are random, which changes
no time. Processor time, not time on the clock. Peak memory is that of a process that does nothing else, less what the
same process has before it loads the network.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.after_pose import made_up
from edge_app.app.bench.environment import environment
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.ranker.conse import WithConse
from edge_app.ranker.load import load_ranker
from edge_app.ranker.scale import ScaleModel
from edge_app.runtime.onnxruntime import OnnxSession

FPS, DECISIONS = 30, 10
LABELS = 12
NAMES = {
    "ours": "our encoder, a window of 2 s",
    "stgcn++64": "ST-GCN++'s size, 64 frames",
    "stgcn++100": "ST-GCN++'s size, 100 frames",
    "shiftgcn": "Shift-GCN's size, 64 frames",
    "continual": "CoST-GCN*'s size, frame by frame: 3 frames",
    "scale": f"SCALE, {LABELS} labels and the background",
    "tdsm": f"TDSM's size (FDSM as released), {LABELS} labels, 3 noises",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--out", type=Path, metavar="STEM", help="write STEM.json and STEM.md")
    parser.add_argument("--without-matchers", action="store_true", help="encoders only")
    parser.add_argument("--memory", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        print(peak_mib(arguments.memory[0], Path(arguments.memory[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        result = compare(Path(folder), arguments.rounds, matchers=not arguments.without_matchers)
    print(table(result))
    if arguments.out:
        write_text(arguments.out.with_suffix(".json"), json.dumps(result, indent=1) + "\n")
        write_text(arguments.out.with_suffix(".md"), report(result))


def compare(folder: Path, rounds: int, *, matchers: bool) -> dict[str, Any]:
    macs = export(folder)
    pairs = {name: "ours" for name in macs if name != "ours"}
    if matchers:
        macs |= {"scale": scale_macs(), "tdsm": tdsm_macs()}
        pairs["tdsm"] = "scale"
    decide = {name: candidate(name, folder) for name in macs}
    spent: dict[str, list[float]] = {name: [] for name in macs}
    for turn in range(rounds + 1):  # the first warms up
        for name, run in decide.items():
            times = []
            for _ in range(1 if name == "tdsm" else 10):
                begun = time.process_time_ns()
                run()
                times.append((time.process_time_ns() - begun) / 1e6)
            if turn:
                spent[name].append(float(np.median(times)))
    del decide
    rows = {
        name: {
            "what": NAMES[name], "macs": macs[name], "cpu_ms": round(float(np.median(spent[name])), 3),
            "peak_mib": memory(name, folder),
        }
        for name in macs
    }  # fmt: skip
    for name, reference in pairs.items():
        ratios = np.array(spent[name]) / np.array(spent[reference])
        rows[name] |= {
            "against": reference, "times": round(float(np.median(ratios)), 2),
            "from": round(float(ratios.min()), 2), "to": round(float(ratios.max()), 2),
        }  # fmt: skip
    return {"schema": "peers/1", "rounds": rounds, "candidates": rows, "environment": environment()}


def candidate(name: str, folder: Path) -> Callable[[], object]:
    """What one decision is for it."""
    rng = np.random.default_rng(0)
    if name == "ours":
        bundle = load_bundle(DEFAULT)
        encoder, window = load_encoder(bundle), bundle.golden()["windows"][0]
        return lambda: encoder.vector(window)
    if name == "scale":
        bundle = load_bundle(DEFAULT)
        ranker = load_ranker(bundle, "scale", made_up(LABELS))
        vector = load_encoder(bundle).vector(bundle.golden()["windows"][0])[None]
        return lambda: ranker.energies(vector)
    if name == "tdsm":
        return matcher()
    if name == "continual":
        return continual(folder / "continual.onnx")
    session = OnnxSession(folder / f"{name}.onnx")
    clip = rng.normal(size=session._session.get_inputs()[0].shape).astype(np.float32)
    return lambda: session.run(clip)


def continual(path: Path) -> Callable[[], object]:
    """Every frame, so three times a decision; its past goes in and comes out."""
    session = OnnxSession(path)._session
    inputs = session.get_inputs()
    rng = np.random.default_rng(0)
    frame = rng.normal(size=inputs[0].shape).astype(np.float32)
    pasts = [np.zeros(each.shape, np.float32) for each in inputs[1:]]

    def run() -> None:
        for _ in range(FPS // DECISIONS):
            feeds = {each.name: value for each, value in zip(inputs, [frame, *pasts], strict=True)}
            pasts[:] = session.run(None, feeds)[1:]

    return run


def matcher() -> Callable[[], object]:
    import torch

    from train.models.fdsm import FAITHFUL, Fdsm

    torch.set_num_threads(1)
    model = Fdsm(FAITHFUL).eval()
    feature, text = torch.randn(1, FAITHFUL.feature), torch.randn(LABELS, (FAITHFUL.tokens + 1) * FAITHFUL.text)

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return model.energies(feature, text)

    return run


def export(folder: Path) -> dict[str, int]:
    """The encoders as ONNX files, ours as it ships; multiplications and additions a decision."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.networks import Continual, StGcnPlusPlus
    from train.models.shiftgcn import ShiftConfig, ShiftGCN, frozen

    torch.manual_seed(0)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    shift, step = frozen(ShiftGCN(ShiftConfig(bodies=1))), Continual()
    networks = {
        "stgcn++64": (StGcnPlusPlus(), (torch.randn(1, 3, 64, 25),)),
        "stgcn++100": (StGcnPlusPlus(), (torch.randn(1, 3, 100, 25),)),
        "shiftgcn": (shift, (torch.randn(1, 3, 64, 25, 1),)),
        "continual": (step, (torch.randn(1, 3, 1, 25), step.pasts)),
    }
    macs = {"ours": our_macs()}
    for name, (network, example) in networks.items():
        network.eval()
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network(*example)
        macs[name] = counter.get_total_flops() // 2 * (FPS // DECISIONS if name == "continual" else 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, example, str(folder / f"{name}.onnx"), dynamo=True, verbose=False, external_data=False
            )
    return macs


def our_macs() -> int:
    """Of the shipped file: every convolution and product of matrices, by the shapes that ONNX infers."""
    import onnx

    model = onnx.load(str(load_bundle(DEFAULT).path / "encoder.onnx"))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {each.name: tuple(each.dims) for each in graph.initializer}
    for each in (*graph.input, *graph.value_info, *graph.output):
        shapes[each.name] = tuple(dim.dim_value or 1 for dim in each.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += int(np.prod(shapes[node.output[0]]) * np.prod(shapes[node.input[1]][1:]))
        elif node.op_type in ("MatMul", "Gemm"):
            turned = any(each.name == "transA" and each.i for each in node.attribute)
            total += int(np.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if turned else -1])
    return total


def scale_macs() -> int:
    """For all labels and texts of the background, with the decoder folded (`edge_app.ranker.scale`)."""
    bundle = load_bundle(DEFAULT)
    ranker = load_ranker(bundle, "scale", made_up(LABELS))
    model = ranker.model.model if isinstance(ranker.model, WithConse) else ranker.model
    assert isinstance(model, ScaleModel)
    encoder = bundle.manifest["encoder"]
    vector = np.zeros(encoder.get("output", encoder["feature"]), np.float32)
    candidates = ranker.energies(vector[None]).shape[1]
    return candidates * model.macs


def tdsm_macs() -> int:
    from torch.utils.flop_counter import FlopCounterMode

    run = matcher()
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def memory(name: str, folder: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.peers", "--memory", name, str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def peak_mib(name: str, folder: Path) -> float:
    """What this process needs more than with its imports and an empty runtime."""
    onnxruntime.get_available_providers()
    if name == "tdsm":
        import torch  # noqa: F401

        import train.models.fdsm  # noqa: F401
    before = _most_mib()
    candidate(name, folder)()
    return round(_most_mib() - before, 1)


def _most_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def table(result: dict[str, Any]) -> str:
    lines = [
        "| a decision | MMAC | processor ms | peak memory MiB | times as long as | median | range |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["candidates"].values():
        versus = ("-", "-", "-")
        if "against" in row:
            versus = (row["against"], f"**{row['times']:.1f}**", f"{row['from']:.1f} to {row['to']:.1f}")
        lines.append(
            f"| {row['what']} | {row['macs'] / 1e6:,.1f} | {row['cpu_ms']:,.1f} | {row['peak_mib']:,.0f} | "
            f"{' | '.join(versus)} |"
        )
    return "\n".join(lines)


def report(result: dict[str, Any]) -> str:
    where = result["environment"]
    return (
        "# What a decision costs, against networks of the sizes that others use\n\n"
        f"`python -m benchmarks.peers --rounds {result['rounds']} --out benchmarks/peers`, on {where['cores']} cores "
        f"of {where['processor']},\nONNX Runtime {where['packages']['onnxruntime']}, one thread. "
        "Read the ratios, not the times.\nAll weights but ours are random: this is about "
        "time, not about who is right. One body each; ours has 15 joints, theirs 25.\n\n"
        f"{table(result)}\n"
    )


if __name__ == "__main__":
    main()
