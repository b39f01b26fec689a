"""TFLite -> ONNX for the operators that occur in the pose landmarker's two networks; any other is refused by name.

TFLite has pictures as [batch, height, width, channels]; inside the ONNX graph they are [batch, channels, height,
width]. The batch is free. Half-precision and sparse weights become dense and single, or half where that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tflite

from edge_app.errors import UsageError
from edge_app.pose.onnx_file import FLOAT, FLOAT16, Graph

PRODUCER = "edge-app"
_OPERATORS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_DENSE, _SPARSE = 0, 1
_INDICES = {1: np.int32, 2: np.uint16, 3: np.uint8}


def convert(model: bytes, outputs: Sequence[str], *, half: bool = False) -> bytes:
    """An ONNX file with one input `image` and one output `result`.

    Args:
        model: a TFLite file with one graph and one picture as its input, float32.
        outputs: names of the TFLite outputs that are wanted. Each is flattened to `[batch, n]`, pictures channel by
            channel, and they are joined in this order. What only others need is left out.
        half: weights and everything between input and output in half precision.

    Raises:
        UsageError: an operator, an option of it or a type that is not known here; an output that is not there.
    """
    return _Converter(model, half).run(outputs)


class _Converter:
    def __init__(self, model: bytes, half: bool) -> None:
        self._model = tflite.Model.GetRootAsModel(model, 0)
        if self._model.SubgraphsLength() != 1:
            raise UsageError(f"the TFLite file has {self._model.SubgraphsLength()} graphs; allowed: 1")
        self._source = self._model.Subgraphs(0)
        self._float = np.float16 if half else np.float32
        self._onnx = Graph("pose")
        self._constants: dict[int, np.ndarray] = {}
        """What is known before any picture comes: weights, shapes."""
        self._rules: dict[str, Callable[[Any], None]] = {
            "PAD": self._pad,
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise_conv,
            "ADD": self._add,
            "RESHAPE": self._reshape,
            "CONCATENATION": self._concatenation,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "RESIZE_BILINEAR": self._resize_bilinear,
            "MAX_POOL_2D": self._max_pool,
            "LOGISTIC": self._logistic,
            "DEQUANTIZE": self._dequantize,
            "DENSIFY": self._densify,
        }

    def run(self, outputs: Sequence[str]) -> bytes:
        source, graph = self._source, self._onnx
        there = {source.Tensors(i).Name().decode(): i for i in source.OutputsAsNumpy()}
        if missing := [name for name in outputs if name not in there]:
            raise UsageError(f"the TFLite file has no output {missing[0]}; allowed: {', '.join(there)}")
        entry = source.Inputs(0)
        _, *shape = self._shape(entry)
        image = graph.input("image", ["batch", *shape])
        if self._float is np.float16:
            image = graph.add("Cast", [image], "image.half", to=FLOAT16)
        graph.add("Transpose", [image], self._name(entry), perm=[0, 3, 1, 2])
        wanted = [there[name] for name in outputs]
        for operator in self._needed(wanted):
            kind = self._kind(operator)
            if kind not in self._rules:
                raise UsageError(f"TFLite operator {kind} cannot be converted; allowed: {', '.join(self._rules)}")
            self._rules[kind](operator)
        flat = [graph.add("Flatten", [self._name(i)], f"{self._name(i)}.flat", axis=1) for i in wanted]
        if self._float is np.float16:
            graph.add("Cast", [graph.add("Concat", flat, "result.half", axis=1)], "result", to=FLOAT)
        else:
            graph.add("Concat", flat, "result", axis=1)
        graph.output("result", ["batch", sum(math.prod(self._shape(i)[1:]) for i in wanted)])
        return graph.file(PRODUCER)

    def _needed(self, outputs: list[int]) -> list[Any]:
        """The operators that lead to these tensors, in order."""
        wanted, kept = set(outputs), []
        for i in reversed(range(self._source.OperatorsLength())):
            operator = self._source.Operators(i)
            if operator.Outputs(0) in wanted:
                wanted.update(operator.InputsAsNumpy().tolist())
                kept.append(operator)
        return kept[::-1]

    # One rule for each operator.

    def _densify(self, operator: Any) -> None:
        """The whole tensor from its rows' non-zero elements; only the last dimension may be sparse.

        Source: the format of `SparsityParameters` in TFLite's schema.
        """
        index = operator.Inputs(0)
        tensor = self._source.Tensors(index)
        sparsity, shape = tensor.Sparsity(), self._shape(index)
        formats = [sparsity.DimMetadata(i).Format() for i in range(sparsity.DimMetadataLength())]
        plain = [_DENSE] * (len(shape) - 1) + [_SPARSE]
        if (
            formats != plain
            or sparsity.BlockMapLength()
            or list(sparsity.TraversalOrderAsNumpy()) != [*range(len(shape))]
        ):
            raise UsageError(
                f"TFLite tensor {tensor.Name().decode()}: only its last dimension may be sparse, without blocks"
            )
        last = sparsity.DimMetadata(len(shape) - 1)
        segments = _vector(last.ArraySegmentsType(), last.ArraySegments())
        columns = _vector(last.ArrayIndicesType(), last.ArrayIndices())
        dense = np.zeros((math.prod(shape[:-1]), shape[-1]), _TYPES[tensor.Type()])
        dense[np.repeat(np.arange(len(dense)), np.diff(segments)), columns] = self._stored(index)
        self._constants[operator.Outputs(0)] = dense.reshape(shape)

    def _dequantize(self, operator: Any) -> None:
        value = self._constant(operator.Inputs(0))
        if value.dtype != np.float16:
            raise UsageError(f"TFLite operator DEQUANTIZE of {value.dtype} cannot be converted; allowed: float16")
        self._constants[operator.Outputs(0)] = value.astype(np.float32)

    def _pad(self, operator: Any) -> None:
        before, after = self._constant(operator.Inputs(1))[[0, 3, 1, 2]].T
        pads = self._onnx.constant(f"{self._name(operator.Outputs(0))}.pads", np.r_[before, after].astype(np.int64))
        self._emit(operator, "Pad", [self._name(operator.Inputs(0)), pads])

    def _conv(self, operator: Any) -> None:
        options = _options(operator, tflite.Conv2DOptions)
        weights = self._constant(operator.Inputs(1)).transpose(0, 3, 1, 2)  # from [out, height, width, in]
        self._convolve(operator, options, weights, 1)

    def _depthwise_conv(self, operator: Any) -> None:
        options = _options(operator, tflite.DepthwiseConv2DOptions)
        weights = self._constant(operator.Inputs(1)).transpose(3, 0, 1, 2)  # from [1, height, width, channels]
        _allow("DEPTHWISE_CONV_2D depth multiplier", options.DepthMultiplier(), 1)
        self._convolve(operator, options, weights, len(weights))

    def _convolve(self, operator: Any, options: Any, weights: np.ndarray, group: int) -> None:
        _allow("convolution's dilation", (options.DilationHFactor(), options.DilationWFactor()), (1, 1))
        name, kernel, strides = (
            self._name(operator.Outputs(0)),
            weights.shape[2:],
            (options.StrideH(), options.StrideW()),
        )
        inputs = [
            self._name(operator.Inputs(0)),
            self._onnx.constant(f"{name}.weights", weights.astype(self._float)),
            self._onnx.constant(f"{name}.bias", self._constant(operator.Inputs(2)).astype(self._float)),
        ]
        pads = self._padding(options, operator.Inputs(0), kernel, strides)
        self._emit(operator, "Conv", inputs, options, kernel_shape=kernel, strides=strides, pads=pads, group=group)

    def _max_pool(self, operator: Any) -> None:
        options = _options(operator, tflite.Pool2DOptions)
        kernel, strides = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
        pads = self._padding(options, operator.Inputs(0), kernel, strides)
        inputs = [self._name(operator.Inputs(0))]
        self._emit(operator, "MaxPool", inputs, options, kernel_shape=kernel, strides=strides, pads=pads)

    def _add(self, operator: Any) -> None:
        shapes = [self._shape(i) for i in operator.InputsAsNumpy()]
        _allow("ADD of shapes", shapes[0], shapes[1])
        self._emit(operator, "Add", map(self._name, operator.InputsAsNumpy()), _options(operator, tflite.AddOptions))

    def _reshape(self, operator: Any) -> None:
        name, old, new = self._name(operator.Outputs(0)), operator.Inputs(0), self._shape(operator.Outputs(0))
        rows = self._name(old)
        if len(self._shape(old)) == 4 and self._shape(old)[1:3] != (1, 1):
            rows = self._onnx.add("Transpose", [rows], f"{name}.rows", perm=[0, 2, 3, 1])
        if len(new) == 4:
            raise UsageError("TFLite operator RESHAPE into four dimensions cannot be converted")
        shape = self._onnx.constant(f"{name}.shape", np.array([0, *new[1:]], np.int64))  # 0: as it comes
        self._emit(operator, "Reshape", [rows, shape])

    def _concatenation(self, operator: Any) -> None:
        options = _options(operator, tflite.ConcatenationOptions)
        if len(self._shape(operator.Outputs(0))) == 4:
            raise UsageError("TFLite operator CONCATENATION of pictures cannot be converted")
        self._emit(operator, "Concat", map(self._name, operator.InputsAsNumpy()), options, axis=options.Axis())

    def _depth_to_space(self, operator: Any) -> None:
        block = _options(operator, tflite.DepthToSpaceOptions).BlockSize()
        self._emit(operator, "DepthToSpace", [self._name(operator.Inputs(0))], blocksize=block, mode="DCR")

    def _resize_bilinear(self, operator: Any) -> None:
        options = _options(operator, tflite.ResizeBilinearOptions)
        corners, half_pixel = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
        _allow("RESIZE_BILINEAR's align_corners, half_pixel_centers", (corners, half_pixel), (False, True))
        (_, *old, _), (_, *new, _) = self._shape(operator.Inputs(0)), self._shape(operator.Outputs(0))
        factors = np.array([1, 1, *np.divide(new, old)], np.float32)
        scales = self._onnx.constant(f"{self._name(operator.Outputs(0))}.scales", factors)
        inputs = [self._name(operator.Inputs(0)), "", scales]
        self._emit(operator, "Resize", inputs, mode="linear", coordinate_transformation_mode="half_pixel")

    def _logistic(self, operator: Any) -> None:
        self._emit(operator, "Sigmoid", [self._name(operator.Inputs(0))])

    # What the rules share.

    def _emit(self, operator: Any, kind: str, inputs: Any, options: Any = None, **attributes: Any) -> None:
        """A node for an operator, and another one for what TFLite has fused with it."""
        fused = options.FusedActivationFunction() if options is not None else tflite.ActivationFunctionType.NONE
        name = self._name(operator.Outputs(0))
        if fused == tflite.ActivationFunctionType.NONE:
            self._onnx.add(kind, [*inputs], name, **attributes)
            return
        _allow(f"{self._kind(operator)}'s fused activation", fused, tflite.ActivationFunctionType.RELU6)
        before = self._onnx.add(kind, [*inputs], f"{name}.linear", **attributes)
        limits = [self._onnx.constant(f"{name}.{limit}", np.array(limit, self._float)) for limit in (0, 6)]
        self._onnx.add("Clip", [before, *limits], name)

    def _padding(self, options: Any, entry: int, kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
        """TFLite's SAME: as many cells out as strides fit in, what is odd goes to the bottom and the right."""
        if options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        sizes = self._shape(entry)[1:3]
        missing = [
            max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
            for size, extent, stride in zip(sizes, kernel, strides, strict=True)
        ]
        before = [total // 2 for total in missing]
        return before + [total - first for total, first in zip(missing, before, strict=True)]

    def _kind(self, operator: Any) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        return _OPERATORS.get(number, f"number {number}")

    def _name(self, index: int) -> str:
        return f"t{index}"

    def _shape(self, index: int) -> tuple[int, ...]:
        return tuple(self._source.Tensors(index).ShapeAsNumpy().tolist())

    def _constant(self, index: int) -> np.ndarray:
        """A tensor that does not depend on the picture."""
        if index in self._constants:
            return self._constants[index]
        return self._stored(index).reshape(self._shape(index))

    def _stored(self, index: int) -> np.ndarray:
        """The elements of a tensor that stand in the file."""
        tensor = self._source.Tensors(index)
        buffer = self._model.Buffers(tensor.Buffer())
        if tensor.Type() not in _TYPES or not buffer.DataLength():
            raise UsageError(
                f"TFLite tensor {tensor.Name().decode()}: a constant of float32, float16 or int32 is needed"
            )
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), _TYPES[tensor.Type()])


def _options(operator: Any, kind: Any) -> Any:
    table, options = operator.BuiltinOptions(), kind()
    options.Init(table.Bytes, table.Pos)
    return options


def _vector(kind: int, table: Any) -> np.ndarray:
    """An index vector of `SparsityParameters`, which comes in one of three widths."""
    vector = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}[kind]()
    vector.Init(table.Bytes, table.Pos)
    return vector.ValuesAsNumpy().astype(np.int64)


def _allow(what: str, found: Any, allowed: Any) -> None:
    if found != allowed:
        raise UsageError(f"TFLite {what} {found} cannot be converted; allowed: {allowed}")
