"""The child process in which engines are built and tried, since both can crash: `engine_child PARENT build|probe …`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge_app.errors import AppError
from edge_app.runtime.die_with import die_with
from edge_app.runtime.tensorrt import TensorRtSession, build_engine


def main(argv: list[str]) -> int:
    """`build MODEL OUT TIMINGS` writes an engine; `probe ENGINE` loads one and runs it once. Exit 0 or 2."""
    parent, verb, *paths = argv
    die_with(int(parent))
    try:
        if verb == "build":
            model, out, timings = map(Path, paths)
            out.write_bytes(build_engine(model, timings))
        else:
            session = TensorRtSession(Path(paths[0]).read_bytes())
            session.run(np.zeros((1, *session.shape), np.float32))
    except (AppError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
