"""Bad input: one clear line, the right exit code, no traceback. Other tests look for words of the line alone."""

import json
import shutil
import socket
from pathlib import Path

import pytest

from edge_app.app.cli import main
from edge_app.bundles.shipped import DEFAULT
from tests.running import SQUATS

SHARED = Path(__file__).parents[2] / "../shared"


@pytest.fixture
def bundle(tmp_path):
    """A copy of the default bundle, to be broken."""
    return shutil.copytree(DEFAULT, tmp_path / "bundle")


def said(capfd, arguments: list[str], code: int) -> str:
    """The one line that a command says when it exits with `code`."""
    assert main(arguments) == code
    error = capfd.readouterr().err
    assert error.startswith("edge-app: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "nothing=1"], ["nothing", "camera, events"]),
        (["--people", "0"], ["--people 0", "1 to 8"]),
        (["--people", "9"], ["--people 9", "1 to 8"]),
        (["--people", "two"], ["--people two", "1 to 8"]),
        (["--set", "events.enter=two"], ["events.enter", "float"]),
        (["--config", "/no/such.yaml"], ["/no/such.yaml"]),
        (["--bundle", "/no/such"], ["/no/such", "manifest.json"]),
        (["--runtime", "magic"], ["magic", "onnxruntime"]),
        (["--pose", "magic"], ["--pose magic", "auto, mediapipe, onnxruntime"]),
        (["--set", "pose.backend=magic"], ["pose.backend", "auto, mediapipe, onnxruntime", "magic"]),
        (["--labels", ""], ["none found"]),
        (["--labels", " , ,"], ["none found"]),
        (["--labels", "wave, clap, Wave"], ["Wave", "once"]),
        (["--labels", "x" * 1_000_000], ["at most"]),
        (["--labels", "wa\x07ve"], ["U+0007", "printable"]),
        (["--labels", "/no/such.txt"], ["/no/such.txt"]),
    ],
)
def test_bad_settings_bundles_and_labels(capfd, arguments, words):
    for verb in (["recognize", "x.mp4"], ["run", "person://wave"]):
        message = said(capfd, [*verb, *arguments], 2)
        for word in words:
            assert word in message


@pytest.mark.parametrize(
    ("source", "code", "word"),
    [
        ("magic://x", 2, "camera://"),
        ("person://levitate", 2, "wave"),
        ("/no/such/file.mp4", 4, "file.mp4"),
        ("images:///no/such", 4, "/no/such"),
    ],
)
def test_bad_sources(capfd, source, code, word):
    assert word in said(capfd, ["recognize", source, "--runtime", "onnxruntime"], code)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["run", "person://wave", "--metrics", "0.0.0.0:9109"], 2, "0.0.0.0:9109"),
        (["run", "person://wave", "--keys", "/no/such"], 2, "/no/such"),
        (["recognize", "x.mp4", "--require-gpu", "--runtime", "onnxruntime"], 2, "allowed are cuda, tensorrt"),
        (["recognize", "a.mp4", "b.mp4", "--picture", "x.svg"], 2, "one is allowed"),
        (["replay", "/no/such.mcap", "--runtime", "onnxruntime"], 4, "no such file"),
        (["explain", "/no/such.mcap", "--at", "1", "--runtime", "onnxruntime"], 4, "no such file"),
        (["record", "/no/such.mp4", "/no/such/a.mcap"], 4, "/no/such.mp4"),
        (["listen", "nonsense"], 2, "nonsense"),
        (["listen", "tcp://127.0.0.1:1", "--keys", "/no/such"], 2, "/no/such"),
        (["view", "--listen", "example.org:80"], 2, "example.org:80"),
        (["camera", "test://noise", "--to", "tcp://127.0.0.1:5601", "--keys", "/no/such"], 2, "/no/such"),
        (["bridge", "mqtt", "--broker", "localhost:x"], 2, "--broker"),
        (["bridge", "ros2", "nonsense"], 2, "nonsense"),
        (["labels", "list", "--control", "nonsense"], 2, "nonsense"),
        (["listen", "127.0.0.1:99999"], 2, "a port from 1 to 65535"),
        (["view", "tcp://localhost"], 2, "a port from 1 to 65535"),
        (["camera", "test://noise", "--to", "tcp://127.0.0.1:99999"], 2, "a port from 1 to 65535"),
        (["recognize", "rtsp://127.0.0.1:99999/a"], 2, "port out of range"),
        (["run", "person://wave", "--metrics", "127.0.0.1:99999"], 2, "127.0.0.1:99999"),
        (["run", "person://wave", "--publish", "tcp://127.0.0.1:99999"], 2, "from 0 to 65535"),
        (["run", "person://wave", "--publish", "127.0.0.1:5757"], 2, "tcp://127.0.0.1:PORT"),
        (["view", "--listen", "127.0.0.1:99999"], 2, "127.0.0.1:99999"),
        (["labels", "teach", "a,b"], 2, "no ','"),
        (["labels", "teach", "x", "--shots", "0"], 2, "--shots 0"),
        (["labels", "teach", "x", "--clip", "/no/such.mp4"], 4, "/no/such.mp4"),
        (["labels", "forget", "nobody ever taught this", "--control", "ipc:///no/such"], 2, "nothing was taught"),
        (["keys", "list", "/no/such"], 2, "/no/such"),
        (["keys", "new", "/no/such", "--role", "reader"], 2, "need --name"),
        (["bundle", "sign", str(DEFAULT), "--key", "/no/such"], 2, "/no/such"),
        (["bench", "--seconds", "0"], 2, "at least 1"),
        (["bench", "--compare", "/no/such", "/no/such"], 2, "/no/such"),
    ],
)
def test_F7_F11_every_command_refuses_in_one_line(capfd, monkeypatch, tmp_path, arguments, code, word):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("edge_app.app.commands.teach.NOBODY_S", 0.1)
    assert word in said(capfd, arguments, code)


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:5757", "tcp://*:5757", "udp://127.0.0.1:1", "5757"])
def test_an_endpoint_that_others_could_reach_is_refused(capfd, endpoint):
    assert endpoint.partition("://")[2] in said(capfd, ["run", "person://wave", "--publish", endpoint], 2)


