"""Which runtime serves, and what happens when it fails. Sessions are faked where a GPU would be; the rest is real."""

import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import zmq

from edge_app.app.cli import main
from edge_app.app.processes.recognizer import RecognizerProcess, RecognizerTask
from edge_app.app.settings import Settings
from edge_app.bundles.bundle import load_bundle
from edge_app.errors import UsageError
from edge_app.ranker.labels.label import parse_labels
from edge_app.recognizer import choose_encoder, self_test
from edge_app.runtime import choose as choose_module
from edge_app.runtime import load as load_module
from edge_app.runtime.choose import RuntimeConfig
from edge_app.runtime.session import RUNTIMES, open_session
from edge_app.types import CameraReport
from edge_app.window.buffer import make_window
from tests.light import light_bundle


class Clock:
    """What `choose` measures by: it goes on only where a session says so, however busy the machine is."""

    now_s = 0.0

    @classmethod
    def perf_counter(cls):
        return cls.now_s


class Fake:
    """What a GPU would compute, by the CPU; `broken` may change it. It takes `seconds`, by `Clock`."""

    def __init__(self, provider, seconds=0.0, broken=lambda result: result):
        self.provider, self.seconds, self.broken = provider, seconds, broken
        self.session = open_session(light_bundle() / "encoder.onnx")

    def run(self, batch):
        Clock.now_s += self.seconds
        return self.broken(self.session.run(batch))


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(light_bundle())


@pytest.fixture
def runtimes(monkeypatch):
    """Puts sessions, or errors, in the place of runtimes: name, or (name, precision) -> what opens."""

    def put(**given):
        def opened(model, runtime="onnxruntime", precision="fp32", waiting=None):
            found = given.get(f"{runtime}_{precision}", given.get(runtime))
            if found is None:
                raise UsageError(f"no {runtime} here")
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(load_module, "open_session", opened)
        monkeypatch.setattr(choose_module, "time", Clock)

    return put


def nan_head(result):
    result[:, 7] = np.nan
    return result


def test_the_fastest_is_taken_and_the_line_says_why(bundle, runtimes):
    runtimes(
        onnxruntime=Fake("onnxruntime-cpu", 0.02), openvino=Fake("openvino-cpu", 0.02), tensorrt=Fake("tensorrt-fp32")
    )
    chosen = choose_encoder(bundle, "auto", "scale", RuntimeConfig())
    assert chosen.encoder.provider == "tensorrt-fp32"
    assert re.match(r"runtime tensorrt-fp32: \d+\.\d+ ms a window; not clearly faster: onnxruntime-cpu", chosen.why)
    assert "cuda (no cuda here)" in chosen.why
    assert "\n" not in chosen.why


def test_in_a_close_race_the_first_is_taken(bundle, runtimes):
    runtimes(onnxruntime=Fake("onnxruntime-cpu", 0.02), openvino=Fake("openvino-cpu", 0.019))
    assert choose_encoder(bundle, "auto", "scale", RuntimeConfig()).encoder.provider == "onnxruntime-cpu"


@pytest.mark.fault
@pytest.mark.parametrize(
    "wrong", [nan_head, lambda result: result * 0, lambda result: result[:, ::-1], lambda result: result[:, :5]]
)
def test_A10_a_numerically_wrong_engine_is_rejected_and_the_next_tried(bundle, runtimes, wrong):
    runtimes(onnxruntime=Fake("onnxruntime-cpu", 0.02), tensorrt=Fake("tensorrt-fp16", 0, wrong))
    chosen = choose_encoder(bundle, "auto", "scale", RuntimeConfig())
    assert chosen.encoder.provider == "onnxruntime-cpu"
    assert "tensorrt (" in chosen.why
    self_test(bundle, chosen.encoder)
    with pytest.raises(UsageError, match="--runtime tensorrt"):
        choose_encoder(bundle, "tensorrt", "scale", RuntimeConfig())


@pytest.mark.fault
def test_A10_of_two_precisions_the_wrong_one_is_rejected(bundle, runtimes):
    manifest = {**bundle.manifest, "encoder": {**bundle.manifest["encoder"], "variants": {"fp16": "half.onnx"}}}
    both = type(bundle)(bundle.path, bundle.id, manifest, bundle.calibration)
    runtimes(tensorrt_fp32=Fake("tensorrt-fp32", 0.02), tensorrt_fp16=Fake("tensorrt-fp16", 0, nan_head))
    assert choose_encoder(both, "tensorrt", "scale", RuntimeConfig()).encoder.provider == "tensorrt-fp32"
    runtimes(tensorrt_fp32=Fake("tensorrt-fp32", 0.02), tensorrt_fp16=Fake("tensorrt-fp16"))
    assert choose_encoder(both, "tensorrt", "scale", RuntimeConfig()).encoder.provider == "tensorrt-fp16"


def test_a_runtime_that_crashes_in_its_own_way_is_named_with_what_it_said(bundle, runtimes):
    runtimes(onnxruntime=Fake("onnxruntime-cpu"), cuda=MemoryError("CUDA\nout of memory"))
    assert "cuda (MemoryError: CUDA out of memory)" in choose_encoder(bundle, "auto", "scale", RuntimeConfig()).why


def test_a_required_gpu_that_is_not_there_is_exit_2(capfd, runtimes):
    runtimes(onnxruntime=Fake("onnxruntime-cpu"))
    assert main(["recognize", "person://wave?seconds=1", "--require-gpu"]) == 2
    error = capfd.readouterr().err
    assert "tensorrt (no tensorrt here)" in error
    assert main(["recognize", "person://wave?seconds=1", "--require-gpu", "--runtime", "onnxruntime"]) == 2
    assert "allowed are cuda, tensorrt" in capfd.readouterr().err


