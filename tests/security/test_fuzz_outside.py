"""Wild input in what people write on a command line, and in what other programs answer: as `test_fuzz` has it."""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import strategies as st

from edge_app.app.bridges.outbox import Event
from edge_app.camera import gives_poses, has_end, open_source
from edge_app.camera.recording import decode_poses, encode_poses
from edge_app.camera.uri import normalized
from edge_app.client import Message, as_meant, decode
from edge_app.errors import AppError, PortError, UsageError
from edge_app.ranker.labels import shots
from edge_app.ranker.labels.english import read
from edge_app.ranker.labels.label import Label, parse_labels, profiles
from edge_app.ranker.labels.languages import LANGUAGES, find_label, names
from edge_app.stream import control
from edge_app.stream.endpoint import check_bind, parse_host_port
from edge_app.types import Pose, Poses
from edge_app.window.skeleton import CORE15, WindowSpec
from tests.security.fuzzing import SIZES, as_json, damaged, fuzz, paths_in, texts, wild, with_value

typed = texts.map(lambda text: os.fsdecode(text.encode("utf-8", "surrogatepass")))
"""As a command line gives them: bytes that are no UTF-8 are surrogates there."""


def joined(*parts: str) -> st.SearchStrategy[str]:
    """Texts of parts in any order, with others between them."""
    return st.lists(st.sampled_from(parts) | typed, max_size=8).map("".join)


@pytest.mark.parametrize("examples", SIZES)
def test_sources(examples):
    schemes = (
        "test://", "TEST://black?", "person://", "person://wave?", "images://", "images:///tmp?", "pose://", "file://",
        "file:/", "fault://", "fault://slow:fps=2/test://", "Fault://lost:after=1/fault://", "csi://", "rtsp://", "x://",
        "camera://", "/dev/video", "",
    )  # fmt: skip
    rest = joined(
        "://", "/", "?", "&", "=", ":", ",", "@", "%20", "..", "localhost/", "black", "noise", "test://black", "fps",
        "fps=", "size=", "8x8", "seconds", "after", "nan", "-1", "0", "1e9", "１", "\0", "view=desk", "u:p@h", "a.mp4",
    )  # fmt: skip

    def check(uri: str) -> None:
        meant = normalized(uri)
        assert normalized(meant) == meant
        assert isinstance(gives_poses(uri), bool) and isinstance(has_end(uri), bool)
        if any(scheme in meant for scheme in ("camera:", "v4l2:", "csi:", "rtsp", "http", "remote:")):
            return  # these would look for a device, or ask a network
        try:
            open_source(uri, realtime=False).close()
        except AppError:
            return

    fuzz(examples, st.tuples(st.sampled_from(schemes), rest).map("".join), check)


@pytest.mark.parametrize("examples", SIZES)
def test_addresses(examples, monkeypatch):
    mqtt = pytest.importorskip("edge_app.app.bridges.mqtt")
    webhook = pytest.importorskip("edge_app.app.bridges.webhook")
    monkeypatch.setattr(webhook.httpx, "Client", lambda **options: None)  # it takes long to make

    def check(text: str) -> None:
        for parse, refusal in (
            (as_meant, ValueError), (parse_host_port, ValueError), (check_bind, UsageError),
            (lambda text: check_bind(text, with_keys=True), UsageError),
            (lambda text: mqtt.make_broker(text, None, None, None), UsageError),
            (lambda text: webhook.Webhook(text, None), UsageError),
            (lambda text: webhook.Webhook("http://host/", text), UsageError),
        ):  # fmt: skip
            try:
                found = parse(text)
            except refusal:
                continue
            assert parse is not as_meant or as_meant(found) == found

    parts = ("tcp", "IPC", "inproc", "http", "https", "://", "localhost", "127.0.0.1", "[::1]", "::1", "*", ":", "0",
             "5757", "65536", "１", "@", "/", "%", "[", "]", "é", "\0", " ", "whsec_", "=")  # fmt: skip
    fuzz(examples, joined(*parts), check)


