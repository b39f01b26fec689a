"""Whatever goes wrong is one line and an exit code; standard streams may be full, closed or of another encoding."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from edge_app.app.cli import main
from edge_app.app.failure import DEBUG, guarded
from edge_app.app.log import put, say
from edge_app.errors import SourceError

TELLING = "from edge_app.app.failure import guarded; from edge_app.app.log import put, say; import os, sys; "


def told(code: str, **options) -> subprocess.CompletedProcess:
    """What a program says whose `guarded` function is `code`."""
    program = f"{TELLING}sys.exit(guarded(lambda: ({code}, 7)[-1]))"
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, timeout=60, **options)
    done.stderr = done.stderr.decode()
    return done


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (SourceError("the camera is gone"), 4, "the camera is gone"),
        (PermissionError(13, "Permission denied", "/x\nfile"), 1, "/x\\nfile: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (MemoryError(), 1, "out of memory"),
        (KeyError("key"), 1, "internal error: KeyError: 'key' (test_failure.py:"),
        (OSError("no number"), 1, "internal error: OSError: no number (test_failure.py:"),
    ],
)
def test_F7_every_exception_is_one_line_and_a_code(capfd, error, code, words):
    def fail() -> int:
        raise error

    assert guarded(fail) == code
    out, said = capfd.readouterr()
    assert (out, said.count("\n")) == ("", 1)
    assert said.startswith(f"edge-app: {words}")


@pytest.mark.parametrize(
    "arguments", [["--debug", "keys", "list", "/no/such"], ["keys", "list", "/no/such", "--debug"]]
)
def test_F7_a_traceback_only_with_debug(capfd, monkeypatch, arguments):
    monkeypatch.delenv(DEBUG, raising=False)
    assert main([word for word in arguments if word != "--debug"]) == 2
    assert "Traceback" not in capfd.readouterr().err
    monkeypatch.setenv(DEBUG, "")  # so that it is forgotten after the test
    assert main(arguments) == 2
    said = capfd.readouterr().err
    assert said.startswith("Traceback") and said.splitlines()[-1].startswith("edge-app: ")


def test_F7_what_ends_a_thread_is_one_line_too(capfd):
    def run() -> int:
        thread = threading.Thread(target=lambda: [][0])
        thread.start()
        thread.join()
        return 0

    hook = threading.excepthook
    assert guarded(run) == 0 and threading.excepthook is hook
    assert capfd.readouterr().err.startswith("edge-app: internal error: IndexError")


@pytest.mark.parametrize("code", ["put('x')", "say('x')", "print('x')"])
@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_F7_a_full_stdout(code, unbuffered):
    with open("/dev/full", "w") as full:
        done = told(code, stdout=full, env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
    if code.startswith("print") and unbuffered:  # not ours: it raises what any file raises
        assert (done.returncode, done.stderr) == (1, "edge-app: No space left on device\n")
    else:
        words = "edge-app: standard output: cannot be written (No space left on device)\n"
        assert (done.returncode, done.stderr) == (2, words)


@pytest.mark.parametrize("code", ["put('x')", "[print('x') for _ in range(10_000)]"])
def test_F7_a_reader_that_has_gone(code):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = told(code, stdout=gone)
    assert done.stderr == "" and done.returncode in (0, 7)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_F7_an_encoding_that_does_not_know_a_word(encoding):
    done = told("say('挥手 é', chr(0xDCFF))", stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": encoding})
    e = "é".encode(encoding, "backslashreplace")
    assert (done.returncode, done.stdout) == (7, rb"\u6325\u624b " + e + b"\n\\xff\n")


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1), (0, 1, 2)])
def test_F7_closed_streams_are_no_place_for_files(closed, tmp_path):
    """A file opened where stdout or stderr was closed would be written into by whatever a library prints."""
    said = tmp_path / "said"
    code = f"(lambda file: os.write(file, b'%d' % file))(os.open({str(said)!r}, os.O_CREAT | os.O_WRONLY)), say('x')"
    done = subprocess.run(
        [sys.executable, "-c", f"{TELLING}sys.exit(guarded(lambda: ({code}, 7)[-1]))"],
        preexec_fn=lambda: [os.close(number) for number in closed], timeout=60,
    )  # fmt: skip
    assert done.returncode == 7 and int(said.read_text()) > 2


def test_F4_lines_for_people_cannot_steer_a_terminal(capfd):
    say("wave\x1b[2J", "a\nb", "bad\udcff.mp4")
    put("as it\nis")
    assert capfd.readouterr().out == "wave\\x1b[2J\na\\nb\nbad\\xff.mp4\nas it\nis\n"


def test_F7_a_folder_that_was_removed_under_us(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); from edge_app.app.cli import main; "
        "raise SystemExit(main(['recognize', 'person://wave', '--picture', 'x.svg']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done.stderr
