"""`export triton`, and `--runtime triton` against real Triton servers where there are any."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_app.app.cli import main
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.errors import UsageError
from edge_app.recognizer import choose_encoder, self_test
from edge_app.runtime.choose import RuntimeConfig
from edge_app.runtime.load import load_session
from edge_app.runtime.triton import LIMIT_S, TritonSession, parse_address
from export.__main__ import main as export
from export.precision import write_variant
from export.triton import write_model
from tests.runtime.serving import from_python, from_repository, python_with_triton

pytest.importorskip("tritonclient.grpc", reason="pip install 'edge-app[triton]'")


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(DEFAULT)


@pytest.fixture(scope="module")
def other(bundle, tmp_path_factory):
    """A network that ranks otherwise."""
    path = tmp_path_factory.mktemp("other") / "int8.onnx"
    write_variant(bundle, "int8", path, [])
    return path


def exported(repository, *options):
    return export(["triton", "--bundle", str(DEFAULT), "--out", str(repository), *options])


def config_of(model):
    from google.protobuf import text_format
    from tritonclient.grpc.model_config_pb2 import ModelConfig

    return text_format.Parse((model / "config.pbtxt").read_text(), ModelConfig())


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_repository_is_what_triton_reads(tmp_path, bundle):
    assert exported(tmp_path / "repo") == 0
    config = config_of(tmp_path / "repo/edge-encoder")
    assert (config.name, config.backend, config.max_batch_size) == ("edge-encoder", "onnxruntime", 64)
    assert [(one.name, list(one.dims)) for one in (*config.input, *config.output)] == [
        ("window", [32, 15, 4]), ("feature", [len(load_encoder(bundle).vector(bundle.golden()["windows"][0]))]),
    ]  # fmt: skip
    assert config.dynamic_batching.max_queue_delay_microseconds == 5000
    (model,) = (tmp_path / "repo/edge-encoder").glob(f"*/{config.default_model_filename}")
    assert model.parent.name.isdigit()
    assert model.read_bytes() == (DEFAULT / "encoder.onnx").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_it_replaces_its_own_model_and_no_other(tmp_path, bundle, other, capsys):
    repository = tmp_path / "repo"
    write_model(repository / "edge-encoder", bundle, other, "onnxruntime", other, "model.onnx")
    before = files(repository)
    assert exported(repository) == 0
    assert len(files(repository)) == len(before) == 2
    assert files(repository) != before
    (repository / "edge-encoder/config.pbtxt").write_text('name: "somebody else\'s"')
    assert exported(repository) == 2
    (repository / "file").touch()
    assert exported(repository / "file") == 2
    assert exported(repository, "--name", "../up") == 2
    assert exported(repository, "--precision", "fp8") == 2
    error = capsys.readouterr().err
    assert "was not made by edge-app" in error


def test_an_engine_goes_beside_the_network_if_triton_can_load_it(tmp_path, capsys):
    engine = tmp_path / "x.engine"
    engine.write_bytes(b"an engine")
    network = hashlib.sha256((DEFAULT / "encoder.onnx").read_bytes()).hexdigest()
    good = {"onnx_sha256": network, "tensorrt": "10.3.0", "sha256": hashlib.sha256(b"an engine").hexdigest()}
    for side_car, problem in (
        (None, "side-car"), ([], "side-car"), ({**good, "tensorrt": "rtx1.7"}, "TensorRT for RTX"),
        ({**good, "onnx_sha256": "0"}, "another network"), ({**good, "sha256": "0"}, "not those"),
    ):  # fmt: skip
        if side_car is not None:
            engine.with_suffix(".json").write_text(json.dumps(side_car))
        assert exported(tmp_path / "repo", "--engine", str(engine)) == 2
        assert problem in capsys.readouterr().err
    assert not (tmp_path / "repo").exists()
    engine.with_suffix(".json").write_text(json.dumps(good))
    assert exported(tmp_path / "repo", "--engine", str(engine)) == 0
    assert config_of(tmp_path / "repo/edge-encoder-tensorrt").backend == "tensorrt"
    assert len(list((tmp_path / "repo").glob("edge-encoder-tensorrt/*/model.plan"))) == 1


def test_addresses():
    assert parse_address("localhost:8001") == ("grpc", "localhost:8001", "edge-encoder")
    assert parse_address("http://[::1]:8000/mine") == ("http", "[::1]:8000", "mine")
    assert parse_address("grpcs://box.lan:8001") == ("grpcs", "box.lan:8001", "edge-encoder")
    for wrong in ("", "8001", "ftp://localhost:1", "grpc://me:secret@localhost:1", "localhost:1/a/b"):
        with pytest.raises(UsageError, match="allowed is"):
            parse_address(wrong)
    for plain in ("grpc://192.0.2.1:8001", "http://box.lan:8000", "box.lan:8001"):
        with pytest.raises(UsageError, match="beyond it: grpcs"):
            parse_address(plain)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_no_server_is_exit_2(capfd, scheme):
    asked = ["--runtime", "triton", "--set", f"runtime.triton={scheme}://127.0.0.1:1"]
    assert main(["recognize", "person://wave?seconds=1", *asked]) == 2
    assert "no model 'edge-encoder' on a Triton server at 127.0.0.1:1" in capfd.readouterr().err


def test_auto_never_takes_it_and_it_is_no_gpu_of_this_machine(bundle):
    assert "triton" not in choose_encoder(bundle, "auto", "scale", RuntimeConfig()).why
    with pytest.raises(UsageError, match="triton uses no GPU here"):
        choose_encoder(bundle, "triton", "scale", RuntimeConfig(require_gpu=True))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    assert exported(folder / "repo") == 0
    return folder / "repo"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnxruntime", "python"])
def test_it_answers_as_the_network_here_by_both_protocols(repository, tmp_path, bundle, kind):
    windows = bundle.golden()["windows"]
    expected = load_session(bundle).run(windows)
    with from_python(DEFAULT) if kind == "python" else from_repository(repository, tmp_path) as server:
        for address in (server.grpc, server.http):
            chosen = choose_encoder(bundle, "triton", "scale", RuntimeConfig(triton=address))
            assert chosen.encoder.provider == f"triton-{kind}"
            np.testing.assert_allclose(TritonSession(address).run(windows), expected, atol=1e-5)
        if kind == "onnxruntime":
            check_batches(server, windows)


def check_batches(server, windows):
    """What eight readers ask for at once is computed together."""
    sessions = [TritonSession(server.grpc) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda session: [session.run(windows[:1]) for _ in range(8)], sessions))
    (row,) = sessions[0]._client.get_inference_statistics("edge-encoder", as_json=True)["model_stats"]
    assert int(row["execution_count"]) < int(row["inference_count"]) - 16


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_hangs_is_answered_by_the_policy(repository, tmp_path, bundle, capfd, how):
    with from_repository(repository, tmp_path) as server:
        addresses = (server.grpc, server.http)
        to_cpu = [choose_encoder(bundle, "triton", "scale", RuntimeConfig(triton=each)).encoder for each in addresses]
        to_end = choose_encoder(bundle, "triton", "scale", RuntimeConfig("fail", triton=server.grpc)).encoder
        capfd.readouterr()
        os.killpg(server.process.pid, how)
        window = bundle.golden()["windows"][0]
        for encoder in to_cpu:
            begun = time.monotonic()
            encoder.vector(window)
            assert time.monotonic() - begun < LIMIT_S + 2
            assert encoder.provider == "onnxruntime-cpu"
            self_test(bundle, encoder)
        with pytest.raises(UsageError, match="triton-onnxruntime failed while running"):
            to_end.vector(window)
    error = capfd.readouterr().err
    assert error.count("onnxruntime-cpu goes on") == 2


@pytest.mark.slow
def test_another_network_is_refused_at_the_start_and_while_running(tmp_path, bundle, other):
    repository = tmp_path / "repo"
    assert exported(repository) == 0
    write_model(repository / "other", bundle, other, "onnxruntime", other, "model.onnx")
    with from_repository(repository, tmp_path) as server:
        with pytest.raises(UsageError, match="fails the golden self-test"):
            choose_encoder(bundle, "triton", "scale", RuntimeConfig(triton=f"{server.grpc}/other"))
        encoder = choose_encoder(bundle, "triton", "scale", RuntimeConfig(triton=server.grpc)).encoder
        write_model(repository / "edge-encoder", bundle, other, "onnxruntime", other, "model.onnx")
        window, until = bundle.golden()["windows"][0], time.monotonic() + 30
        expected = encoder.vector(window)
        while encoder.provider == "triton-onnxruntime":
            np.testing.assert_allclose(encoder.vector(window), expected, atol=1e-5)
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.slow
def test_beyond_this_machine_it_is_tls(repository, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    options = ("--grpc-use-ssl=true", f"--grpc-server-cert={certificate}", f"--grpc-server-key={key}")
    with from_repository(repository, tmp_path, *options) as server:
        place = "grpcs://" + server.grpc.replace("127.0.0.1", "localhost")
        command = [
            sys.executable, "-m", "edge_app", "recognize", "person://wave?seconds=1", "--runtime", "triton",
            "--set", f"runtime.triton={place}",
        ]  # fmt: skip
        trusting = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate)}
        assert subprocess.run(command, env=trusting, timeout=60).returncode == 0
        stranger = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert stranger.returncode == 2 and "on a Triton server" in stranger.stderr


def test_the_stand_in_is_asked_for(monkeypatch):
    monkeypatch.setenv("EDGE_APP_TRITON_PYTHON", "/nowhere")
    with pytest.raises(pytest.skip.Exception, match="make triton"):
        python_with_triton()
