"""The figures by which recipes are compared."""

import csv
import io
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.camera.recording import RecordingFile
from edge_app.encoder import load_encoder
from edge_app.errors import UsageError
from edge_app.types import Pose, Poses
from tests.running import SQUATS
from train.data.clips import SPEC
from train.evaluate.development import (
    ASKED,
    Group,
    TextHead,
    fall_events,
    fall_recordings,
    figures,
    in_report,
    plain_ranker,
    real_clips,
)
from train.evaluate.videos import EVERYDAY

SHARED = Path(__file__).parents[3] / "../shared"


def saved(width: int = 12, text: int = 768) -> dict:
    generator = torch.Generator().manual_seed(0)
    mapped, mean = torch.randn(width, text, generator=generator), torch.randn(text, generator=generator) * 0.01
    return {"model": {"text_map.weight": mapped, "text_mean": mean}}


def test_the_text_head_ranks_by_the_encoders_own_cosine():
    weights = saved()["model"]
    texts = torch.randn(7, 768, generator=torch.Generator().manual_seed(1))
    texts = functional.normalize(texts, dim=1) * 2**0.5
    x = functional.normalize(torch.randn(5, 12, generator=torch.Generator().manual_seed(2)), dim=1) * 12**0.5
    mapped = functional.normalize(texts / 2**0.5 - weights["text_mean"], dim=1) @ weights["text_map.weight"].T
    cosine = functional.normalize(x, dim=1) @ functional.normalize(mapped, dim=1).T
    energies = TextHead(saved()).with_texts(texts.numpy(), 7)(x.numpy())
    np.testing.assert_allclose(energies, 1 - cosine.numpy(), atol=1e-5)


class Knows:
    """Lower energy for the label whose number stands first in a vector."""

    kind, text_width, parts = "knows", 768, False

    def with_texts(self, texts, labels):
        return lambda vectors: np.abs(vectors[:, :1] - np.arange(len(texts))).astype(np.float32)


def test_windows_of_a_clip_are_taken_together_and_places_counted():
    group = Group.of("made", [([None], "bow"), ([None, None], "wave"), ([None], "clap")])
    assert group.labels == ("bow", "clap", "wave")
    vectors = np.array([[0.0], [2.0], [1.9], [2.0]], np.float32)
    found = figures(group, vectors, np.array([0, 1, 1, 2]), plain_ranker(Knows()))
    assert (found["top1"], found["top5"], found["right"]) == (0.6667, 1.0, "xx.")
    assert found["reciprocal_rank"] == pytest.approx((1 + 1 + 1 / 2) / 3, abs=1e-4)


def test_all_of_a_publisher_lies_in_one_half():
    assert in_report("someone/one@1:a.mp4") == in_report("someone/other@2:b.mp4")
    halves = {in_report(f"publisher{i}/x") for i in range(20)}
    assert halves == {True, False}


def test_whole_files_are_read_by_the_manifest(tmp_path):
    world, seen = np.zeros((33, 3), np.float32), np.ones(33, np.float32)
    with RecordingFile(tmp_path / "a.mcap") as recording:
        for i in range(40):
            pose = Pose(i * 100_000_000, np.full((33, 2), 100, np.float32), world, seen, (640, 480))
            recording.poses(Poses("c", i, pose.t_ns, (pose,)))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,label,source\na.mp4,walking,someone/x\nmissing.mp4,running,someone/y\n")
    [(windows, label, report)] = real_clips(manifest, tmp_path, SPEC)
    assert (len(windows), label, report) == (4, "walking", in_report("someone/x"))
    with pytest.raises(UsageError, match="no recording"):
        real_clips(manifest, tmp_path / "nowhere", SPEC)


def test_falls_are_looked_for_in_every_recording_of_a_half(tmp_path):
    arguments = Namespace(
        videos=tmp_path, recordings=SQUATS.parent, videos2=tmp_path / "2", recordings2=SQUATS.parent,
        halves=["choose", "report"],
    )  # fmt: skip
    (tmp_path / "2").mkdir()
    source = next(f"publisher{i}/x" for i in range(20) if in_report(f"publisher{i}/x"))
    (tmp_path / "manifest.csv").write_text("file,labels\nsquats.mp4,falling 0.3-2.4\nmissing.mp4,walking 0.0-1.0\n")
    (tmp_path / "2/manifest.csv").write_text(f"file,label,source\nsquats.mp4,squat,{source}\n")
    files = fall_recordings(arguments)
    assert files == {"choose": [(SQUATS, True)], "report": [(SQUATS, False)]}
    bundle = load_bundle(DEFAULT)
    found = fall_events(bundle, load_encoder(bundle), [*files["choose"], *files["report"]])
    assert found == {"falls": 1, "seen": 0, "others": 1, "false": 0}


@pytest.mark.shared
def test_what_is_asked_for_is_in_the_manifest():
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout")
    rows = list(csv.DictReader(io.StringIO((SHARED / "videos2/manifest.csv").read_text("utf-8"))))
    assert set(ASKED) <= {row["label"] for row in rows}
    assert set(ASKED.values()) <= set(EVERYDAY)
    halves = [in_report(row["source"]) for row in rows]
    assert (len(halves), sum(halves)) == (68, 30)
