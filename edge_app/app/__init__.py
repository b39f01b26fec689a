"""The program `edge-app`, on top of the stages."""

import os

# Stages share the cores: a ranker whose second thread waits for one takes ten times as long. Before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
