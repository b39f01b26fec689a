"""A camera, plain words, and a trustworthy label stream."""

import os

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker over https since 1.31, and keeps a session file in TMPDIR. Not from here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
