"""The webhook bridge against a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

pytest.importorskip("httpx", reason="httpx is not installed (pip install 'edge-app[webhook]')")

from edge_app.app.bridges import webhook
from edge_app.app.bridges.outbox import MAX_WAITING, Event, Outbox
from edge_app.app.cli import main
from tests.app.bridges.conftest import is_valid

WAIT_S = 30.0
SECRET = "whsec_" + base64.b64encode(b"a key of the tests").decode()


class Post(NamedTuple):
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Keeps every POST, and answers with the next of `answers`, or with 204."""

    def __init__(self) -> None:
        posts: queue.Queue[Post] = queue.Queue()
        self.posts, self.answers, self.hold = posts, queue.Queue[tuple[int, dict[str, str]]](), threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                posts.put(Post({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.hold.wait(WAIT_S)
                try:
                    code, headers = receiver.answers.get_nowait()
                except queue.Empty:
                    code, headers = 204, {}
                self.send_response(code)
                for name, value in {"content-length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=s3cret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self) -> Post:
        return self.posts.get(timeout=WAIT_S)

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def event(n: int = 1, **data: object) -> Event:
    return Event("v1/front/action", {"type": "start", "label": "wave", "n": n, **data}, time.monotonic(), 12.0)


def test_F10_starts_and_ends_of_the_label_come_signed_with_the_message_as_it_is(receiver, stream, bridging, tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    options = ("--url", receiver.url, "--label", "Fall Down", "--secret-file", str(tmp_path / "secret"))
    with bridging("webhook", *options) as bridge:
        assert "s3cret" not in bridge.stderr.readline()
        first = threading.Event()

        def act() -> None:
            while not first.wait(0.2):  # the bridge may not have subscribed yet
                stream.action("start", 1, label="fall down")
                stream.action("start", 2, label="bow")

        actor = threading.Thread(target=act)
        actor.start()
        start = receiver.next()
        first.set()
        actor.join()
        stream.action("update", 1, label="fall down")
        stream.action("end", 1, label="fall down")
        while (end := receiver.next()).headers["webhook-id"] == start.headers["webhook-id"] or b'"end"' not in end.body:
            pass
    data = json.loads(start.body)
    assert is_valid(start.body.decode()) and (data["type"], data["label"]) == ("start", "fall down")
    assert json.loads(end.body)["type"] == "end" and start.headers["content-type"] == "application/json"
    assert 0 <= int(start.headers["x-edge-app-age-ms"]) <= 1000 * WAIT_S
    signed = f"{start.headers['webhook-id']}.{start.headers['webhook-timestamp']}.".encode() + start.body
    digest = hmac.digest(b"a key of the tests", signed, hashlib.sha256)
    assert start.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert abs(int(start.headers["webhook-timestamp"]) - time.time()) < WAIT_S


def test_what_fails_is_tried_again_in_order_and_what_is_refused_is_not(receiver, monkeypatch, caplog):
    monkeypatch.setattr(webhook, "FIRST_PAUSE_S", 0.01)
    for answer in ((503, {}), (429, {"retry-after": "0"}), (200, {}), (404, {}), (301, {"location": "/elsewhere"})):
        receiver.answers.put(answer)
    outbox = Outbox(webhook.Webhook(receiver.url, None).deliver)
    for n in range(1, 5):
        outbox.put(event(n))
    seen = [receiver.next() for _ in range(6)]
    outbox.close()
    assert [json.loads(post.body)["n"] for post in seen] == [1, 1, 1, 2, 3, 4]
    assert len({post.headers["webhook-id"] for post in seen}) == 4 and "webhook-signature" not in seen[0].headers
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "dropped" in line] == [
        f"dropped the start of 'wave': {receiver.url.partition('/hook')[0]}: answered {code}" for code in (404, 301)
    ]


def test_a_receiver_that_is_away_is_given_up_on_and_said(monkeypatch, caplog):
    monkeypatch.setattr(webhook, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(webhook, "GIVE_UP_S", 0.1)
    webhook.Webhook("http://127.0.0.1:1/", None).deliver(event(), threading.Event())
    assert [record.getMessage() for record in caplog.records][-1].startswith(
        "dropped the start of 'wave': http://127.0.0.1:1: "
    )


def test_a_receiver_that_hangs_holds_up_nobody_and_the_oldest_make_room(receiver, caplog):
    receiver.hold.clear()
    outbox = Outbox(webhook.Webhook(receiver.url, None).deliver)
    outbox.put(event(0))
    receiver.next()
    for n in range(1, MAX_WAITING + 4):
        outbox.put(event(n))
    assert [record.getMessage() for record in caplog.records] == ["dropped the start of 'wave': it is full"] * 3
    receiver.hold.set()
    seen = [json.loads(receiver.next().body)["n"] for _ in range(MAX_WAITING)]
    outbox.close()
    assert seen == list(range(4, MAX_WAITING + 4))


def test_at_the_end_what_still_waits_is_said(receiver, monkeypatch, caplog):
    monkeypatch.setattr("edge_app.app.bridges.outbox.CLOSE_S", 0.05)
    receiver.hold.clear()
    outbox = Outbox(webhook.Webhook(receiver.url, None).deliver)
    outbox.put(event(1))
    receiver.next()
    outbox.put(event(2))
    outbox.close()
    assert caplog.records[-1].getMessage() == "dropped the start of 'wave': the bridge ends"


ANSWERS: dict[str, bytes] = {
    "nothing": b"", "no HTTP": b"\x00\xff" * 50, "endless": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
    "a bad length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", "a bad code": b"HTTP/1.1 9999 OK\r\n\r\n",
    "a bad wait": b"HTTP/1.1 503 no\r\nretry-after: \xff\r\ncontent-length: 0\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_answer_can_do_more_than_lose_its_event(answer, monkeypatch, caplog):
    """As over a socket of our own: a server that follows no rules."""
    monkeypatch.setattr(webhook, "GIVE_UP_S", 0.0)
    with answering(lambda _: answer) as url:
        webhook.Webhook(url, None).deliver(event(), threading.Event())
    assert len(caplog.records) == 1 and "dropped the start of 'wave'" in caplog.records[0].getMessage()
    assert caplog.records[0].getMessage().isprintable()


class answering:
    """A socket that reads a request and sends whatever it likes, once."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._server, self._answer = socket.create_server(("127.0.0.1", 0)), answer

    def __enter__(self) -> str:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.getsockname()[1]}/"

    def _serve(self) -> None:
        with self._server.accept()[0] as connection:
            answer = self._answer(connection.recv(65_536))
            try:
                connection.sendall(answer)
            except OSError:
                return  # it had enough

    def __exit__(self, *exc: object) -> None:
        self._thread.join()
        self._server.close()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--url", "ftp://host/"], "http://HOST/PATH"),
        (["--url", "http://"], "http://HOST/PATH"),
        (["--url", "http://a b:x/"], "not a URL"),
        (["--url", "http://h/", "--secret-file", "missing"], "--secret-file missing: No such file"),
        (["nonsense", "--url", "http://h/"], "nonsense"),
    ],
)
def test_bad_options_are_named(capfd, options, word):
    assert main(["bridge", "webhook", *options]) == 2
    assert word in capfd.readouterr().err


def test_a_secret_that_is_no_base64_is_named(capfd, monkeypatch):
    monkeypatch.setenv(webhook.SECRET_ENVIRONMENT, "whsec_*")
    assert main(["bridge", "webhook", "--url", "http://h/"]) == 2
    assert "not base64" in capfd.readouterr().err
