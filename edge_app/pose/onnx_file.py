"""Writes an ONNX file without the package `onnx`, which takes 48 MB with what it needs.

An ONNX file is a protocol buffer. Numbers of fields and types are those of `onnx.proto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

IR_VERSION, OPSET = 8, 17
FLOAT, FLOAT16, INT64 = 1, 10, 7
_TYPES = {"float32": FLOAT, "float16": FLOAT16, "int64": INT64}
_BYTES = 2
"""The wire type of everything that has a length; 0 is an integer."""


@dataclass(slots=True)
class Graph:
    """A network as it is put together: what `add` and `constant` return are names to be used as inputs."""

    name: str
    nodes: list[bytes] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node with one output. Attributes are integers, strings or lists of integers."""
        parts = [_text(1, name) for name in inputs] + [_text(2, output), _text(3, output), _text(4, kind)]
        self.nodes.append(b"".join(parts + [_bytes(5, _attribute(*item)) for item in attributes.items()]))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """A tensor: float32, float16 or int64."""
        dims = b"".join(_integer(1, size) for size in value.shape)
        kind = _integer(2, _TYPES[value.dtype.name])
        self.constants.append(dims + kind + _text(8, name) + _bytes(9, np.ascontiguousarray(value).tobytes()))
        return name

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """A float32 input. A dimension with a name is free."""
        self.inputs.append(_value(name, shape))
        return name

    def output(self, name: str, shape: Sequence[int | str]) -> None:
        """A float32 output: what the node or constant of that name gives."""
        self.outputs.append(_value(name, shape))

    def file(self, producer: str) -> bytes:
        """The whole ONNX file."""
        graph = b"".join(
            [_bytes(1, node) for node in self.nodes] + [_text(2, self.name)]
            + [_bytes(5, constant) for constant in self.constants]
            + [_bytes(11, value) for value in self.inputs] + [_bytes(12, value) for value in self.outputs]
        )  # fmt: skip
        return _integer(1, IR_VERSION) + _text(2, producer) + _bytes(7, graph) + _bytes(8, _integer(2, OPSET))


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_bytes(1, _text(2, size) if isinstance(size, str) else _integer(1, size)) for size in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _integer(1, FLOAT) + _bytes(2, dims)))


def _attribute(name: str, value: int | str | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, 2)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _integer(20, 3)
    return _text(1, name) + b"".join(_integer(8, item) for item in value) + _integer(20, 7)


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value % 2**64)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
