"""The pose networks in TensorRT: engines are built here without a GPU, by TensorRT for RTX; running them needs one."""

from __future__ import annotations

import pytest

from edge_app.pose.networks import NETWORKS, ensure_network
from edge_app.runtime.tensorrt import build_engine

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "precision"), NETWORKS)
def test_an_engine_is_built_from_each_network(pose_model, kind: str, precision: str) -> None:
    model = ensure_network(kind, precision)
    assert len(build_engine(model)) > 0.9 * model.stat().st_size  # all weights are in it
