"""Teaching over the control socket: bounded, atomic, and never in the loop's way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from tests.security.test_label_service import SETS, Fed

SECONDS = 2.5


@pytest.fixture
def start(tmp_path):
    """start(use=True): a running recognizer whose user's folder is always the same."""
    open_ones: list[Fed] = []

    def begin(**options: bool) -> Fed:
        for fed in open_ones:
            fed.close()
        open_ones[:] = [Fed(tmp_path, tmp_path / "taught", **options)]
        return open_ones[0]

    yield begin
    for fed in open_ones:
        fed.close()


@pytest.fixture(scope="module")
def same(tmp_path_factory) -> Iterator[Fed]:
    """One for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("teach")
    fed = Fed(folder, folder / "taught")
    yield fed
    fed.close()


def asked(fed: Fed, op: str, labels: list[str] | None = None, **more: object) -> dict:
    """The reply to one request, while decisions go on."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(fed.control)
        socket.send(json.dumps({"schema": "control/1.0", "op": op, "labels": labels, **more}).encode())
        for _ in range(5000):
            fed.turn()
            if socket.poll(0):
                return json.loads(socket.recv())
    raise AssertionError("no reply")


def names(fed: Fed) -> tuple[str, ...]:
    return fed.table.names


def test_taught_in_force_listed_kept_and_forgotten(start):
    fed = start()
    reply = asked(fed, "labels.teach", ["my gesture"], seconds=SECONDS)
    assert reply == {"schema": "control/1.0", "ok": True, "id": None, "labels_version": 2, "count": 4, "shots": 1}
    assert names(fed) == (*SETS[0], "my gesture")
    assert asked(fed, "labels.teach", ["My Gesture"], seconds=SECONDS)["shots"] == 2
    assert asked(fed, "labels.list")["taught"] == {"my gesture": 2}
    fed = start()
    assert names(fed) == (*SETS[0], "my gesture"), "after a restart"
    assert asked(fed, "labels.list")["taught"] == {"my gesture": 2}
    assert asked(fed, "labels.forget", ["MY gesture"])["count"] == 3
    assert names(fed) == tuple(SETS[0])
    assert "nothing was taught" in asked(fed, "labels.forget", ["my gesture"])["error"]
    assert names(start()) == tuple(SETS[0])


def test_a_word_that_was_taught_stays_a_word_when_its_shots_are_forgotten(start):
    fed = start()
    asked(fed, "labels.teach", ["wave"], seconds=SECONDS)
    assert asked(fed, "labels.list")["taught"] == {"wave": 1}
    assert asked(fed, "labels.forget", ["wave"])["count"] == 3
    assert names(fed) == tuple(SETS[0]) and asked(fed, "labels.list")["taught"] == {}


def test_what_was_taught_can_be_turned_off(start):
    asked(start(), "labels.teach", ["my gesture"], seconds=SECONDS)
    fed = start(use=False)
    assert names(fed) == tuple(SETS[0])
    assert "taught.use" in asked(fed, "labels.teach", ["my gesture"], seconds=SECONDS)["error"]
    assert names(start()) == (*SETS[0], "my gesture")


@contextmanager
def taking_a_shot(fed) -> Iterator[zmq.Socket]:
    """The label "a" is asked for; the reply is still to come."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(fed.control)
        socket.send(
            json.dumps({"schema": "control/1.0", "op": "labels.teach", "labels": ["a"], "seconds": 2.5}).encode()
        )
        yield socket


def test_decisions_go_on_during_a_shot_and_another_one_waits(start):
    fed = start()
    with taking_a_shot(fed) as socket:
        for _ in range(5):
            fed.turn()
        assert "another shot" in asked(fed, "labels.teach", ["b"], seconds=SECONDS)["error"]
        assert asked(fed, "labels.add", ["jump"])["ok"], "words change meanwhile"
        before = fed.recognizer._counters["decisions"]
        while not socket.poll(0):
            fed.turn()
        assert json.loads(socket.recv())["ok"]
        assert fed.recognizer._counters["decisions"] > before
    assert names(fed) == (*SETS[0], "jump", "a")


def test_a_shot_of_nobody_changes_nothing(start, tmp_path):
    fed = start()
    with taking_a_shot(fed) as socket:
        while not socket.poll(0):
            fed.turn(decide=False)
        reply = json.loads(socket.recv())
    assert reply["ok"] is False and "a body was in view in 0 of" in reply["error"]
    assert names(fed) == tuple(SETS[0]) and fed.table.version == 1
    assert not (tmp_path / "taught").exists()


@pytest.mark.parametrize(("labels", "more", "word"), [
    (["a"], {}, "'seconds'"), (["a"], {"seconds": "5"}, "'seconds'"), (["a"], {"seconds": True}, "'seconds'"),
    (["a"], {"seconds": 1}, "2.5 to 30"), (["a"], {"seconds": 31}, "2.5 to 30"), (["a"], {"seconds": -1}, "2.5 to 30"),
    (["a"], {"seconds": 5, "camera": "porch"}, "allowed: cam"), (["a"], {"seconds": 5, "camera": 7}, "allowed: cam"),
    (["a"], {"seconds": 5, "camera": "x" * 9999}, "allowed: cam"), (["a", "b"], {"seconds": 5}, "one is allowed"),
    ([], {"seconds": 5}, "none found"), (["a\nb"], {"seconds": 5}, "printable"),
    (["\x1b[3m"], {"seconds": 5}, "printable"),
    (["a"], {"seconds": 0}, "nothing is stored"),
])  # fmt: skip
def test_bad_lessons_get_one_line_and_change_nothing(same, labels, more, word):
    fed = same
    reply = asked(fed, "labels.teach", labels, **more)
    assert reply["ok"] is False and word in reply["error"]
    assert reply["error"].isprintable() and len(reply["error"]) < 300
    assert names(fed) == tuple(SETS[0]) and fed.table.version == 1


def test_without_a_folder_nothing_can_be_taught(private):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(private.control.endpoint)
        socket.send(b'{"schema":"control/1.0","op":"labels.teach","labels":["a"],"seconds":5}')
        private.until(lambda: socket.poll(0))
        assert "nothing can be taught here" in json.loads(socket.recv())["error"]
