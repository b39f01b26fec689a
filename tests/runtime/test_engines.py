"""The engine cache: nothing broken, foreign or half-written is ever opened; one process builds."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_app.bundles.shipped import DEFAULT
from edge_app.errors import UsageError
from edge_app.runtime.engines import KEEP, EngineCache, engine_key
from export.__main__ import main
from tests.light import light_bundle

from .conftest import KEY


def reseal(path: Path) -> None:
    """Make the side-car say that the engine, as it is now, is the right one."""
    side_car = json.loads(path.with_suffix(".json").read_text())
    side_car["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(side_car))


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def empty(_: bytes) -> bytes:
    return b""


def randomise(data: bytes) -> bytes:
    return np.random.default_rng(0).bytes(len(data))


def flip(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def other_version(data: bytes) -> bytes:
    return data.replace(b"10.3.0", b"10.9.0")


def test_an_engine_is_built_once_tried_each_time_and_named_after_all_it_depends_on(workshop):
    first = workshop.obtain()
    assert workshop.obtain() == first
    assert workshop.done() == ["build", "probe", "probe"]
    name = f"{'a' * 12}-orin_nvgpu-sm87-trt10.3.0-fp32-b1_64"
    assert workshop.left() == {f"{name}.engine", f"{name}.json"}
    side_car = json.loads((workshop.cache.folder / f"{name}.json").read_text())
    assert side_car["onnx_sha256"] == "a" * 64
    assert side_car["gpu"] == "Orin (nvgpu)"
    assert side_car["l4t"] == "36.4.3"
    assert side_car["sha256"] == hashlib.sha256(first).hexdigest()


@pytest.mark.fault
@pytest.mark.parametrize("damage", [truncate, empty, randomise, flip, other_version])
@pytest.mark.parametrize("sealed", [False, True])
def test_A1_a_damaged_engine_is_quarantined_and_rebuilt(workshop, capfd, damage, sealed):
    """Also one that its side-car vouches for: then the child crashes on it, not we."""
    whole = workshop.obtain()
    workshop.path.write_bytes(damage(whole))
    if sealed:
        reseal(workshop.path)
    assert workshop.obtain() == whole
    assert workshop.path.with_suffix(".bad").read_bytes() == damage(whole)
    assert "is set aside" in capfd.readouterr().err
    assert workshop.done() == ["build", "probe", *(["probe"] if sealed else []), "build", "probe"]


@pytest.mark.fault
def test_A1_where_the_new_engine_does_not_run_either_it_is_an_error_and_nothing_stays(workshop):
    broken = EngineCache(workshop.cache.folder, (sys.executable, "-c", "import sys; sys.exit('no such luck')"))
    with pytest.raises(UsageError, match="build: no such luck"):
        broken.obtain(KEY, workshop.model)
    child = (
        "import sys, pathlib\nif 'build' in sys.argv: pathlib.Path(sys.argv[4]).write_bytes(b'x')\nelse: sys.exit(3)"
    )
    with pytest.raises(UsageError, match="probe: the child process ended with 3"):
        EngineCache(workshop.cache.folder, (sys.executable, "-c", child)).obtain(KEY, workshop.model)
    assert workshop.left() == {workshop.path.with_suffix(".bad").name}


@pytest.mark.fault
@pytest.mark.parametrize("side_car", [None, "", "[]", "{", "\0"])
def test_A1_an_engine_without_a_good_side_car_is_not_opened(workshop, side_car):
    workshop.obtain()
    place = workshop.path.with_suffix(".json")
    place.unlink() if side_car is None else place.write_text(side_car)
    workshop.obtain()
    assert workshop.done() == ["build", "probe", "build", "probe"]


OTHER = {
    "gpu": "NVIDIA L4", "capability": "8.9", "tensorrt": "10.9.0", "precision": "fp16", "onnx_sha256": "b" * 64,
    "max_batch": 8, "l4t": "35.1.0",
}  # fmt: skip


@pytest.mark.fault
@pytest.mark.parametrize("name", OTHER)
def test_A2_an_engine_for_something_else_is_not_opened(workshop, name):
    """Not by its name, and not where somebody renames it."""
    other = replace(KEY, **{name: OTHER[name]})
    workshop.obtain(**{name: OTHER[name]})
    if other.file != KEY.file:
        workshop.obtain()
        assert workshop.done() == ["build", "probe", "build", "probe"]
        for suffix in (".engine", ".json"):
            (workshop.cache.folder / other.file).with_suffix(suffix).replace(workshop.path.with_suffix(suffix))
    workshop.log.write_text("")
    workshop.obtain()
    assert workshop.done() == ["build", "probe"], "the foreign engine was not even tried"
    assert workshop.path.with_suffix(".bad").exists()


@pytest.mark.fault
def test_A9_of_several_processes_one_builds_and_all_get_the_engine(workshop):
    program = (
        "import sys, pathlib; from edge_app.runtime.engines import *; from tests.runtime.conftest import KEY\n"
        "cache = EngineCache(pathlib.Path(sys.argv[1]), tuple(sys.argv[3:]))\n"
        "assert cache.obtain(KEY, pathlib.Path(sys.argv[2])).startswith(b'ENGINE')\n"
    )
    command = [sys.executable, "-c", program, str(workshop.cache.folder), str(workshop.model), *workshop.command]
    several = [subprocess.Popen(command) for _ in range(3)]
    assert [one.wait(60) for one in several] == [0, 0, 0]
    assert sorted(workshop.done()) == ["build", "probe", "probe", "probe"]
    assert workshop.left() == {workshop.path.name, workshop.path.with_suffix(".json").name}


class Stopped(Exception):
    pass


@pytest.mark.fault
def test_P7_a_build_that_is_told_to_stop_leaves_nothing(workshop):
    workshop.model.write_bytes(b"slow")

    def stop_once_building() -> None:
        if any(path.read_bytes() == b"half" for path in workshop.cache.folder.glob(".build-*/*.engine")):
            raise Stopped

    with pytest.raises(Stopped):
        workshop.cache.obtain(KEY, workshop.model, stop_once_building)
    assert workshop.left() == set()


@pytest.mark.fault
def test_P7_sigterm_while_tensorrt_builds_ends_it_within_5_s(tmp_path):
    needs_builder()
    out = tmp_path / "engines"
    command = [sys.executable, "-m", "export", "engine", "--bundle", str(DEFAULT), "--out", str(out)]
    building = subprocess.Popen(command)
    wait_until(lambda: list(out.glob(".build-*")))
    building.send_signal(signal.SIGTERM)
    assert building.wait(5) != 0
    assert {path.name for path in out.iterdir()} == {"lock"}


@pytest.mark.fault
def test_P7_what_a_killed_build_leaves_is_cleared_by_the_next(workshop):
    (workshop.cache.folder / ".build-old").mkdir(parents=True)
    workshop.obtain()
    assert len(workshop.left()) == 2


def test_a_waiting_process_is_called_back_and_gives_up_after_its_time(workshop, monkeypatch):
    monkeypatch.setattr("edge_app.runtime.engines.WAIT_S", 0.3)
    calls = []
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with workshop.cache._locked(lambda: None):
            entered.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(30)
    try:
        with pytest.raises(UsageError, match="another process builds"):
            workshop.cache.obtain(KEY, workshop.model, lambda: calls.append(1))
    finally:
        leave.set()
        holder.join()
    assert calls


def test_engines_that_were_not_used_for_long_go(workshop):
    for i in range(KEEP):
        workshop.obtain(l4t=str(i), onnx_sha256=64 * str(i))
        os.utime(workshop.cache.folder / replace(KEY, onnx_sha256=64 * str(i)).file, (i, i))
    workshop.obtain()
    left = workshop.left()
    assert len(left) == 2 * KEEP
    assert replace(KEY, onnx_sha256=64 * "0").file not in left
    assert workshop.path.name in left


def test_a_set_aside_engine_that_goes_takes_nothing_of_the_new_one(workshop):
    workshop.obtain()
    workshop.path.write_bytes(b"")
    workshop.obtain()
    bad = workshop.path.with_suffix(".bad")
    os.utime(bad, (1, 1))
    for i in range(KEEP - 1):
        workshop.obtain(onnx_sha256=64 * str(i))
    assert not bad.exists()
    workshop.log.write_text("")
    workshop.obtain()
    assert workshop.done() == ["probe"], "the new engine is still there, with its side-car"


def test_a_full_disk_is_one_line(workshop, monkeypatch):
    def refused(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(UsageError, match="No space left on device"):
        workshop.obtain()
    assert workshop.left() == set()


def test_the_cache_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert EngineCache().folder == tmp_path / "edge-app" / "engines"


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="engine cache"):
        EngineCache(tmp_path / "file").obtain(KEY, tmp_path / "model")


@pytest.mark.slow
def test_a_real_engine_is_built_without_a_gpu_once_and_rebuilt_where_damaged(tmp_path, capsys):
    trt = needs_builder()
    arguments = ["engine", "--bundle", str(light_bundle()), "--out", str(tmp_path)]
    assert main(arguments) == 0
    (path,) = tmp_path.glob("*.engine")
    key = engine_key(light_bundle() / "encoder.onnx", "fp32")
    assert path.name == key.file
    assert path.name.endswith(f"-any-smany-trtrtx{trt.__version__}-fp32-b1_64.engine")
    assert path.stat().st_size > 1_000_000
    before = path.stat().st_ino
    assert main(arguments) == 0
    assert path.stat().st_ino == before, "it is not built again"
    path.write_bytes(truncate(path.read_bytes()))
    assert main(arguments) == 0
    assert path.stat().st_size > 1_000_000
    assert path.with_suffix(".bad").exists()
    assert "set aside" in capsys.readouterr().err


def test_export_engine_needs_no_torch():
    program = "import sys; sys.modules['torch'] = sys.modules['onnx'] = None\nfrom export.__main__ import main\n"
    command = [sys.executable, "-c", program + "main(['engine', '--help'])"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--precision" in done.stdout


def test_export_engine_says_what_a_bundle_lacks(capsys):
    needs_builder()
    assert main(["engine", "--bundle", str(DEFAULT), "--precision", "fp8"]) == 2
    assert "fp8" in capsys.readouterr().err


def needs_builder():
    return pytest.importorskip(
        "tensorrt_rtx", reason="pip install 'edge-app[tensorrt]' for a builder that needs no GPU"
    )


def wait_until(condition, timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
