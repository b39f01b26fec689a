"""Pickle files of plain data: numbers, texts, lists, tuples, dicts and arrays. Nothing else in them is ever built.

A pickle is a small program, which may import and call whatever it names. Here it can name no more than `_NAMES`, our
own stand-ins for what an honest file calls, and of a pickle's steps only `_STEPS` are followed. The unpickler is the
standard library's in Python: the one in C lets nobody look at the keys of a dict, and a deeply nested key makes it
overflow the stack and crash.
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.errors import UsageError

ALLOWED = "numbers, texts, bytes, lists, tuples, dicts and numpy arrays of numbers or texts"
MAX_DIMENSIONS = 8
_STEPS = (
    "PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 "
    "EMPTY_LIST EMPTY_DICT EMPTY_TUPLE LIST DICT TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS "
    "MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD"
)
_DTYPE = re.compile(r"b1|f[248]|[iu][1248]|[SU][1-9]\d{0,4}", re.ASCII)


class _Refused(ValueError):
    """What a file holds that is not allowed; the message says what."""


def read_pickle(path: Path) -> Any:
    """What a pickle of any protocol holds, if it holds only what `ALLOWED` says. Arrays may be read-only.

    Raises:
        UsageError: one line: no such file, cut off, or what it holds that is not allowed.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            unpickler = _Unpickler(data)
            tree = unpickler.load()
            if unpickler.stack or unpickler.metastack:
                raise ValueError("it ends with things left over")
            return tree
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except _Refused as error:
        raise UsageError(f"{path}: {error} found; allowed are {ALLOWED}") from None
    except (
        pickle.UnpicklingError, struct.error, EOFError, ValueError, TypeError, LookupError, AttributeError,
        OverflowError, MemoryError,
    ) as error:  # fmt: skip
        said = " ".join(str(error).split())
        raise UsageError(f"{path}: not a whole pickle ({type(error).__name__}: {said:.80})") from None


class _Name:
    """Something that a file names, and may call where it has a `call`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any] | None) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        if self._call is None:
            raise _Refused("a call of what cannot be called")
        return self._call(*arguments)


class _Dtype:
    """A dtype by its name, complete when its state has come, with the byte order."""

    dtype: np.dtype

    def __init__(self, name: Any, *_: Any) -> None:
        if type(name) is not str:
            raise _Refused("a dtype without a name")
        if not _DTYPE.fullmatch(name):
            raise _Refused("an array of objects" if name in ("O", "O8") else f"the dtype {name!r:.40}")
        self._name = name

    def __setstate__(self, state: Any) -> None:
        _, order, *parts = state
        if order not in ("<", ">", "|", "=") or any(part is not None for part in parts[:3]):
            raise _Refused("a dtype of parts")
        self.dtype = np.dtype(self._name).newbyteorder(order)


class _Array(np.ndarray):
    """An array that is empty until its state comes."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        array = _array(data, dtype, shape, "F" if fortran is True else "C")
        super().__setstate__((1, array.shape, array.dtype, fortran is True, bytes(data)))  # type: ignore[arg-type]


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if type(data) is list:
        raise _Refused("an array of objects")
    if type(dtype) is not _Dtype or type(data) not in (bytes, bytearray) or order not in ("C", "F"):
        raise _Refused("an array that is none")
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise _Refused("an array without a proper shape")
    if math.prod(shape) * dtype.dtype.itemsize != len(data):
        raise _Refused(f"an array of {len(data)} bytes where its shape needs {math.prod(shape) * dtype.dtype.itemsize}")
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


def _reconstruct(kind: Any, *_: Any) -> np.ndarray:
    if kind is not _NAMES["numpy.ndarray"]:
        raise _Refused("an array of its own kind")
    return _Array(0)


def _encode(text: Any, encoding: Any) -> bytes:
    """Bytes, as protocols 0 to 2 have them."""
    if type(text) is not str or encoding != "latin1":
        raise _Refused("bytes in an encoding")
    return text.encode("latin1")


_NAMES = {
    "numpy.ndarray": _Name(None),
    "numpy.dtype": _Name(_Dtype),
    "numpy.core.multiarray._reconstruct": _Name(_reconstruct),
    "numpy.core.multiarray.scalar": _Name(lambda dtype, data: _array(data, dtype, (), "C").item()),
    "numpy.core.numeric._frombuffer": _Name(_array),
    "_codecs.encode": _Name(_encode),
    "builtins.bytes": _Name(lambda: b""),
}
"""Our own stand-ins for what an honest file calls."""


class _Steps(dict[int, Callable[[Any], None]]):
    """By opcode."""

    def __missing__(self, code: int) -> Callable[[Any], None]:
        raise _Refused(f"the step {bytes([code])!r}")


class _Unpickler(pickle._Unpickler):
    """The pieces of the standard library's that type checkers do not know, and what is stricter here."""

    stack: list[Any]
    metastack: list[list[Any]]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> _Name:
        full = f"{module}.{name}".replace("numpy._core.", "numpy.core.").replace("__builtin__.", "builtins.")
        if full not in _NAMES:
            raise _Refused(f"the name {f'{module}.{name}'!r:.60}")
        return _NAMES[full]

    def load_build(self) -> None:
        state = self.stack.pop()
        if type(self.stack[-1]) not in (_Dtype, _Array) or type(state) is not tuple:
            raise _Refused(f"a state for a {type(self.stack[-1]).__name__}")
        self.stack[-1].__setstate__(state)

    def load_append(self) -> None:
        self._extend([self.stack.pop()])

    def load_appends(self) -> None:
        self._extend(self.pop_mark())

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill(self.stack[-1], [key, value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._fill(self.stack[-1], items)

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(self._fill({}, items))

    def load_bytearray8(self) -> None:
        """Of what is there, not of what the file says there is."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise _Refused(f"something added to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def _fill(self, target: Any, items: list[Any]) -> dict[Any, Any]:
        if type(target) is not dict or len(items) % 2:
            raise _Refused(f"something set in a {type(target).__name__}")
        for key in items[::2]:
            if type(key) not in (str, int):
                raise _Refused(f"a key that is a {type(key).__name__}")
        target.update(zip(items[::2], items[1::2], strict=True))
        return target

    dispatch = _Steps({getattr(pickle, name)[0]: None for name in _STEPS.split()})


for _code in _Unpickler.dispatch:
    _Unpickler.dispatch[_code] = getattr(_Unpickler, pickle._Unpickler.dispatch[_code].__name__)
