"""Wild input to everything that reads what others wrote: a result, or an error meant for people; nothing else escapes.

A hundred inputs each by default, always the same ones; `pytest tests/security -k 10000` tries 10,000 each.
"""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
import zmq
from hypothesis import strategies as st

from edge_app.app.bridges.home_assistant import STATES, HomeAssistant, LabelNames
from edge_app.app.label_service import CHANGES
from edge_app.app.processes.handover import unpack
from edge_app.app.settings import Settings, load_settings
from edge_app.bundles.bundle import load_bundle
from edge_app.camera import remote
from edge_app.camera.pose_codec import POSE_BYTES
from edge_app.camera.recording import RecordingFile, read_recording
from edge_app.client import Message, Subscriber, client_keys, decode, read_certificate, strict_json
from edge_app.errors import AppError, UsageError
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import parse_lines, parse_text, read_labels
from edge_app.ranker.load import load_ranker
from edge_app.types import Pose, Poses
from tests.security.fuzzing import SIZES, as_json, damaged, fuzz, numbers, paths_in, texts, wild, with_value

requests = st.one_of(
    st.binary(max_size=200),
    wild.map(as_json),
    st.fixed_dictionaries(
        {"schema": st.sampled_from(["control/1.0", "control/1.9", "control/2.0"]) | wild,
         "op": st.sampled_from(["status", "labels.list", *CHANGES]) | wild},
        optional={"labels": st.lists(texts, max_size=4) | wild, "id": wild},
    ).map(as_json),
    damaged(b'{"schema":"control/1.0","op":"labels.set","labels":["wave","fall = collapse: down"],"id":1}'),
)  # fmt: skip


@pytest.mark.parametrize("examples", SIZES)
def test_X3_control_messages(private, examples):
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(private.control.endpoint)

        def ask(body: bytes) -> dict:
            peer.send(body)
            while not peer.poll(1):
                private.control.poll()
            return json.loads(peer.recv())

        def check(body: bytes) -> None:
            reply = ask(body)
            assert reply["ok"] is True or reply["error"].isprintable()
            assert not private.labels._waiting
            if reply.get("count", 0) > 40:
                assert ask(as_json({"schema": "control/1.0", "op": "labels.set", "labels": []}))["ok"]

        fuzz(examples, requests, check)


@pytest.mark.parametrize("examples", SIZES)
def test_X3_messages_of_the_stream(examples):
    with Subscriber("tcp://127.0.0.1:1", newest=False) as stream:

        def check(frame: bytes) -> None:
            try:
                topic, data = decode(frame)
            except ValueError:
                return
            stream._accept(topic, data)
            while stream._take() is not None:
                pass
            stream._check_liveness()

        keys = [
            "schema",
            "run",
            "seq",
            "type",
            "event",
            "open",
            "state",
            "boot",
            "t_publish_mono_ns",
            "camera",
            "label",
        ]
        message = st.dictionaries(st.sampled_from(keys), wild, max_size=11)
        message = message.map(lambda data: {"schema": "state/1.0", "seq": 1, **data})
        topic = st.sampled_from([b"v1/c/action", b"v1/c/state", b"v1/c/status"])
        framed = st.tuples(topic, message).map(lambda pair: pair[0] + b"\0" + as_json(pair[1]))
        fuzz(examples, st.one_of(st.binary(max_size=100), framed), check)


@pytest.mark.parametrize("examples", SIZES)
def test_X3_json(examples):
    def check(body: bytes) -> None:
        try:
            assert isinstance(strict_json(body), dict)
        except ValueError as error:
            assert "\n" not in str(error)

    fuzz(
        examples, st.one_of(st.binary(max_size=80), wild.map(as_json), damaged(as_json({"a": [1, {"b": 2.5}]}))), check
    )


@pytest.mark.parametrize("examples", SIZES)
def test_A7_settings(tmp_path, examples):
    file = tmp_path / "c.yaml"

    def check(data: bytes | str) -> None:
        file.write_bytes(data if isinstance(data, bytes) else b"")
        try:
            found = load_settings(file) if isinstance(data, bytes) else load_settings(None, [data])
            assert isinstance(found, Settings)
        except UsageError as error:
            assert "\n" not in str(error)

    good = b"camera:\n  stride_s: 0.1\nevents: {enter: 0.5}\npublish:\n  topk: 3\n"
    paths = st.sampled_from(
        ["camera.stride_s", "events.enter", "publish.keys", "events", "", "a.b", "camera.stride_s.x"]
    )
    assigned = st.tuples(paths, texts | numbers.map(str)).map("=".join)
    tree = st.dictionaries(st.sampled_from(["camera", "events", "publish", "x"]), wild, max_size=3)
    sound = st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
    files = st.one_of(sound, damaged(good), tree.map(lambda tree: yaml.dump(tree).encode("utf-8", "replace")))
    fuzz(examples, st.one_of(files, assigned), check)


