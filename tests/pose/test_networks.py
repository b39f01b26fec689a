"""The networks' cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from edge_app.errors import UsageError
from edge_app.pose.model_file import ENVIRONMENT
from edge_app.pose.networks import NETWORKS, ensure_network

MAKE = """
import sys
from pathlib import Path
from edge_app.pose.networks import ensure_network
print(ensure_network("landmarks", "fp32", Path(sys.argv[1])))
"""


def test_a_network_is_made_once_and_has_the_known_hash(pose_model, tmp_path):
    for kind, precision in NETWORKS:
        path = ensure_network(kind, precision, tmp_path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == NETWORKS[kind, precision].sha256
        before = path.stat().st_mtime_ns
        assert ensure_network(kind, precision, tmp_path).stat().st_mtime_ns == before


def test_a_damaged_file_is_made_again(pose_model, tmp_path):
    path = ensure_network("detector", "fp32", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert ensure_network("detector", "fp32", tmp_path).read_bytes() == whole


def test_several_at_once_leave_one_whole_file(pose_model, tmp_path):
    command = [sys.executable, "-c", MAKE, str(tmp_path)]
    environment = {**os.environ, ENVIRONMENT: str(pose_model)}
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {run.communicate(timeout=100)[0].strip() for run in runs} == {str(tmp_path / "pose_landmarks.onnx")}
    assert {path.name for path in tmp_path.iterdir()} == {"pose_landmarks.onnx"}


def test_without_the_package_it_says_so(pose_model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    monkeypatch.delitem(sys.modules, "edge_app.pose.tflite_to_onnx", raising=False)
    with pytest.raises(UsageError, match="the package tflite is not installed"):
        ensure_network("detector", "fp32", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(pose_model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"pose_detector\.onnx: cannot be written"):
        ensure_network("detector", "fp32", tmp_path / "file")
