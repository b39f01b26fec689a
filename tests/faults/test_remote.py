"""A camera on another machine: here in another network namespace, where that is allowed, else in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_app.app.cli import main
from edge_app.client import Subscriber
from edge_app.stream.keys import new_client, new_server
from tests.running import SQUATS, Ledger, action, closed, repeat, running, state, wait_for

PORT = 5601


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def sending(source: str, *more: str, within: tuple[str, ...] = ()) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([*within, sys.executable, "-m", "edge_app", "camera", source, *more])
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them: 10.77.0.1 and 10.77.0.2."""
    names = [f"edge-{os.getpid()}-{side}" for side in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("making network namespaces is not permitted here")
    try:
        ip("link", "add", "veth-a", "netns", names[0], "type", "veth", "peer", "name", "veth-b", "netns", names[1])
        for name, side, number in zip(names, "ab", (1, 2), strict=True):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", f"veth-{side}")
            ip("-n", name, "link", "set", f"veth-{side}", "up")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.mark.slow
def test_a_camera_in_another_network_is_watched_lost_with_the_cable_and_found_again(
    machines: tuple[str, str], squats: str, tmp_path: Path
) -> None:
    here, there = machines
    new_server(tmp_path / "keys")
    home = new_client(tmp_path / "keys", "front", "camera")
    endpoint = f"ipc://{tmp_path}/stream"
    command = ["ip", "netns", "exec", here, sys.executable, "-m", "edge_app", "run", f"remote://10.77.0.1:{PORT}"]
    command += ["--publish", endpoint, "--keys", str(tmp_path / "keys"), "--labels", "squat, wave, clap"]
    app = subprocess.Popen(command)
    try:
        with (
            Subscriber(endpoint, newest=False) as stream,
            sending(
                squats, "--to", f"tcp://10.77.0.1:{PORT}", "--keys", str(home), within=("ip", "netns", "exec", there)
            ),
        ):
            ledger = Ledger()
            wait_for(stream, action("start"), ledger=ledger)
            ip("-n", there, "link", "set", "veth-b", "down")
            wait_for(stream, state("camera_lost"), ledger=ledger)
            ip("-n", there, "link", "set", "veth-b", "up")
            wait_for(stream, action("start"), ledger=ledger)
            app.terminate()
            assert closed(stream, ledger) and not ledger.wrong
            assert app.wait(60) == 0
    finally:
        app.kill()
        app.wait()


def test_a_sender_that_is_killed_is_lost_and_the_next_one_is_heard(squats: str, tmp_path: Path) -> None:
    endpoint, to = f"ipc://{tmp_path}/stream", f"127.0.0.1:{PORT}"
    with Subscriber(endpoint, newest=False) as stream:
        ledger = Ledger()
        with running(endpoint, f"remote://{to}", stderr=None):
            wait_for(stream, state("camera_lost"), ledger=ledger)
            with sending(squats, "--to", f"tcp://{to}") as first:
                wait_for(stream, action("start"), ledger=ledger)
                first.kill()
                wait_for(stream, state("camera_lost"), ledger=ledger)
            with sending(squats, "--to", f"tcp://{to}"):
                wait_for(stream, action("start"), ledger=ledger)
        assert closed(stream, ledger) and not ledger.wrong


@pytest.mark.parametrize("heard", [True, False])
def test_F3_a_sender_whose_source_ends_ends_and_the_next_one_is_heard(heard: bool, squats: str, tmp_path: Path) -> None:
    endpoint, to = f"ipc://{tmp_path}/stream", f"127.0.0.1:{PORT}"
    short = repeat(SQUATS, tmp_path / "short.mcap", 1)
    if not heard:
        with sending(short, "--to", f"tcp://{to}") as sender:
            assert sender.wait(60) == 0
        return
    with running(endpoint, f"remote://{to}", stderr=None), Subscriber(endpoint, newest=False) as stream:
        wait_for(stream, state("camera_lost"))
        with sending(short, "--to", f"tcp://{to}") as sender:
            assert sender.wait(60) == 0
        with sending(squats, "--to", f"tcp://{to}"):
            wait_for(stream, action("start"))


def test_a_camera_without_a_place_to_send_to_is_told_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["camera", "test://noise", "--to", "tcp://127.0.0.1:5601"]
    assert main([*command, "--keys", str(tmp_path)]) == 2
    assert "server.key: No such file" in capfd.readouterr().err
