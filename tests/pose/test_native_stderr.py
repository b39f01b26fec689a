"""Each in a process of its own, whose stderr is read to the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_app.bundles.user_folders import cache_folder
from edge_app.pose.model_file import ENVIRONMENT, MODELS, _problem
from edge_app.pose.native_stderr import VARIABLE

SEES = """
import ctypes, gc, os, sys
from mediapipe.tasks.python import vision
from edge_app.pose import mediapipe as pose, multi_person as people
from edge_app.types import Frame

def talkative(name):
    silent = getattr(vision.PoseLandmarker, name)
    def talks(*arguments):
        os.write(2, b"what a next version says in " + name.encode() + b"\\n")
        return silent(*arguments)
    setattr(vision.PoseLandmarker, name, talks)

for name in ("create_from_options", "detect", "detect_for_video", "close"):
    talkative(name)
libc = ctypes.CDLL(None)
libc.on_exit(libc.perror, None)  # a library that prints when the process ends

count, end = int(sys.argv[1]), sys.argv[2]
unclosed = pose.PoseEstimator()  # the import of MediaPipe keeps the first one from being collected
backend = pose.PoseEstimator() if count == 1 else people.PeopleEstimator(count)

def seen(*pictures):
    return [len(backend.estimate(Frame("c", i, i * 200_000_000, picture)).poses) for i, picture in enumerate(pictures)]

figure = pose.draw_figure()
print(seen(figure, figure, figure[:400], figure))
backend.reset()
print(seen(figure))
if end == "with":
    with backend, unclosed:
        pass
    assert sys.stderr.fileno() == 2
elif end == "close":
    backend.close()
    backend.close()
elif end == "collect":
    del backend
    gc.collect()
os.write(2, b"mine\\n")
print("mine too", file=sys.stderr)
"""


def run(code: str, *arguments: str, **environment: str) -> tuple[str, str]:
    """What a Python process writes on stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def model() -> None:
    if not os.environ.get(ENVIRONMENT) and _problem(cache_folder("models") / MODELS["full"].file, MODELS["full"]):
        pytest.skip("the pose model is not in the cache: python -m edge_app.pose.model_file")


@pytest.mark.parametrize(("people", "end"), [(1, "with"), (3, "close"), (3, "collect"), (1, "exit")])
def test_F1_mediapipe_is_not_heard(people: int, end: str, model: None) -> None:
    out, err = run(SEES, str(people), end)
    assert out == "[1, 1, 1, 1]\n[1]\n" and err == "mine\nmine too\n"


def test_a_file_gets_it_on_request(tmp_path: Path, model: None) -> None:
    file = tmp_path / "said.txt"
    assert run(SEES, "1", "exit", **{VARIABLE: str(file)})[1] == "mine\nmine too\n"
    for name in ("create_from_options", "detect_for_video", "close"):
        assert f"what a next version says in {name}\n" in file.read_text()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_lines_of_other_threads_all_arrive(unbuffered: str) -> None:
    """A handler made before, stderr itself, and the app's own log, while descriptor 2 goes to and fro."""
    code = """
import logging, os, sys, threading
handler = logging.StreamHandler()
from edge_app.app.log import log
from edge_app.pose.native_stderr import native_stderr_captured
old = logging.getLogger("old")
old.addHandler(handler)
def handle(i): old.warning("handler %d", i)
def write(i): sys.stderr.write(f"stderr {i}\\n")
def tell(i): log.error("log %d", i)
def many(say):
    for i in range(3000):
        say(i)
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=many, args=(say,)) for say in (handle, write, tell)]
for thread in threads:
    thread.start()
turns = 0
while any(thread.is_alive() for thread in threads):
    with native_stderr_captured():
        os.write(2, b"native\\n")
    turns += 1
print(turns > 10)
"""
    out, err = run(code, PYTHONUNBUFFERED=unbuffered)
    assert out == "True\n"
    lines = [line.removeprefix("edge-app: ") for line in err.splitlines()]
    assert sorted(lines) == sorted(f"{who} {i}" for who in ("handler", "stderr", "log") for i in range(3000))


def test_nested_and_in_two_threads_until_the_last_is_out() -> None:
    _, err = run("""
import os, threading
from edge_app.pose.native_stderr import native_stderr_captured
inside, leave = threading.Event(), threading.Event()
def other():
    with native_stderr_captured():
        inside.set()
        leave.wait()
thread = threading.Thread(target=other)
with native_stderr_captured():
    with native_stderr_captured():
        thread.start()
        inside.wait()
    os.write(2, b"native\\n")
os.write(2, b"native, of the other thread\\n")
leave.set()
thread.join()
os.write(2, b"mine\\n")
""")
    assert err == "mine\n"


def test_a_process_gets_its_own_stderr_back(tmp_path: Path) -> None:
    """Its descriptor, its streams, what its programs inherit, and a redirection of its own."""
    file = tmp_path / "redirected"
    _, err = run(
        """
import os, subprocess, sys
from edge_app.pose.native_stderr import give_back_stderr, native_stderr_captured
stream = sys.stderr
def native():
    with native_stderr_captured():
        os.write(2, b"native\\n")
native()
give_back_stderr()
assert sys.stderr is stream and stream.fileno() == 2
subprocess.run(["sh", "-c", "echo program >&2"])
os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)
native()
with native_stderr_captured():
    print("inside", file=sys.stderr)
print("outside", file=sys.stderr)
""",
        str(file),
    )
    assert err == "program\n" and file.read_text() == "inside\noutside\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_traceback_from_inside_arrives(unbuffered: str) -> None:
    code = (
        "import os\nfrom edge_app.pose.native_stderr import native_stderr_captured\n"
        "with native_stderr_captured():\n    os.write(2, b'native')\n    raise KeyError('why')"
    )
    err = run(code, PYTHONUNBUFFERED=unbuffered)[1]
    assert err.startswith("Traceback") and err.endswith("KeyError: 'why'\n") and "native" not in err.split("\n")


@pytest.mark.parametrize("closing", ["os.close(2)", "sys.stderr.close()", "sys.stderr = None"])
def test_without_a_stderr_all_goes_on(closing: str) -> None:
    out, err = run(f"""
import os, sys
from edge_app.pose.native_stderr import native_stderr_captured
{closing}
for _ in range(2):
    with native_stderr_captured():
        print("inside")
print("outside")
""")
    assert out == "inside\ninside\noutside\n" and err == ""


def test_a_fork_from_another_thread_has_the_true_stderr() -> None:
    _, err = run("""
import os, sys, threading
from edge_app.pose.native_stderr import native_stderr_captured
def fork():
    if (pid := os.fork()) == 0:
        os.write(2, b"child\\n")
        print("and its stream", file=sys.stderr)
        with native_stderr_captured():
            os.write(2, b"native\\n")
        os._exit(0)
    os.waitpid(pid, 0)
with native_stderr_captured():
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    os.write(2, b"native\\n")
os.write(2, b"parent\\n")
""")
    assert err == "child\nand its stream\nparent\n"


def test_what_is_kept_does_not_grow_for_ever() -> None:
    out, _ = run("""
import os
from edge_app.pose.native_stderr import KEEP_BYTES, keep_in, last_words, memory_file, native_stderr_captured
file = memory_file()
keep_in(file)
sizes = set()
for i in range(100):
    with native_stderr_captured():
        os.write(2, b"x" * 4000 + b"\\nlast\\n    @ 0x7f\\n")
    sizes.add(os.fstat(file).st_size)
print(max(sizes) <= KEEP_BYTES, len(sizes) > 5, last_words(file), last_words(memory_file()) == "")
""")
    assert out == "True True last True\n"