@pytest.mark.parametrize("examples", SIZES)
def test_words_of_all_languages(examples):
    own = [name for entry in names().values() for each in entry.values() for name in each]

    def check(text: str) -> None:
        assert set(find_label(text)) <= set(LANGUAGES)
        assert read(text).sure in ("yes", "maybe", "no")
        try:
            assert all(isinstance(label, Label) for label in parse_labels(text))
        except UsageError as error:
            assert str(error).isprintable() and len(str(error)) < 400

    edited = st.tuples(st.sampled_from(own), st.integers(0, 12), texts).map(
        lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]
    )
    mixed = st.lists(st.sampled_from([*own, ", ", "; ", " = ", "、", ": "]) | texts, max_size=5).map("".join)
    profile = st.tuples(
        st.sampled_from([*profiles(), "x"]),
        st.sampled_from(["", ":", ",", ";"]),
        st.sampled_from([*LANGUAGES, "xx", "es_MX"]) | texts,
    )
    check("~\ud800")
    fuzz(examples, st.one_of(edited, mixed, profile.map("".join)), check)


@pytest.mark.parametrize("examples", SIZES)
def test_poses_of_recordings_and_messages(examples):
    person = Pose(0, np.zeros((33, 2), np.float32), np.zeros((33, 3), np.float32), np.ones(33, np.float32), (640, 480))
    good = encode_poses(Poses("cam", 1, 2, (person,)))
    tree = {"index": 1, "t_ns": 2, "poses": [{"size": [640, 480], "image": [1.0] * 66, "world": [1.0] * 99,
                                              "visibility": [1.0] * 33}]}  # fmt: skip

    def check(data: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                poses = decode_poses(data, "cam")
            except ValueError:
                return
        for pose in poses.poses:
            assert np.isfinite(pose.world).all() and np.isfinite(np.square(pose.image)).all()

    changed = st.tuples(st.sampled_from(paths_in(tree)), wild).map(lambda pair: as_json(with_value(tree, *pair)))
    fuzz(examples, st.one_of(damaged(good), changed), check)


class Answers:
    """In the place of a ZeroMQ context and its socket: whatever is asked, this is the answer."""

    answer = b""

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def socket(self, kind: int) -> Answers:
        return self

    def setsockopt(self, *option: object) -> None:
        pass

    connect = send = setsockopt

    def poll(self, timeout_ms: int) -> bool:
        return True

    def recv(self) -> bytes:
        return self.answer


@pytest.mark.parametrize("examples", SIZES)
def test_answers_of_the_control_socket(examples, monkeypatch):
    monkeypatch.setattr(control.zmq, "Context", Answers)

    def check(answer: bytes) -> None:
        monkeypatch.setattr(Answers, "answer", answer)
        try:
            assert control.ask("ipc://app", "labels.list")["ok"] is True
        except UsageError as error:
            assert "\n" not in str(error)

    reply = {"ok": True, "labels": ["wave"], "labels_version": 1, "id": 1}
    some = st.fixed_dictionaries({"ok": st.booleans() | wild}, optional={"error": wild, "labels": wild}).map(as_json)
    fuzz(examples, st.one_of(st.binary(max_size=80), damaged(as_json(reply)), some), check)


class Rude:
    """A server of this machine that reads what it is sent and answers `answer`, whatever it was; then it hangs up."""

    answer = b""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self.answer is not None:
            with self._server.accept()[0] as connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(self.answer or b"")
                except OSError:
                    pass  # it had enough

    def close(self) -> None:
        self.answer = None
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._server.close()


@pytest.fixture
def rude() -> Iterator[Rude]:
    server = Rude()
    yield server
    server.close()


@pytest.mark.parametrize("examples", SIZES)
def test_answers_of_a_broker(examples, rude):
    mqtt = pytest.importorskip("edge_app.app.bridges.mqtt")
    where = mqtt.Broker("127.0.0.1", rude.port, None, None, None)

    def check(answer: bytes) -> None:
        rude.answer = answer
        try:
            with mqtt._connected(where, "edge-app-1", "p/bridge") as client:
                mqtt._home_assistant(client, "p", "homeassistant", mqtt.LabelNames("ipc://nobody", None))
                while True:
                    mqtt._turn(client, 1.0)
        except (OSError, PortError):
            return

    connected, kept = b"\x20\x03\x00\x00\x00", b"\x31\x0b\x00\x06p/live\x00on"
    whole = (kept, b"\x90\x04\x00\x01\x00\x00", b"\x40\x02\x00\x01", b"\xd0\x00", b"\xe0\x00")
    after = st.lists(st.sampled_from(whole), max_size=4).map(b"".join)
    packet = st.tuples(st.integers(0, 255), st.binary(max_size=30)).map(lambda p: bytes([p[0], len(p[1])]) + p[1])
    more = st.one_of(after, packet, damaged(kept)).map(connected.__add__)
    check(connected + b"1\n\x00\x06p/liv\x80\x00\x00")  # a topic that is no text
    fuzz(examples, st.one_of(st.binary(max_size=40), damaged(connected), packet, more), check)


@pytest.mark.parametrize("examples", SIZES)
def test_messages_on_their_way_to_a_broker(examples):
    mqtt = pytest.importorskip("edge_app.app.bridges.mqtt")
    client = mqtt.paho.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.paho.MQTTv5)
    client.max_queued_messages_set(1)

    def check(frame: bytes) -> None:
        try:
            topic, data = decode(frame)
        except ValueError:
            return
        message = Message(topic, data, local=False)
        with pytest.raises(ConnectionError):  # it has no connection; the topic was all right then
            mqtt._pass_on(client, f"p/{mqtt._topic_part(topic.split('/')[1])}", message)

    topic = st.tuples(st.just("v1/"), texts, st.sampled_from(["/action", "/state", "/status"])).map("".join)
    data = st.dictionaries(st.sampled_from(["schema", "type", "state"]) | texts, wild, max_size=4)
    framed = st.tuples(topic, data).map(lambda f: f[0].encode("utf-8", "surrogatepass") + b"\0" + as_json(f[1]))
    fuzz(examples, st.one_of(framed, damaged(b'v1/a#+%/state\0{"schema":"state/1.0"}')), check)


