"""A linear region that treats rows and columns apart, as a known matrix for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.linear_regions import Region
from edge_sdk.converters.lower.direct.ops.spatial.linear_maps import along
from edge_sdk.converters.lower.direct.ops.spatial.pooling import averaged
from edge_sdk.converters.lower.direct.reading import quiet_numpy
from edge_sdk.converters.lower.direct.value import Value

Floats = npt.NDArray[Any]
# Evaluations of a region, each of them a few milliseconds.
_PROBES = 64
# float32's rounding over sums of a few hundred elements of about one.
_BOUND = 1e-5


def separable(builder: Builder, region: Region, x: Value, constants: Mapping[str, Floats], opset: int) -> Value | None:
    """The region as a pool or as two products with matrices, or None where that is not what it does.

    The region is linear by its ops; the matrices are read off it, and must give what it gives for random numbers.

    Args:
        builder: what makes ops.
        region: its nodes.
        x: its input, ``[N, C, H, W]``.
        constants: values of the other names that it reads.
        opset: version of ONNX's op set.
    """
    if x.rank != 4 or x.dtype != "float32" or 0 in x.shape or max(x.shape[2:]) > _PROBES * x.shape[0] * x.shape[1]:
        return None
    matrices = _matrices(_evaluation(region, x.shape, constants, opset), x.shape)
    if matrices is None:
        return None
    windows = [_window(matrix) for matrix in matrices]
    if windows[0] is not None and windows[1] is not None:
        return averaged(builder, x, (windows[0][0], windows[1][0]), (windows[0][1], windows[1][1]))
    for axis, matrix in zip((2, 3), matrices, strict=True):
        x = along(builder, x, axis, matrix)
    return x


def _window(matrix: Floats) -> tuple[int, int] | None:
    """Extent and step of the windows whose means the matrix takes, or None where it takes no such."""
    out, size = matrix.shape
    kernel = int((matrix[0] > _BOUND).sum())
    step = int(np.argmax(matrix[1] > _BOUND)) if out > 1 else 1
    if not kernel or not step or (out - 1) * step + kernel > size:
        return None
    places = np.arange(size) - np.arange(out)[:, None] * step
    means = ((places >= 0) & (places < kernel)) / kernel
    return (kernel, step) if np.abs(matrix - means).max() <= _BOUND else None


def _evaluation(
    region: Region, shape: tuple[int, ...], constants: Mapping[str, Floats], opset: int
) -> Callable[[Floats], Floats]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    graph = helper.make_graph(
        list(region.nodes),
        "region",
        [helper.make_tensor_value_info(region.source, onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(region.result, onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(v, order="C"), name) for name, v in constants.items()],
    )
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))

    def evaluate(values: Floats) -> Floats:
        with quiet_numpy():
            return np.asarray(evaluator.run(None, {region.source: values})[0])

    return evaluate


def _matrices(evaluate: Callable[[Floats], Floats], shape: tuple[int, ...]) -> tuple[Floats, Floats] | None:
    """``[H', H]`` and ``[W', W]`` of ``result = rows @ x @ columns.T`` in every channel."""
    height, width = shape[2:]
    nothing = evaluate(np.zeros(shape, np.float32))
    if nothing.ndim != 4 or nothing.shape[:2] != shape[:2] or nothing.any():
        return None
    rows = _responses(evaluate, shape, np.eye(height, dtype=np.float32)[:, :, None]).mean(2)
    columns = _responses(evaluate, shape, np.eye(width, dtype=np.float32)[:, None, :]).mean(1)
    whole = rows.sum(0).mean()
    if abs(whole) < _BOUND:
        return None
    found = rows.T, columns.T / whole
    probe = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    want = evaluate(probe)
    close = np.abs(found[0] @ probe @ found[1].T - want).max() <= _BOUND * max(1.0, float(np.abs(want).max()))
    return found if close else None


def _responses(evaluate: Callable[[Floats], Floats], shape: tuple[int, ...], probes: Floats) -> Floats:
    """``[probes, H', W']``: as many at a time as there are channels."""
    slots = shape[0] * shape[1]
    made = []
    for begin in range(0, len(probes), slots):
        part = probes[begin : begin + slots]
        images = np.zeros((slots, *shape[2:]), np.float32)
        images[: len(part)] = part
        result = evaluate(images.reshape(shape))
        made.append(result.reshape(slots, *result.shape[2:])[: len(part)])
    return np.asarray(np.concatenate(made), np.float64)
