"""Pickle files read without `pickle`: nothing that they name is imported, nothing is called, nothing is built.

A pickle is a small program. Here its steps are listed by the standard library's `pickletools`, which runs none of them,
and only those are followed that make numbers, texts, bytes, lists, tuples, dicts and plain numpy arrays. A restricted
`pickle.Unpickler` would not do: a deeply nested key makes it overflow the stack and crash.
"""

from __future__ import annotations

import math
import mmap
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.errors import UsageError

ALLOWED = "numbers, texts, bytes, lists, tuples, dicts and numpy arrays of numbers or texts"
MAX_DIMENSIONS = 8
_ARGUMENTS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
"""Steps that put their own argument on the stack."""
_FIXED: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple,
}  # fmt: skip
_MADE: dict[str, Callable[[list[Any]], Any]] = {"LIST": list, "TUPLE": tuple, "DICT": lambda items: _fill({}, items)}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_DTYPE = re.compile(r"b1|f[248]|[iu][1248]|[SU][1-9]\d{0,4}", re.ASCII)


class _Refused(ValueError):
    """What a file holds that is not allowed; the message says what."""


@dataclass(eq=False, slots=True)
class _Pending:
    """A dtype (its name) or an array ("") whose state comes in a later step. keys: where the memo holds it."""

    dtype: str
    keys: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False, slots=True)
class _Global:
    """A name of the file, such as "numpy.ndarray". Only a name."""

    name: str


def read_pickle(path: Path) -> Any:
    """What a pickle of any protocol holds, if it holds only what `ALLOWED` says. Arrays may be read-only.

    Raises:
        UsageError: one line: no such file, cut off, or what it holds that is not allowed.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _follow(data)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except _Refused as error:
        raise UsageError(f"{path}: {error} found; allowed are {ALLOWED}") from None
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{path}: not a whole pickle ({type(error).__name__}: {said:.80})") from None


def _follow(data: mmap.mmap) -> Any:
    stack: list[Any] = []
    below: list[list[Any]] = []
    memo: dict[int, Any] = {}
    for step, argument, _ in pickletools.genops(data):
        name = step.name
        if name in _ARGUMENTS:
            stack.append(argument)
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            key = len(memo) if name == "MEMOIZE" else argument
            memo[key] = stack[-1]
            if isinstance(stack[-1], _Pending):
                stack[-1].keys.append(key)
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name in _FIXED:
            stack.append(_FIXED[name]())
        elif name == "MARK":
            below.append(stack)
            stack = []
        elif name in _MADE:
            made = _MADE[name](stack)
            stack = below.pop()
            stack.append(made)
        elif name in _TUPLES:
            count = _TUPLES[name]
            if len(stack) < count:
                raise IndexError("a tuple of more than there is")
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("APPENDS", "SETITEMS"):
            items, stack = stack, below.pop()
            (_extend if name == "APPENDS" else _fill)(stack[-1], items)
        elif name == "APPEND":
            item = stack.pop()
            _extend(stack[-1], [item])
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _fill(stack[-1], [key, value])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                argument = f"{module} {attribute}" if type(module) is type(attribute) is str else "?"
            stack.append(_named(argument.replace(" ", ".", 1)))
        elif name == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            stack.append(_make(called, arguments))
        elif name == "BUILD":
            state, pending = stack.pop(), stack.pop()
            built = _build(pending, state)
            memo.update(dict.fromkeys(pending.keys, built))
            stack.append(built)
        elif name == "STOP":
            if len(stack) != 1 or below:
                raise ValueError("it ends with things left over")
        elif name not in ("PROTO", "FRAME"):
            raise _Refused(f"the step {name}")
    return stack[0]


def _extend(target: Any, items: list[Any]) -> None:
    if type(target) is not list:
        raise _Refused(f"something added to a {type(target).__name__}")
    target.extend(items)


def _fill(target: Any, items: list[Any]) -> dict[Any, Any]:
    if type(target) is not dict or len(items) % 2:
        raise _Refused(f"something set in a {type(target).__name__}")
    for key in items[::2]:
        if type(key) not in (str, int):
            raise _Refused(f"a key that is a {type(key).__name__}")
    target.update(zip(items[::2], items[1::2], strict=True))
    return target


def _named(name: str) -> _Global:
    plain = name.replace("numpy._core.", "numpy.core.").replace("__builtin__.", "builtins.")
    if plain not in _CALLS and plain != "numpy.ndarray":
        raise _Refused(f"the name {name!r:.60}")
    return _Global(plain)


def _make(called: Any, arguments: Any) -> Any:
    if type(called) is not _Global or called.name not in _CALLS or type(arguments) is not tuple:
        raise _Refused("a call of what cannot be called")
    return _CALLS[called.name](*arguments)


def _build(pending: Any, state: Any) -> Any:
    """The dtype, or the array, that a state completes, as numpy's `__setstate__` would, with every value checked."""
    if type(pending) is not _Pending or type(state) is not tuple:
        raise _Refused(f"a state for a {type(pending).__name__}")
    if pending.dtype:
        _, order, *parts = state
        if order not in ("<", ">", "|", "=") or any(part is not None for part in parts[:3]):
            raise _Refused("a dtype of parts")
        return np.dtype(pending.dtype).newbyteorder(order)
    _, shape, dtype, fortran, data = state
    return _array(data, dtype, shape, "F" if fortran is True else "C")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if type(data) is list:
        raise _Refused("an array of objects")
    if not isinstance(dtype, np.dtype) or type(data) not in (bytes, bytearray) or order not in ("C", "F"):
        raise _Refused("an array that is none")
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise _Refused("an array without a proper shape")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise _Refused(f"an array of {len(data)} bytes where its shape needs {math.prod(shape) * dtype.itemsize}")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _dtype(name: Any, *_: Any) -> _Pending:
    if type(name) is not str:
        raise _Refused("a dtype without a name")
    if not _DTYPE.fullmatch(name):
        raise _Refused("an array of objects" if name in ("O", "O8") else f"the dtype {name!r:.40}")
    return _Pending(name)


def _reconstruct(kind: Any, *_: Any) -> _Pending:
    if type(kind) is not _Global or kind.name != "numpy.ndarray":
        raise _Refused("an array of its own kind")
    return _Pending("")


def _encode(text: Any, encoding: Any) -> bytes:
    """Bytes, as protocols 0 to 2 have them."""
    if type(text) is not str or encoding != "latin1":
        raise _Refused("bytes in an encoding")
    return text.encode("latin1")


_CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _dtype,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy.core.multiarray.scalar": lambda dtype, data: _array(data, dtype, (), "C").item(),
    "numpy.core.numeric._frombuffer": _array,
    "_codecs.encode": _encode,
    "builtins.bytes": lambda: b"",
}
"""Our own stand-ins for what an honest file calls."""
