"""Build a bundle's TensorRT engines ahead of time, into this user's engine cache or another folder.

    python -m export engine --bundle edge_app/bundles/default

With `tensorrt` this must be the device itself: such an engine is for one GPU and one version. TensorRT for RTX builds
on any machine, without a GPU too; its engines are for every RTX GPU.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import bundle_folder
from edge_app.errors import UsageError
from edge_app.runtime.engines import EngineCache, engine_key
from edge_app.runtime.load import precisions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=bundle_folder, required=True)
    parser.add_argument("--precision", help="one that the bundle has (default: all of them)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the cache that edge-app reads")


def run(arguments: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that what is half made goes
    bundle = load_bundle(arguments.bundle)
    wanted = [arguments.precision] if arguments.precision else precisions(bundle, "tensorrt")
    for precision in wanted:
        if precision not in bundle.networks:
            raise UsageError(f"--precision {precision}: bundle has {', '.join(bundle.networks)}")
        model = bundle.path / bundle.networks[precision]
        path = EngineCache(arguments.out).build(engine_key(model, precision), model)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
