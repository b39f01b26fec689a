"""The networks to compare with are as large as those they stand for (METHODS.md 6.4), and the reports can be read."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.after_pose import path, rankers
from benchmarks.networks import Continual, StGcnPlusPlus
from benchmarks.peers import compare, our_macs, report, scale_macs, table
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from train.models.edge import ENCODERS, Branches
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.models.web_teacher import BesideWeb, WebTeacher


def macs(network, *example) -> int:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*example)
    return counter.get_total_flops() // 2


def parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_st_gcn_plus_plus_has_its_size():
    network = StGcnPlusPlus().eval().to("meta")  # only its shapes count
    assert parameters(network) == pytest.approx(1.388e6, rel=0.001)
    assert 2 * macs(network, torch.zeros(1, 3, 64, 25, device="meta")) == pytest.approx(1.89e9, rel=0.02), (
        "of two bodies"
    )
    assert 2 * macs(network, torch.zeros(1, 3, 100, 25, device="meta")) == pytest.approx(2.96e9, rel=0.02)


def test_the_continual_network_has_its_size_and_remembers():
    network = Continual().eval()
    assert parameters(network) == pytest.approx(3.1e6, rel=0.02)
    assert 2 * macs(network, torch.zeros(1, 3, 1, 25), network.pasts) == pytest.approx(0.16e9, rel=0.02)
    frame, pasts = torch.randn(1, 3, 1, 25), network.pasts
    with torch.inference_mode():
        first, pasts = network(frame, pasts)
        second, again = network(frame, pasts)
    assert not torch.equal(first, second), "the past counts"
    assert [past.shape for past in again] == [past.shape for past in network.pasts]
    assert torch.equal(again[0][:, :, :-1], pasts[0][:, :, 1:])


@pytest.mark.slow
def test_our_own_macs_are_those_that_torch_counts():
    encoders = Branches([ENCODERS[part] for part in ("conv-small", "conv-small", "attention")])
    network = BesideWeb(encoders, WebTeacher(ShiftGCN(ShiftConfig(classes=152)), 32))
    assert our_macs() == pytest.approx(macs(network, torch.zeros(2, 32, 15, 4)) / 2, rel=0.05)
    assert scale_macs() > 400 * (256 * 128 + 64 * 256 + 256 * 256 * 5 // 8)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_encoders_are_compared_within_a_round(tmp_path):
    result = compare(tmp_path, 1, matchers=False)
    rows = result["candidates"]
    assert set(rows) == {"ours", "stgcn++64", "stgcn++100", "shiftgcn", "continual"}
    for name, row in rows.items():
        assert row["cpu_ms"] > 0 and row["peak_mib"] > 0 and row["macs"] > 0
        assert name == "ours" or row["from"] <= row["times"] <= row["to"]
    assert table(result) in report(result)


@pytest.mark.slow
def test_the_path_after_the_pose_is_timed():
    found = path(load_bundle(DEFAULT), 12, 1.0)
    assert found["decision_ms"] == pytest.approx(sum(found["after_ms"].values()), rel=0.5)
    assert 0 < found["ratio_quartiles"][0] <= found["ratio"] <= found["ratio_quartiles"][1]
    assert set(found["recogniser_clock_ms"]) == {"encoder", "ranker", "events", "publisher"}


def test_rankers_are_timed_by_the_number_of_labels():
    found = rankers(load_bundle(DEFAULT), (2, 12))
    assert set(found) == {"2", "12"}
    assert np.all(np.array(list(found.values())) > 0)
