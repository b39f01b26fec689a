"""How often `edge-app run` ends once its source has: rounds on an empty recording and a short one, under load.

    python -m benchmarks.soak.ends --rounds 200 --load 4

`--load` processes do nothing but keep the processor busy meanwhile. Prints a line for each round that did not end in
time with exit code 0, one every ten rounds, and at the end how long they took; exits 1 if one did not end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np

from edge_app.camera.recording import RecordingFile, read_recording

SQUATS = Path(__file__).parents[2] / "tests/faults/squats.mcap"


def recordings(folder: Path) -> list[Path]:
    """One that is empty, and the first frame and the first second of another."""
    made = []
    for frames in (0, 1, 30):
        made.append(folder / f"{frames}.mcap")
        with RecordingFile(made[-1]) as file:
            for item in islice(read_recording(SQUATS), frames):
                file.poses(item)  # type: ignore[arg-type]
    return made


def one_round(recording: Path, folder: Path, within_s: float) -> tuple[str, float]:
    """What became of a run ("" if all was well), and how long it took."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "edge_app", "run", f"pose://{recording}", "--labels", "wave"]
    command += ["--runtime", "onnxruntime", "--publish", f"ipc://{folder}/stream"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _, said = process.communicate(timeout=within_s)
        wrong = "" if process.returncode == 0 else f"exit code {process.returncode}: {said.strip()}"
    except subprocess.TimeoutExpired:
        wrong = f"not ended after {within_s:.0f} s"
        process.terminate()
        process.communicate()
    return wrong, time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--load", type=int, default=2, help="busy processes beside it (default 2)")
    parser.add_argument("--within", type=float, default=120.0, metavar="S", help="for each round (default 120)")
    arguments = parser.parse_args()
    took, failed = [], 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ends-")))
        for _ in range(arguments.load):
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(busy.wait)
            stack.callback(busy.kill)
        sources = recordings(folder)
        for number in range(arguments.rounds):
            source = sources[number % len(sources)]
            wrong, seconds = one_round(source, folder, arguments.within)
            took.append(seconds)
            failed += bool(wrong)
            if wrong:
                print(f"round {number + 1}, {source.stem} frames: {wrong}", flush=True)
            if (number + 1) % 10 == 0:
                print(f"{number + 1} rounds, {failed} failed, {np.median(took):.1f} s (median)", flush=True)
    print(
        f"{arguments.rounds} rounds, {failed} failed; a round took {np.median(took):.1f} s (median), "
        f"at most {max(took):.1f} s, with {arguments.load} busy processes beside it"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