@pytest.mark.parametrize("examples", SIZES)
def test_answers_of_a_web_service(examples, rude):
    webhook = pytest.importorskip("edge_app.app.bridges.webhook")
    receiver = webhook.Webhook(f"http://127.0.0.1:{rude.port}/hook", "secret")
    event = Event("v1/cam/action", {"type": "start"}, time.monotonic(), 5.0)

    def check(answer: bytes) -> None:
        rude.answer = answer
        trouble, again, wait_s = receiver._try("1", b"{}", event)
        assert isinstance(trouble, str) and isinstance(again, bool) and 0 <= wait_s < 1e5

    good = b"HTTP/1.1 503 no\r\ncontent-length: 2\r\nretry-after: 3\r\nx: y\r\n\r\nno"
    named = st.sampled_from([b"retry-after", b"content-length", b"transfer-encoding", b"x"])
    value = st.sampled_from([b"0", b"-1", b"99999999", b"chunked", b"\xb2"]) | st.binary(max_size=9)
    fields = st.lists(st.tuples(named, value), max_size=4)
    status = st.integers(-1, 1200).map(lambda code: b"HTTP/1.1 %d x\r\n" % code)
    answers = st.tuples(status, fields, st.binary(max_size=9)).map(
        lambda a: a[0] + b"".join(name + b": " + value + b"\r\n" for name, value in a[1]) + b"\r\n" + a[2]
    )
    fuzz(examples, st.one_of(st.binary(max_size=60), damaged(good), answers), check)


@pytest.mark.parametrize("examples", SIZES)
def test_shots_that_were_taught(examples, tmp_path):
    spec = WindowSpec(0.25, 16.0, CORE15)
    joints, valid = np.zeros((1, spec.length, 15, 4), np.float32), np.ones((1, spec.length), bool)
    file = tmp_path / "a.npz"
    shots.write(file, shots.Taught(Label("wave"), spec, joints, valid, np.zeros(1, np.int64)))

    def check(data: bytes) -> None:
        file.write_bytes(data)
        try:
            assert shots.read(file).joints.shape == joints.shape
        except UsageError as error:
            assert "\n" not in str(error)

    fuzz(examples, st.one_of(st.binary(max_size=80), damaged(file.read_bytes())), check)