def test_a_required_gpu_that_is_not_there_ends_the_app(capfd, tmp_path):
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("there is a GPU here")
    assert main(["run", "person://wave", "--publish", f"ipc://{tmp_path}/stream", "--require-gpu"]) == 2
    assert "no GPU runtime can be used" in capfd.readouterr().err


def test_an_unknown_runtime(bundle):
    with pytest.raises(UsageError, match=", ".join(RUNTIMES)):
        choose_encoder(bundle, "magic", "scale", RuntimeConfig())


class Failing(Fake):
    """A GPU that is lost after so many windows."""

    def __init__(self, windows, how):
        super().__init__("tensorrt-fp16")
        self.windows, self.how = windows, how

    def run(self, batch):
        self.windows -= 1
        if self.windows < 0:
            if self.how == "nan":
                return super().run(batch) * np.nan
            raise RuntimeError("cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED (719)")
        return super().run(batch)


AT_START = 16
"""Windows that the self-test takes, of a golden dozen, and the clock of a runtime that has no rival."""


@pytest.mark.fault
@pytest.mark.parametrize("how", ["raises", "nan"])
def test_P9_a_lost_gpu_falls_back_to_the_cpu_with_the_same_rankings(bundle, runtimes, capfd, how):
    runtimes(onnxruntime=Fake("onnxruntime-cpu"), tensorrt=Failing(AT_START + 3, how))
    encoder = choose_encoder(bundle, "tensorrt", "scale", RuntimeConfig()).encoder
    providers = []
    for window in bundle.golden()["windows"]:
        encoder.vector(window)
        providers.append(encoder.provider)
    assert providers == ["tensorrt-fp16"] * 3 + ["onnxruntime-cpu"] * 9
    self_test(bundle, encoder)
    assert capfd.readouterr().err.count("tensorrt-fp16 failed") == 1, "said once"


@pytest.mark.fault
def test_P9_a_gpu_that_is_lost_while_it_is_timed_is_not_chosen(bundle, runtimes):
    runtimes(onnxruntime=Fake("onnxruntime-cpu"), tensorrt=Failing(AT_START - 1, "raises"))
    chosen = choose_encoder(bundle, "auto", "scale", RuntimeConfig())
    assert chosen.encoder.provider == "onnxruntime-cpu"
    assert "tensorrt (RuntimeError: cuStreamSynchronize" in chosen.why


@pytest.mark.fault
@pytest.mark.parametrize("config", [RuntimeConfig(on_error="fail"), RuntimeConfig(require_gpu=True)])
def test_P9_where_the_policy_is_to_fail_it_fails(bundle, runtimes, config):
    runtimes(onnxruntime=Fake("onnxruntime-cpu"), tensorrt=Failing(AT_START, "raises"))
    encoder = choose_encoder(bundle, "tensorrt", "scale", config).encoder
    with pytest.raises(UsageError, match=r"tensorrt-fp16 failed while running.*719"):
        encoder.vector(bundle.golden()["windows"][0])


@pytest.mark.fault
def test_P9_a_fallback_that_fails_too_is_an_error_not_a_loop(bundle, runtimes):
    runtimes(onnxruntime=Fake("onnxruntime-cpu", broken=nan_head), tensorrt=Failing(AT_START, "raises"))
    encoder = choose_encoder(bundle, "tensorrt", "scale", RuntimeConfig()).encoder
    with pytest.raises(UsageError, match="onnxruntime-cpu failed while running: its result is not finite"):
        encoder.vector(bundle.golden()["windows"][0])


@pytest.mark.fault
def test_P9_the_provider_changes_in_what_is_published(bundle, runtimes, tmp_path):
    """A real recognizer and a real subscriber; only the GPU is made up."""
    runtimes(onnxruntime=Fake("onnxruntime-cpu"), tensorrt=Failing(AT_START + 1, "raises"))
    task = RecognizerTask(
        bundle=light_bundle(), labels=parse_labels("wave, squat"), ranker="scale", runtime="tensorrt",
        publish=f"ipc://{tmp_path}/stream", cameras=(("cam", ""),), settings=Settings(),
    )  # fmt: skip
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        recognizer = RecognizerProcess(task, context)
        subscriber.subscribe("v1/cam/")
        subscriber.connect(task.publish)
        providers = {"state": [], "status": []}
        for index in range(2):
            recognizer._status_due_ns = 0
            recognizer.take(report(bundle, index))
            recognizer.tick()
            for kind, seen in providers.items():
                while (message := received(subscriber, recognizer, kind))["seq"] <= index:
                    pass
                seen.append(message["provider"])
        recognizer.close()
    assert providers == {"state": ["tensorrt-fp16", "onnxruntime-cpu"], "status": ["tensorrt-fp16", "onnxruntime-cpu"]}


def received(subscriber, recognizer, kind: str) -> dict:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        recognizer._publisher.poll()
        if subscriber.poll(50):
            topic, _, body = subscriber.recv().partition(b"\0")
            if topic.endswith(kind.encode()):
                return json.load(io.BytesIO(body))
    raise AssertionError(f"no {kind} message")


def report(bundle, index: int) -> CameraReport:
    now = time.monotonic_ns()
    joints = bundle.golden()["windows"][index].copy()
    valid = np.ones(len(joints), bool)
    window = make_window(joints, valid, bundle.spec, camera="cam", track=1, t_ns=now, fps_in=30.0)
    return CameraReport("cam", "running", 0, now, 30.0, index, 0, (window,))