@pytest.mark.parametrize("option", ["--publish", "--control", "--metrics"])
def test_F11_a_port_in_use_is_found_before_anything_is_loaded(capfd, monkeypatch, tmp_path, option):
    monkeypatch.setattr("edge_app.app.processes.supervisor.Stage.start", lambda _: pytest.fail("a stage was started"))
    others = ["--publish", f"ipc://{tmp_path}/stream"] if option != "--publish" else []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        named = place if option == "--metrics" else f"tcp://{place}"
        message = said(capfd, ["run", f"pose://{SQUATS}", option, named, *others], 3)
    assert f"tcp://{place} is in use" in message


def test_a_bundle_is_refused_for_one_changed_byte(capfd, bundle):
    data = bytearray((bundle / "encoder.onnx").read_bytes())
    data[1000] ^= 1
    (bundle / "encoder.onnx").write_bytes(data)
    assert "encoder.onnx has sha256" in said(capfd, ["bundle", "verify", str(bundle)], 2)


def test_a_bundle_is_refused_for_what_is_not_listed_or_not_there(capfd, bundle):
    (bundle / "extra.bin").write_bytes(b"x")
    assert "extra.bin" in said(capfd, ["bundle", "verify", str(bundle)], 2)
    (bundle / "extra.bin").unlink()
    (bundle / "labels.npy").unlink()
    assert "labels.npy" in said(capfd, ["bundle", "verify", str(bundle)], 2)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": "edge-bundle/9"}, "edge-bundle/9"),
        ({"surprise": 1}, "surprise"),
        ({"files": {"../../etc/passwd": {"sha256": "0"}}}, "passwd"),
        ({"files": []}, "files"),
        ({"window": {"seconds": 0.01, "rate_hz": 10}}, "2 to 1000"),
        ({"window": 3}, "malformed"),
        ({"rankers": {"scale": {"file": "gone.npz"}}}, "gone.npz"),
    ],
)
def test_a_manifest_that_is_wrong(capfd, bundle, change, word):
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, **change}))
    assert word in said(capfd, ["bundle", "verify", str(bundle)], 2)


def test_a_symbolic_link_in_a_bundle_is_refused(capfd, bundle, tmp_path):
    (bundle / "labels.npy").rename(tmp_path / "labels.npy")
    (bundle / "labels.npy").symlink_to(tmp_path / "labels.npy")
    assert "labels.npy" in said(capfd, ["bundle", "verify", str(bundle)], 2)


def test_the_default_bundle_is_whole(capfd):
    assert main(["bundle", "verify", str(DEFAULT)]) == 0
    assert "sha256:" in capfd.readouterr().out


def test_version_and_help(capfd):
    for arguments in (["--version"], ["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
    with pytest.raises(SystemExit) as left:
        main(["dance"])
    assert left.value.code == 2


def test_doctor_finds_what_the_app_needs(capfd):
    assert main(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    assert checks["default bundle"]["ok"]
    assert checks["mediapipe"]["found"][0].isdigit()


@pytest.mark.shared
def test_every_shared_video_is_answered_or_refused(capfd):
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout")
    names = ["hard_zero_bytes.mp4", "asl_eat.mp4", "hard_text_file.mp4", "hard_one_frame.mp4", "hard_truncated.mp4"]
    assert main(["recognize", "--json", *(str(SHARED / "videos" / name) for name in names)]) == 4
    out, error = capfd.readouterr()
    results = [json.loads(line) for line in out.splitlines()]
    assert [result["file"] for result in results] == ["asl_eat.mp4", "hard_one_frame.mp4"]
    lines = [line for line in error.splitlines() if line.startswith("edge-app: ")]
    assert all(name in line for name, line in zip([names[0], names[2], names[4]], lines, strict=True))
