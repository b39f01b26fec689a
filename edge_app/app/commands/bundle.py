"""`edge-app bundle`: sign or verify a model bundle."""

from __future__ import annotations

import argparse

from edge_app.app.log import say
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.signing import check_signature, sign_bundle
from edge_app.encoder import load_encoder
from edge_app.recognizer import self_test


def main(arguments: argparse.Namespace) -> int:
    """Sign or verify."""
    return _sign(arguments) if arguments.bundle_verb == "sign" else _verify(arguments)


def _sign(arguments: argparse.Namespace) -> int:
    load_bundle(arguments.folder)
    sign_bundle(arguments.folder, arguments.key)
    say(f"{arguments.folder}: signed")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    bundle = load_bundle(arguments.folder)
    if arguments.key:
        check_signature(arguments.folder, arguments.key)
    for precision in bundle.networks:
        encoder = load_encoder(bundle, precision=precision)
        for kind in bundle.manifest["rankers"]:
            self_test(bundle, encoder, kind)
    files = bundle.manifest["files"]
    say(f"{arguments.folder}: {bundle.id}, {len(files)} files as listed, golden rankings hold on {encoder.provider}")
    return 0
