"""Wild input for parsers: what the fuzz tests share."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SIZES = [100, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]


def fuzz(examples: int, strategy: st.SearchStrategy, check: Callable[[object], None]) -> None:
    """The same inputs in every run: hypothesis derives its seed from the test."""
    options = settings(
        max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    options(given(strategy)(lambda value: check(value)))()


texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["", "wave", "Wave", "wave = hello: up", "# no", "a,b", ":", "=", "\ud800", "\x1b[2J", "x" * 2000]),
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([0, -1, 2**63, -(2**63) - 1, 1e308, float("nan")])
)
wild = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """A sound file with some of its bytes changed, cut out or put in."""
    place = st.integers(0, len(good))
    edits = st.lists(st.tuples(place, st.integers(0, 40), st.binary(max_size=20)), min_size=1, max_size=4)

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = good
        for at, length, new in edits:
            data = data[:at] + new + data[at + length :]
        return data

    return edits.map(apply)


def paths_in(tree: object, above: tuple = ()) -> list[tuple]:
    """The path of every value in a tree."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [above, *(path for key, value in below for path in paths_in(value, (*above, key)))]


def with_value(tree: object, path: tuple, value: object) -> object:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)  # type: ignore[call-overload]
    copy[path[0]] = with_value(copy[path[0]], path[1:], value)
    return copy
