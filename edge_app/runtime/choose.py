"""Which runtime serves: the fastest of those here whose rankings are the bundle's, and what happens when it fails."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edge_app.bundles.bundle import Bundle
from edge_app.errors import AppError, UsageError
from edge_app.runtime.load import load_session, precisions
from edge_app.runtime.session import GPU_RUNTIMES, PRECISIONS, RUNTIMES, Session
from edge_app.runtime.triton import TritonSession

log = logging.getLogger(__name__)

CLEARLY = 0.8
"""A runtime is preferred to one named before it if it takes at most this share of the time.

So that a close race has the same winner on every start.
"""
ROUNDS, TIMED = 3, 4
"""How often each of so many golden windows is timed; the shortest time of all counts."""


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """on_error: what to do when a runtime fails while running: "cpu" goes on with ONNX Runtime on the CPU, "fail" ends.

    require_gpu: refuse to run on the CPU, from the start and on an error. triton: the server of `--runtime triton`, see
    `edge_app.runtime.triton`.
    """

    on_error: str = "cpu"
    require_gpu: bool = False
    triton: str = "grpc://127.0.0.1:8001"


@dataclass(frozen=True, slots=True)
class Chosen:
    """why: one line on what runs, how fast, and what else was tried."""

    session: Session
    why: str


@dataclass(slots=True)
class _Candidate:
    """ms: for one window, the shortest time, which other work on the machine disturbs least."""

    name: str
    session: Session
    ms: float = math.inf


class GuardedSession:
    """A session whose failure is noticed, and answered by `spare` from then on, where there is one.

    Raises:
        UsageError: `run` failed, or gave what is not finite, and there is no spare.
    """

    def __init__(self, session: Session, spare: Callable[[], Session] | None) -> None:
        self._session, self._spare = session, spare

    @property
    def provider(self) -> str:
        return self._session.provider

    def run(self, batch: np.ndarray) -> np.ndarray:
        try:
            result = self._session.run(batch)
            if np.isfinite(result).all():
                return result
            problem = "its result is not finite"
        except Exception as error:  # every runtime has its own classes
            problem = one_line(error)
        if self._spare is None:
            raise UsageError(f"{self.provider} failed while running: {problem}")
        failed, self._session, self._spare = self.provider, self._spare(), None
        log.warning("%s failed (%s); %s goes on", failed, problem, self.provider, extra={"kind": "runtime"})
        return self.run(batch)


def choose(
    bundle: Bundle, runtime: str, config: RuntimeConfig, test: Callable[[Session], None],
    waiting: Callable[[], None] = lambda: None,
) -> Chosen:  # fmt: skip
    """Open the runtime of that name, or for "auto" every one that is here, test each, and take the fastest.

    A runtime is tried with each network that the bundle has for it.

    Args:
        test: raises where a session computes something else than the bundle's makers did.
        waiting: called now and then; see `edge_app.runtime.engines.Waiting`.

    Raises:
        UsageError: unknown runtime, none passes the self-test, or a GPU is required and none of them runs on one.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime {runtime}: allowed are {', '.join(RUNTIMES)}")
    ways: list[tuple[str, Callable[[], Session]]] = [
        (name, partial(load_session, bundle, name, precision, waiting))
        for name in PRECISIONS
        if runtime in ("auto", name) and (name in GPU_RUNTIMES or not config.require_gpu)
        for precision in precisions(bundle, name)
    ]
    if runtime == "triton" and not config.require_gpu:
        ways = [(runtime, partial(TritonSession, config.triton))]
    if not ways:
        raise UsageError(f"--require-gpu: --runtime {runtime} uses no GPU here; allowed are {', '.join(GPU_RUNTIMES)}")
    passed: list[_Candidate] = []
    rejected: dict[str, str] = {}
    for name, opened in ways:
        waiting()
        try:
            session = opened()
            test(session)
            passed.append(_Candidate(name, session))
        except Exception as error:  # the next one may do
            rejected[name] = one_line(error)
    for window in [*bundle.golden()["windows"][:TIMED]] * (ROUNDS if len(passed) > 1 else 1):  # in turn, to be fair
        for candidate in list(passed):
            begun = time.perf_counter()
            try:
                candidate.session.run(window[None])
            except Exception as error:
                rejected[candidate.name] = one_line(error)
                passed.remove(candidate)
            candidate.ms = min(candidate.ms, (time.perf_counter() - begun) * 1e3)
    if not passed:
        asked = (
            "--require-gpu: no GPU runtime can be used"
            if config.require_gpu
            else f"--runtime {runtime}: cannot be used"
        )
        raise UsageError(f"{asked}: " + "; ".join(f"{name} ({reason})" for name, reason in rejected.items()))
    best = passed[0]
    for candidate in passed[1:]:
        if candidate.ms <= CLEARLY * best.ms:
            best = candidate
    to_cpu = config.on_error == "cpu" and not config.require_gpu and best.name != "onnxruntime"
    spare = (lambda: load_session(bundle)) if to_cpu else None
    others = [(one.session.provider, one.ms) for one in passed if one is not best]
    why = why_chosen(f"runtime {best.session.provider}: {best.ms:.2f} ms a window", others, rejected)
    return Chosen(GuardedSession(best.session, spare), why)


def why_chosen(best: str, others: Sequence[tuple[str, float]], rejected: Mapping[str, str]) -> str:
    """One line: what was taken, what is not clearly faster (providers, ms), and what cannot be used, with reasons."""
    parts = [best]
    if others:
        parts.append("not clearly faster: " + ", ".join(f"{provider} {ms:.2f} ms" for provider, ms in others))
    if rejected:
        parts.append("not used: " + ", ".join(f"{name} ({reason})" for name, reason in rejected.items()))
    return "; ".join(parts)


def one_line(error: Exception) -> str:
    """What went wrong, by whatever class a runtime has for it."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    return text if isinstance(error, AppError) else f"{type(error).__name__}: {text}"
