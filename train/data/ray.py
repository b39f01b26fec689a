"""The same work on many machines, by Ray Data."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge_app.errors import UsageError

ROOT = Path(__file__).parents[1]
REACH_S = 5.0


def spread(work: Callable[[Path, Path], str], pairs: Sequence[tuple[Path, Path]], address: str | None) -> Iterator[str]:
    """`work(*pair)` for each pair, as each is done, on one core each; what a worker that dies was at is done again.

    address: of a cluster; None: a Ray of this machine alone, which ends with the work. On a cluster the paths, this
    checkout and its virtual environment must be the same everywhere, as on a shared disk; where the cluster asks for
    a token, set RAY_AUTH_MODE=token.

    Raises:
        UsageError: ray is not installed, there is no cluster at that address, or the work failed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # or Ray would report its use to its makers
    if not pairs:
        return
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError:
        raise UsageError("--engine ray: ray is not installed; pip install 'edge-app[ray]'") from None
    alone = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    try:
        if address:  # else Ray itself would try for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), REACH_S).close()
        ray.init(address or "local", runtime_env=environment, log_to_driver=False, logging_level="ERROR", **alone)
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        raise UsageError(f"--ray-address {address}: no Ray there ({' '.join(str(error).split())[:160]})") from None
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [{"source": str(source.absolute()), "out": str(out.absolute())} for source, out in pairs]
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = data.map(lambda row: {"said": work(Path(row["source"]), Path(row["out"]))}, num_cpus=1)
        for row in done.iter_rows():
            yield row["said"]
    except RayError as error:
        raise UsageError(f"--engine ray: {' '.join(str(error.__cause__ or error).split())[-200:]}") from None
    finally:
        ray.shutdown()