@pytest.mark.parametrize("examples", SIZES)
def test_X10_label_files(tmp_path, examples):
    file = tmp_path / "l.txt"

    def check(value: bytes | str | list[str]) -> None:
        try:
            if isinstance(value, bytes):
                file.write_bytes(value)
                labels = read_labels(file)
            else:
                labels = parse_text(value) if isinstance(value, str) else parse_lines(value)
            assert labels and all(text.isprintable() for label in labels for text in label.texts)
        except UsageError as error:
            assert str(error).isprintable() and len(str(error)) < 400

    good = "# list\nwave = hello, hi: an arm\nclap\nfalls down # c\n".encode("utf-8-sig")
    parts = [*"=;,:，、；：＝ \n", "鼓掌", "winken", "chute", "махать", "zwaaien", "wave", "- ", "1. ", "2、",
             "\u00a0", "\u200b", "@ 0.5"]  # fmt: skip
    pasted = st.lists(st.sampled_from(parts), max_size=12).map("".join)
    wild_lists = st.lists(texts | pasted, max_size=5)
    fuzz(examples, st.one_of(st.binary(max_size=80), damaged(good), texts, pasted, wild_lists), check)


@pytest.mark.parametrize("examples", SIZES)
def test_messages_on_their_way_to_home_assistant(tmp_path, examples):
    sent: dict[str, str] = {}
    labels = LabelNames(f"ipc://{tmp_path}/nobody", None)
    labels.want = lambda version: None
    home = HomeAssistant("p", "ha", labels, sent.__setitem__, lambda topics: None)
    one = st.fixed_dictionaries({"event": texts, "label": texts, "track": st.integers(0, 9) | wild}) | wild
    known = {
        "type": st.sampled_from(["start", "update", "end"]) | wild, "event": texts | wild, "label": texts | wild,
        "track": st.integers(0, 9) | wild, "state": st.sampled_from(STATES) | wild,
        "open": st.lists(one, max_size=3) | wild,
    }  # fmt: skip
    messages = st.tuples(
        st.sampled_from(["action", "state"]), st.fixed_dictionaries({}, optional=known), st.booleans(), texts
    )

    def check(value: tuple[str, dict, bool, str]) -> None:
        kind, data, local, kept = value
        try:
            home.take(Message(f"v1/cam/{kind}", data, local=local), "cam")
        except (LookupError, TypeError, AttributeError):
            return
        home.kept(f"{kept}/live")
        home.poll()
        assert all(isinstance(payload, str) and payload.isascii() for payload in sent.values())
        assert all("+" not in topic and "#" not in topic for topic in sent if topic.startswith(("p/cam/", "ha/")))

    fuzz(examples, messages, check)


FILES = {
    "encoder.onnx": b"onnx", "labels.npy": b"npy", "background.npz": b"npz", "golden.npz": b"npz",
    "ranker-scale.npz": b"npz",
    "labels.json": as_json([{"name": "wave", "synonyms": [], "description": "", "texts": [{"text": "wave"}]}]),
    "calibration.json": as_json({"rankers": {"scale": {
        "temperature": 1.0, "known_slope": 1.0, "known_bias": 0.0, "alike": 1.5}}}),
}  # fmt: skip


