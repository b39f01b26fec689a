from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest
import zmq

from edge_app.app.commands.listen import listen
from edge_app.errors import UsageError
from edge_app.stream.clock import Clock
from edge_app.stream.publisher import Publisher
from tests.running import interruptible

STATE, ACTION, STATUS = "v1/front/state", "v1/front/action", "v1/front/status"


@pytest.fixture
def heard(tmp_path, samples, capsys):
    """heard(messages, **options): exit code and lines of a listener to whom these were published."""

    def run(messages, **options) -> tuple[int, list[str]]:
        codes: list[int] = []
        with Publisher(f"ipc://{tmp_path}/s") as publisher:
            listener = threading.Thread(target=lambda: codes.append(listen(publisher.endpoint, **options)))
            listener.start()
            while not publisher.poll(0.1):
                assert listener.is_alive()
            for topic, message in messages:
                assert publisher.publish(topic, message)
            listener.join(20)
            assert not listener.is_alive()
        return codes[0], capsys.readouterr().out.splitlines()

    return run


def now() -> int:
    return Clock().mono_ns()


def test_json_lines_are_the_messages_as_received(heard, samples):
    t = now()
    code, lines = heard([(ACTION, samples.action("start", t)), (STATE, samples.state(t))], json_lines=True, count=2)
    assert code == 0
    start, state = map(json.loads, lines)
    assert (start["schema"], start["type"], start["seq"]) == ("action/1.1", "start", 1)
    assert state["state"] == "running" and "local" not in state


def test_readable_lines_tell_of_changes_once(heard, samples):
    t = now()
    code, lines = heard([
        (STATE, samples.state(t, "idle")), (ACTION, samples.action("start", t)), (ACTION, samples.action("update", t)),
        (ACTION, samples.action("end", t)), (STATUS, samples.status(t)),
    ], count=5 - 1, timeout_s=20)  # an update may be replaced by the end  # fmt: skip
    assert code == 0
    text = "\n".join(lines)
    assert text.count("idle") == 1 and text.count("START") == 1 and text.count("UPDATE") == 0
    assert [line.split()[1:4] for line in lines[:3]] == [
        ["front", "state", "idle"], ["front", "START", "wave"], ["front", "END", "wave"],
    ]  # fmt: skip
    assert "0.625" in lines[1] and "ms old" in lines[1] and "(over)" in lines[2]


def test_a_label_cannot_forge_lines_or_move_the_cursor(heard, samples):
    evil = {**samples.action("start", now()), "label": "wave\n\x1b[2J\u202efoo\ud7ff é", "camera": "a\rb"}
    code, lines = heard([(ACTION, evil)], count=1)
    assert code == 0 and len(lines) == 1
    assert lines[0].isprintable() and r"wave\n\x1b[2J\u202efoo" in lines[0] and r"a\rb" in lines[0] and "é" in lines[0]
    code, lines = heard([(ACTION, evil)], count=1, json_lines=True)
    assert len(lines) == 1 and lines[0].isascii() and lines[0].isprintable()
    assert json.loads(lines[0])["label"] == evil["label"]


def test_nothing_received_is_exit_code_4(capsys):
    assert listen("tcp://127.0.0.1:1", timeout_s=0.05) == 4
    assert capsys.readouterr().out == ""


def test_the_timeout_after_something_was_received_is_0(heard, samples):
    code, lines = heard([(STATE, samples.state(now()))], timeout_s=0.5)
    assert code == 0 and len(lines) >= 1


def test_silence_is_shown_but_is_nothing_received(monkeypatch, capsys):
    monkeypatch.setattr(
        "edge_app.app.commands.listen.Subscriber", lambda endpoint, keys: _Quick(endpoint, liveness_timeout_s=0.05)
    )
    assert listen("tcp://127.0.0.1:1", timeout_s=0.5, json_lines=True, count=1) == 4
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["state"] == "stale" and json.loads(line)["local"] is True


def _Quick(endpoint, **options):
    from edge_app.client import Subscriber

    return Subscriber(endpoint, **options)


def test_a_malformed_endpoint_is_a_usage_error():
    with pytest.raises(UsageError, match="nonsense"):
        listen("nonsense")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "closed output"])
def test_F7_F8_a_signal_and_a_closed_pipe_are_clean(tmp_path, samples, stop):
    code = "import sys; from edge_app.app.cli import main; sys.exit(main(['listen', sys.argv[1], '--json']))"
    with Publisher(f"ipc://{tmp_path}/s", clock=Clock()) as publisher:
        child = subprocess.Popen(
            [sys.executable, "-c", code, publisher.endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=interruptible,
        )  # fmt: skip
        try:
            while not publisher.poll(0.1):
                assert child.poll() is None
            publisher.publish(STATE, samples.state(now()))
            assert child.stdout is not None and json.loads(child.stdout.readline())["state"] == "running"
            if isinstance(stop, signal.Signals):
                child.send_signal(stop)
            else:
                child.stdout.close()
                publisher.publish(STATE, samples.state(now()))
            assert child.wait(20) == 0
            assert child.stderr is not None and child.stderr.read() == b""
        finally:
            child.kill()
            child.wait()
            for stream in (child.stdout, child.stderr):
                if stream:
                    stream.close()


def test_a_message_of_another_writer_with_missing_keys_is_still_shown(capsys):
    with zmq.Context() as context, context.socket(zmq.XPUB) as writer:
        writer.linger = 0
        port = writer.bind_to_random_port("tcp://127.0.0.1")
        listener = threading.Thread(target=listen, args=(f"tcp://127.0.0.1:{port}",), kwargs={"count": 2})
        listener.start()
        assert writer.poll(5000)
        writer.recv()
        writer.send(b'v1/a/action\0{"schema":"action/1.7","seq":1}')
        writer.send(b'v1/a/other\0{"schema":"other/1.0","seq":1,"x":{}}')
        listener.join(20)
        assert not listener.is_alive()
    assert len(capsys.readouterr().out.splitlines()) == 2
