"""Every quick start, command by command as it is written, in a shell whose user has nothing but a clone.

What is not here is stood in for: the webcam by a drawn person (`WEBCAM`), other machines by this one, the downloads of
`make demo` and pip by the packages of the tests. A network of its own keeps its ports from others.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.app.bridges.test_mqtt import MOSQUITTO
from tests.examples.test_scripts import drawn_video
from tests.running import interruptible
from train.synthetic.person_clips import generated_clips

ROOT = Path(__file__).parents[1]
LASTING = re.compile(r"make demo|edge-app (run|listen|bridge|view) ")
WEBCAM = '''
import importlib.util, sys
class Webcam:
    """Once OpenCV's sources are imported, `camera://0` is a person who is drawn."""
    def find_spec(self, name, path, target=None):
        if name != "edge_app.camera.opencv":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def load(module):
            execute(module)
            from edge_app.camera.person.source import PersonSource
            act = "person://wave,squat?fps=15&size=320x240&idle=1"
            module.open_device = lambda uri, *, camera: PersonSource(act, camera=camera, realtime=True)
        spec.loader.exec_module = load
        return spec
sys.meta_path.insert(0, Webcam())
'''

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root, for a network of its own"),
]  # fmt: skip


class Shell:
    """Somebody's terminals, in a folder with a clone in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.before = folder, "set -e"
        self.lasting: dict[str, tuple[subprocess.Popen, Path]] = {}
        self._count = 0
        home = folder.parent / "home"
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        self.environment = {
            "HOME": str(home), "PATH": f"{folder.parent}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8", "TMPDIR": str(folder.parent / "tmp"), "XDG_CACHE_HOME": str(cache),
            "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self._network = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
        while self.run("ip link set lo up") != 0:
            time.sleep(0.05)

    def start(self, line: str) -> tuple[subprocess.Popen, Path]:
        self._count += 1
        out = self.folder.parent / f"{self._count:02d}.out"
        command = ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", "bash", "-c", f"{self.before}\n{line}"]
        with out.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=interruptible,
            )  # fmt: skip
        return process, out

    def run(self, line: str) -> int:
        process, self.said = self.start(line)
        return process.wait(900)

    def stay(self, kind: str, line: str) -> None:
        """Start what goes on until Ctrl-C, and wait until it works; one of a kind at a time, as in one terminal."""
        self.stop(kind)
        process, out = self.lasting[kind] = self.start(line)
        until = time.monotonic() + 240
        while process.poll() is None and not self._works(line, out):
            assert time.monotonic() < until, f"{line}\n{out.read_text()}"
            time.sleep(0.2)
        if process.poll() is not None:
            assert kind == "bridge" and "is not installed; pip install" in out.read_text(), f"{line}\n{out.read_text()}"
            del self.lasting[kind]

    def _works(self, line: str, out: Path) -> bool:
        if not line.startswith("edge-app run"):
            return bool(re.search(r"state|action|passing|topic", out.read_text()))
        if self.run("edge-app status --json") != 0:
            return False
        (app,) = json.loads(self.said.read_text())["apps"]
        return "status" in app and app["status"].get("cameras", {}).get("cam", {}).get("state") == "running"

    def stop(self, kind: str) -> None:
        if kind in self.lasting:
            process, out = self.lasting.pop(kind)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) in (0, -signal.SIGINT), out.read_text()  # as `make` ends

    def close(self) -> None:
        for process, _ in self.lasting.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._network.kill()
        self._network.wait()


@pytest.fixture
def shell(tmp_path_factory) -> Iterator[Shell]:
    base = tmp_path_factory.mktemp("q")
    clone = base / "edge-app"
    for folder in ("home", "tmp", "bin", "edge-app"):
        (base / folder).mkdir()
    for entry in ROOT.iterdir():
        if not entry.name.startswith((".", "cache", "runs", "build", "dist")) and entry.suffix != ".egg-info":
            (clone / entry.name).symlink_to(entry)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    (site,) = (clone / ".venv/lib").glob("python*/site-packages")
    (site / "webcam.py").write_text(WEBCAM)
    (site / "here.pth").write_text(f"{clone}\n{sysconfig.get_paths()['purelib']}\nimport webcam\n")
    for name, module in (("edge-app", "edge_app"), ("pip", "pip")):
        script = clone / ".venv/bin" / name
        script.write_text(f'#!/bin/sh\nexec {clone}/.venv/bin/python -m {module} "$@"\n')
        script.chmod(0o755)
    for done in (".system", ".runtime"):
        (clone / ".venv" / done).touch()
    os.utime(clone / ".venv/.system", (0, 0))  # older than what make thinks was made after it
    shell = Shell(clone)
    yield shell
    shell.close()


def follow(shell: Shell, page: str, otherwise: dict[str, int] | None = None) -> None:
    """Run what a page's shell blocks say. otherwise: exit codes but 0, by the beginning of their commands."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.replace("HOST", "127.0.0.1").strip()
            if line.startswith(". "):
                shell.before += f"\n{line}"
            elif found := LASTING.match(line + " "):
                shell.stay(found[1] or "run", line)
            elif line:
                wanted = next((code for start, code in (otherwise or {}).items() if line.startswith(start)), 0)
                assert shell.run(line) == wanted, f"{line}\n{shell.said.read_text()}"
                if "keys new" in line:  # what the page says in words
                    shutil.copytree(shell.folder / "keys/clients/robot", shell.folder / "robot")
    for kind in list(shell.lasting):
        shell.stop(kind)


def test_a_webcam(shell):
    follow(shell, "quickstart-webcam.md")


def test_F15_a_robot(shell):
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    broker, _ = shell.start(f"{MOSQUITTO} -p 1883")
    follow(shell, "quickstart-robot.md")
    os.killpg(broker.pid, signal.SIGTERM)
    broker.wait()


def test_F15_a_researcher(shell):
    """Without NTU RGB+D, which is said in one line; `tests/train/papers/test_quickstart.py` walks that route."""
    pytest.importorskip("torch", reason="training needs torch")
    (shell.folder / "VIDEOS").mkdir()
    drawn_video("person://wave?seconds=3&fps=15&size=320x240", shell.folder / "clip.mp4")
    shutil.copy(shell.folder / "clip.mp4", shell.folder / "VIDEOS")
    write_set(shell.folder / "SET.npz")
    follow(shell, "quickstart-researcher.md", {"python -m train reproduce": 2})


def test_a_jetson(shell):
    """Here without one: what needs it says so in one line, and all else is measured."""
    follow(shell, "quickstart-jetson.md", {"python -m export engine": 2, "edge-app run csi": 2})


def write_set(path: Path) -> None:
    """A skeleton set of three motions, two clips each."""
    clips = [clip for clip in generated_clips(2, seed=5) if clip.name in ("squat", "wave", "jumping jack")]
    names = sorted({clip.name for clip in clips})
    np.savez(
        path, X=np.concatenate([np.round(clip.joints[..., :3] * 1000) for clip in clips]).astype(np.int16),
        off=np.cumsum([0, *(len(clip.joints) for clip in clips)]),
        label=np.array([names.index(clip.name) for clip in clips]), names=np.array(names), fps=np.float32(24),
        dim=np.int64(3),
    )  # fmt: skip
