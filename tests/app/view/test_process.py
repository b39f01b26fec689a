"""The page beside an app: a process of its own, which comes back, and goes with the app."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from edge_app.app.view import process
from edge_app.app.view.hub import View
from edge_app.app.view.process import ViewProcess
from edge_app.client import Subscriber
from edge_app.errors import UsageError
from tests.running import interruptible


def read(url: str, timeout_s: float = 20.0) -> bytes:
    """The page, once it answers."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            return urllib.request.urlopen(url, timeout=timeout_s).read()
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise


def only_child() -> int:
    (child,) = (child for child in multiprocessing.active_children() if child.name == "edge-app-view")
    assert child.pid is not None
    return child.pid


def test_a_killed_page_comes_back_and_the_stream_goes_on(app, capfd):
    with ViewProcess(View(app.endpoint), "127.0.0.1:0", "") as page, Subscriber(app.endpoint) as stream:
        read(page.url)
        before = only_child()
        os.kill(before, signal.SIGKILL)
        assert b"edge-app" in read(page.url), "who asks meanwhile waits for the next one"
        assert only_child() != before
        states = [stream.recv(20) for _ in range(20)]
        assert all(message is not None and not message.gap for message in states)
    assert not multiprocessing.active_children()
    assert "starting it again" in capfd.readouterr().err


def test_a_page_that_always_falls_over_is_given_up_and_nothing_else(capfd):
    with ViewProcess(View("nonsense"), "127.0.0.1:0", "") as page:
        page.wait()
    lines = capfd.readouterr().err.splitlines()
    assert f"failed {process.RESTARTS + 1} times" in lines[-1]
    assert not any("Traceback" in line for line in lines)


ALONE = """
import multiprocessing, signal, sys
from edge_app.app.view.hub import View
from edge_app.app.view.process import ViewProcess
if __name__ == "__main__":
    with ViewProcess(View(sys.argv[1]), "127.0.0.1:0", "") as page:
        while not multiprocessing.active_children():
            pass
        print(page.url, multiprocessing.active_children()[0].pid, flush=True)
        signal.pause()
"""


def test_the_page_ends_with_an_app_that_is_killed(app, tmp_path):
    (tmp_path / "alone.py").write_text(ALONE)
    command = [sys.executable, str(tmp_path / "alone.py"), app.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url, pid = parent.stdout.readline().split()
        read(url)
        page = os.pidfd_open(int(pid))
        parent.kill()
        ended, _, _ = select.select([page], [], [], 20)
        os.close(page)
        assert ended


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(process, "PACKAGES", ("starlette", "no_such_package"))
    with pytest.raises(UsageError, match=r"needs no_such_package: pip install 'edge-app\[view\]'"):
        process.enter("127.0.0.1:0", "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nonsense"], 2), (["--listen", "example.org:80"], 2), (["--listen", "0.0.0.0:0", "--token", "short"], 2)],
)
def test_the_command_says_what_is_wrong(arguments, code):
    done = subprocess.run(
        [sys.executable, "-m", "edge_app", "view", "--listen", "127.0.0.1:0", *arguments],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("edge-app: ")


def test_the_command_serves_and_ctrl_c_ends_it_cleanly(app):
    command = [sys.executable, "-m", "edge_app", "view", app.endpoint, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible)
    assert process.stderr is not None
    with process, process.stderr as lines:
        url = next(lines).split()[-1]
        assert b"edge-app" in read(url)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert lines.read() == ""