def manifest(files: dict[str, bytes]) -> dict:
    return {
        "format": "edge-bundle/1", "name": "n", "version": "1", "skeleton": "core15",
        "window": {"seconds": 2.0, "rate_hz": 16.0}, "encoder": {"file": "encoder.onnx"},
        "rankers": {"scale": {"file": "ranker-scale.npz"}}, "text_encoder": "t", "licence": "l", "metrics": {},
        "training_data": {"concepts": ["wave"]},
        "files": {name: {"sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()},
    }  # fmt: skip


@pytest.mark.parametrize("examples", SIZES)
def test_X5_manifests(tmp_path, examples):
    folder = tmp_path / "b"
    folder.mkdir()

    def check(change: tuple[str, object]) -> None:
        name, value = change
        files = dict(FILES)
        if name != "manifest.json":
            files[name] = value if isinstance(value, bytes) else as_json(value)
        for each, data in files.items():
            (folder / each).write_bytes(data)
        text = value if name == "manifest.json" else manifest(files)
        (folder / "manifest.json").write_bytes(text if isinstance(text, bytes) else as_json(text))
        try:
            bundle = load_bundle(folder)
            assert bundle.spec.length >= 2 and isinstance(bundle.default_labels, tuple)
        except UsageError as error:
            assert "\n" not in str(error) and len(str(error)) < 800
            return
        for use in (lambda: BundleText(bundle), lambda: load_ranker(bundle, "scale"), bundle.golden):
            with pytest.raises(UsageError):  # none of the arrays is one
                use()

    load_bundle_of_sound_files = ("manifest.json", manifest(FILES))
    check(load_bundle_of_sound_files)
    trees = {"manifest.json": manifest(FILES)} | {
        name: json.loads(FILES[name]) for name in ("labels.json", "calibration.json")
    }
    changes = [
        st.tuples(st.just(name), st.tuples(st.sampled_from(paths_in(tree)), wild).map(
            lambda pair, tree=tree: with_value(tree, *pair)
        )) for name, tree in trees.items()
    ]  # fmt: skip
    changes += [st.tuples(st.just(name), damaged(as_json(tree))) for name, tree in trees.items()]
    fuzz(examples, st.one_of(changes), check)


def recording() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.mcap"
        rng = np.random.default_rng(0)
        with RecordingFile(path) as recorder:
            for n in range(5):
                arrays = [rng.normal(size=(33, width)).astype(np.float32) for width in (2, 3)]
                pose = Pose(n * 10**7, *arrays, np.ones(33, np.float32), (640, 480))
                recorder.poses(Poses("cam", n, n * 10**7, (pose,)))
                recorder.message("v1/cam/state", {"schema": "state/1.0", "t_publish_mono_ns": n * 10**7})
        return path.read_bytes()


@pytest.mark.parametrize("examples", SIZES)
def test_X5_recordings(tmp_path, capsys, examples):
    file = tmp_path / "r.mcap"

    def check(data: bytes) -> None:
        file.write_bytes(data)
        try:
            for item in read_recording(file):
                assert isinstance(item, (Poses, tuple))
        except AppError as error:
            assert "\n" not in str(error)
        capsys.readouterr()

    good = recording()
    tail = st.binary(max_size=100).map(lambda data: good[:8] + data)
    opcode = st.tuples(st.integers(0, 20), st.integers(0, 2**64 - 1), st.binary(max_size=60))
    record = opcode.map(lambda r: good[:8] + struct.pack("<BQ", r[0], r[1]) + r[2])
    fuzz(examples, st.one_of(damaged(good), tail, record), check)


@pytest.mark.parametrize("examples", SIZES)
def test_keys(tmp_path, examples):
    public, secret = (key.decode() for key in zmq.curve_keypair())
    good = f'# c\nmetadata\n    a = b\ncurve\n    public-key = "{public}"\n    secret-key = "{secret}"\n'.encode()
    for name in ("server.key", "client.key_secret"):
        (tmp_path / name).write_bytes(good)
        (tmp_path / name).chmod(0o600)
    assert client_keys(tmp_path) == (public, public, secret)

    def check(data: bytes) -> None:
        (tmp_path / "server.key").write_bytes(data)
        try:
            server, _, _ = client_keys(tmp_path)
        except ValueError:
            return
        assert len(server) == 40 and read_certificate(tmp_path / "server.key")[0] == server

    fuzz(examples, st.one_of(st.binary(max_size=80), damaged(good)), check)


def fuzz_framed(examples: int, head: dict, numbers: int, read: Callable[[bytes], object]) -> None:
    """A JSON header and numbers behind it: noise, damaged ones, wild values in the header."""

    def check(data: bytes) -> None:
        try:
            read(data)
        except ValueError:
            return

    def framed(text: bytes) -> bytes:
        return struct.pack("<I", len(text)) + text + bytes(numbers)

    good = framed(as_json(head))
    read(good)
    wild_head = st.tuples(st.sampled_from(paths_in(head)), wild).map(lambda pair: as_json(with_value(head, *pair)))
    fuzz(examples, st.one_of(st.binary(max_size=60), damaged(good), wild_head.map(framed)), check)


@pytest.mark.parametrize("examples", SIZES)
def test_camera_reports(examples):
    window = {"track": 1, "t_ns": 1, "shape": [2, 3, 4], "fps_in": 1.0, "body_visibility": 1.0, "motion": 1.0}
    head = {
        "camera": "c", "state": "running", "epoch": 0, "t_ns": 1, "fps_in": 1.0, "frames": 1, "dropped": 0, "flags": [],
        "stage_ms": [["pose", 1.0]], "people": [[1, 1, [640, 480]]], "windows": [window],
    }  # fmt: skip
    fuzz_framed(examples, head, 98 + POSE_BYTES, unpack)


@pytest.mark.parametrize("examples", SIZES)
def test_poses_of_remote_cameras(examples):
    head = {"run": "a", "echo": [1, 2], "state": "running", "why": "", "index": 3, "t_ns": 4, "sizes": [[640, 480]]}
    fuzz_framed(examples, head, POSE_BYTES, lambda data: remote.unpack(data, "cam"))
