"""Ops that XNNPACK takes, each with one thing changed: every constraint of a rule is met by a probe that breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.core.checks.delegates.xnnpack.one_op import F, Probe, Q, T, U, ints, op


@dataclass(frozen=True)
class Base:
    """An op as it is taken."""

    name: str
    inputs: tuple[T, ...]
    outputs: tuple[T, ...]
    kind: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def build(self) -> bytes:
        return op(self.name, self.inputs, self.outputs, self.kind, 1, **self.fields)

    def with_tensor(self, place: int, tensor: T) -> Base:
        """The tensor at that place replaced; outputs count on after inputs."""
        tensors = [*self.inputs, *self.outputs]
        tensors[place] = tensor
        return replace(self, inputs=tuple(tensors[: len(self.inputs)]), outputs=tuple(tensors[len(self.inputs) :]))


def bases() -> Iterator[tuple[str, Base]]:
    for label, x in (("float", F), ("int8", Q), ("uint8", U)):
        yield from ((f"{base.name} {label}", base) for base in (*_simple(x), *_moving(x), *_products(label)))
    for base in _float_only():
        yield base.name, base


def _simple(x: T) -> Iterator[Base]:
    image, half = replace(x, shape=(1, 4, 4, 8)), replace(x, shape=(1, 2, 2, 8))
    yield Base("LEAKY_RELU", (x,), (x,), "LeakyReluOptions", {"alpha": 0.5})
    yield Base("LOGISTIC", (x,), (x,))
    yield Base("QUANTIZE", (x,), (x if x.scale else Q,))
    yield Base("DEQUANTIZE", (x if x.scale else Q,), (F,))
    yield Base("ADD", (x, x), (x,), "AddOptions", {"fused_activation_function": 0})
    yield Base("MUL", (x, x), (x,), "MulOptions", {"fused_activation_function": 0})
    yield Base("MEAN", (image, ints(1)), (replace(x, shape=(1, 4, 8)),), "ReducerOptions", {"keep_dims": False})
    window = {"filter_width": 2, "filter_height": 2, "stride_w": 2, "stride_h": 2, "padding": 1}
    yield Base("MAX_POOL_2D", (image,), (half,), "Pool2DOptions", window)
    if not x.scale:
        yield Base("AVERAGE_POOL_2D", (image,), (half,), "Pool2DOptions", window)


def _float_only() -> Iterator[Base]:
    yield Base("ABS", (F,), (F,))
    yield Base("DIV", (F, F), (F,), "DivOptions", {"fused_activation_function": 0})
    yield Base("MAXIMUM", (F, F), (F,))
    yield Base("PRELU", (F, replace(F, data=0)), (F,))
    yield Base("SOFTMAX", (F,), (F,), "SoftmaxOptions", {"beta": 1.0})
    yield Base("ELU", (Q,), (Q,))


def _moving(x: T) -> Iterator[Base]:
    row = replace(x, shape=(1, 2))
    yield Base("CONCATENATION", (x, x), (replace(x, shape=(1, 8)),), "ConcatenationOptions", {"axis": 1})
    yield Base("SPLIT", (T((), "int32", data=1), x), (row, row), "SplitOptions", {"num_splits": 2})
    deep, flat = replace(x, shape=(1, 2, 2, 8)), replace(x, shape=(1, 4, 4, 2))
    yield Base("DEPTH_TO_SPACE", (deep,), (flat,), "DepthToSpaceOptions", {"block_size": 2})
    yield Base("SPACE_TO_DEPTH", (flat,), (deep,), "SpaceToDepthOptions", {"block_size": 2})
    yield Base("PAD", (x, T((2, 2), "int32", data=(0, 0, 0, 0))), (x,))
    yield Base("RESHAPE", (x, ints(2, 2)), (replace(x, shape=(2, 2)),))
    big = replace(x, shape=(1, 8, 8, 2))
    yield Base("RESIZE_BILINEAR", (flat, ints(8, 8)), (big,), "ResizeBilinearOptions", {"align_corners": False})
    yield Base("SLICE", (x, ints(0, 1), ints(1, 2)), (row,))
    given = (x, ints(0, 1), ints(1, 3), ints(1, 1))
    yield Base("STRIDED_SLICE", given, (row,), "StridedSliceOptions", {"begin_mask": 0, "shrink_axis_mask": 0})
    yield Base("TRANSPOSE", (x, ints(1, 0)), (replace(x, shape=(4, 1)),))


def _products(label: str) -> Iterator[Base]:
    x, w, b = {
        "float": (F, replace(F, data=0), replace(F, data=0)),
        "int8": (Q, replace(Q, data=0), T(dtype="int32", scale=(0.01,), data=0)),
        "uint8": (U, replace(U, data=0), T(dtype="int32", scale=(0.01,), data=0)),
    }[label]
    image, b4 = replace(x, shape=(1, 4, 4, 4)), replace(b, shape=(4,))
    steps = {"stride_w": 1, "stride_h": 1, "padding": 0, "fused_activation_function": 0}
    dilated = {**steps, "dilation_w_factor": 1, "dilation_h_factor": 1}
    kernel, thin = replace(w, shape=(4, 3, 3, 4)), replace(w, shape=(1, 3, 3, 4))
    yield Base("CONV_2D", (image, kernel, b4), (image,), "Conv2DOptions", dilated)
    fields = {**dilated, "depth_multiplier": 1}
    yield Base("DEPTHWISE_CONV_2D", (image, thin, b4), (image,), "DepthwiseConv2DOptions", fields)
    yield Base("TRANSPOSE_CONV", (ints(1, 4, 4, 4), kernel, image, b4), (image,), "TransposeConvOptions", steps)
    dense = (x, replace(w, shape=(4, 4)), b4)
    yield Base("FULLY_CONNECTED", dense, (x,), "FullyConnectedOptions", {"weights_format": 0, "keep_num_dims": False})
    if label != "uint8":
        factors = (replace(x, shape=(2, 4)), replace(x, shape=(4, 4)))
        yield Base("BATCH_MATMUL", factors, (replace(x, shape=(2, 4)),), "BatchMatMulOptions", {"adj_y": False})
    if label == "int8":
        each = replace(kernel, scale=(0.1,) * 4), replace(b4, scale=(0.01,) * 4)
        yield Base("CONV_2D", (image, *each), (image,), "Conv2DOptions", dilated | {"dilation_w_factor": 2})
        each = replace(thin, scale=(0.1,) * 4, axis=3), replace(b4, scale=(0.01,) * 4)
        yield Base("DEPTHWISE_CONV_2D", (image, *each), (image,), "DepthwiseConv2DOptions", fields)
        dense = x, replace(w, shape=(4, 4), scale=(0.1,) * 4), replace(b4, scale=(0.01,) * 4)
        yield Base("FULLY_CONNECTED", dense, (x,), "FullyConnectedOptions", {"weights_format": 0})
        factors = replace(F, shape=(2, 4)), replace(w, shape=(4, 4), scale=(0.1,) * 4, axis=1)
        yield Base("BATCH_MATMUL", factors, (replace(F, shape=(2, 4)),), "BatchMatMulOptions", {"adj_y": False})


def tensors() -> Iterator[Probe]:
    """One tensor changed."""
    for number, (label, base) in enumerate(bases()):
        for place, tensor in enumerate((*base.inputs, *base.outputs)):
            for what, changed in _changes(tensor, result=place >= len(base.inputs)):
                # A permutation is read as int32 whatever it is: beyond its end, if that is shorter.
                if base.name == "TRANSPOSE" and place == 1 and changed.dtype not in {"int32", "int64"}:
                    continue
                yield f"{number} {label} tensor {place} {what}", base.with_tensor(place, changed).build()


def options() -> Iterator[Probe]:
    """One option changed, or all of them left out."""
    for number, (label, base) in enumerate(bases()):
        yield f"{number} {label}", base.build()
        yield f"{number} {label} without options", replace(base, kind="", fields={}).build()
        for name in base.fields:
            for value in (0, 1, 2, 3, 4):
                fields = {**base.fields, name: bool(value) if isinstance(base.fields[name], bool) else value}
                if name != "num_splits" and fields != base.fields:
                    yield f"{number} {label} {name} {value}", replace(base, fields=fields).build()


def _changes(tensor: T, *, result: bool) -> Iterator[tuple[str, T]]:
    for dtype in ("float32", "float16", "int16", "int32", "int64", "bool"):
        if dtype != tensor.dtype:
            yield dtype, replace(tensor, dtype=dtype, scale=None, axis=0)
    for kind in (Q, U):
        yield f"as {kind.dtype}", replace(tensor, dtype=kind.dtype, scale=kind.scale)
    if tensor.data is not None:
        yield "runtime", replace(tensor, data=None)
    elif not result:
        yield "constant", replace(tensor, data=0)
    yield from _shapes(tensor)
    yield from _quantizations(tensor)


def _shapes(tensor: T) -> Iterator[tuple[str, T]]:
    """One dimension more; seven; and for what is not a list of numbers, one less and none at all."""
    yield "wider", replace(tensor, shape=(1, *tensor.shape))
    yield "rank 7", replace(tensor, shape=(1,) * (7 - len(tensor.shape)) + tensor.shape)
    if not isinstance(tensor.data, tuple):
        yield "lower", replace(tensor, shape=tensor.shape[1:])
        yield "empty", replace(tensor, shape=(0, *tensor.shape[1:]))
        yield "hollow", replace(tensor, shape=(*tensor.shape[:-1], 0))
    elif len(tensor.shape) == 1:
        yield "longer", replace(tensor, shape=(len(tensor.data) + 1,), data=(*tensor.data, 1))


def _quantizations(tensor: T) -> Iterator[tuple[str, T]]:
    if not tensor.scale:
        return
    yield "no scale", replace(tensor, scale=None)
    yield "other scale", replace(tensor, scale=tuple(2 * scale for scale in tensor.scale))
    yield "huge scale", replace(tensor, scale=tuple(1e6 * scale for scale in tensor.scale))
    yield "subnormal scale", replace(tensor, scale=(1e-40,) * len(tensor.scale))
    yield "negative scale", replace(tensor, scale=(-0.1,) * len(tensor.scale))
    for point in (-129, -128, -1, 1, 127, 128, 255, 256):
        yield f"zero point {point}", replace(tensor, zero_point=point)
    for axis, extent in enumerate(tensor.shape):
        yield f"axis {axis}", replace(tensor, axis=axis, scale=(0.1,))
        yield f"channels of {axis}", replace(tensor, axis=axis, scale=(0.1,) * extent)
