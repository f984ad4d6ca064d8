"""What is known before the file runs: nodes whose inputs are all constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.reading import as_computed, quiet_numpy

# Larger results are left to the file: an Expand of a scalar to a picture is one op there, megabytes here.
_LIMIT_BYTES = 64 << 20
_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
_GROWS = frozenset({"Expand", "Tile", "ConstantOfShape"})
# The reference evaluator takes minutes for a position embedding; their own forms know constants.
_SLOW = frozenset({"Resize", "Upsample"})
# The reference evaluator of onnx 1.19 does not compute them as the standard says: borders on one side or by a name,
# axes other than two, images of one cell, layers that go backwards, a norm of magnitudes.
_WRONG = frozenset(
    {
        "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GRU", "GlobalMaxPool", "GridSample", "LRN",
        "LSTM", "LpNormalization", "LpPool", "MaxPool", "RNN",
    }
)  # fmt: skip
# All axes from one on were one, which it does not know either.
_FLAT_BEFORE_13 = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_BY_FORM = _SLOW | _WRONG
# It has it from op set 19 on alone, where what came before is as it was.
_AS_OF_19 = frozenset({"DequantizeLinear"})


def fold(proto: Any, inputs: Sequence[npt.NDArray[Any] | None], opset: int) -> list[npt.NDArray[Any]] | None:
    """A node's results from constant inputs, or None where they are left to the file.

    ONNX's reference evaluator computes them, node by node.

    Args:
        proto: the NodeProto; one with inner graphs is never folded.
        inputs: values in order; None where an optional one is absent.
        opset: version of ONNX's op set.
    """
    if proto.op_type in _RANDOM | _BY_FORM or (opset < 13 and proto.op_type in _FLAT_BEFORE_13):
        return None
    if proto.op_type.startswith("Scatter") and any(a.name == "reduction" and a.s != b"none" for a in proto.attribute):
        return None  # the reference evaluator takes the last of several at a place
    if any(a.HasField("g") or a.graphs for a in proto.attribute):
        return None
    if proto.op_type in _GROWS and _grown_bytes(proto, inputs) > _LIMIT_BYTES:
        return None
    results = _evaluated(proto, inputs, opset)
    if results is None or any(not isinstance(result, np.ndarray | np.generic) for result in results):
        return None
    return [as_computed(np.asarray(result)) for result in results]


def _gather_elements(proto: Any, inputs: Sequence[npt.NDArray[Any] | None]) -> list[Any] | None:
    """The reference evaluator of onnx 1.19 fails on more than 32 rows."""
    data, indices = inputs
    axis = next((int(a.i) for a in proto.attribute if a.name == "axis"), 0)
    if data is None or indices is None:
        return None
    # Other axes may be longer in the data than in the indices.
    rows = tuple(slice(None) if i == axis % data.ndim else slice(size) for i, size in enumerate(indices.shape))
    return [np.take_along_axis(data[rows], indices, axis)]


def _one_hot(proto: Any, inputs: Sequence[npt.NDArray[Any] | None]) -> list[Any] | None:
    """The reference evaluator wraps places beyond the ends, which mark nothing."""
    places, depth, pair = inputs
    if places is None or depth is None or pair is None:
        return None
    axis = next((int(a.i) for a in proto.attribute if a.name == "axis"), -1) % (places.ndim + 1)
    count = int(np.ravel(depth)[0])
    whole = places.astype(np.int64)
    whole = np.where(whole < 0, whole + count, whole)
    marked = np.expand_dims(whole, axis) == np.arange(count).reshape(-1, *(1,) * (places.ndim - axis))
    return [np.where(marked, pair[1], pair[0]).astype(pair.dtype)]


_OWN = {"GatherElements": _gather_elements, "OneHot": _one_hot}


def _evaluated(proto: Any, inputs: Sequence[npt.NDArray[Any] | None], opset: int) -> list[Any] | None:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if proto.op_type in _OWN:
        return _OWN[proto.op_type](proto, inputs)
    named = {name: value for name, value in zip(proto.input, inputs, strict=False) if name and value is not None}
    opset = max(opset, 19) if proto.op_type in _AS_OF_19 else opset
    try:
        # For a node alone it takes the newest op set, which reads axes as an input and ignores the attribute.
        infos = [[helper.make_empty_tensor_value_info(name) for name in names] for names in (named, proto.output)]
        graph = helper.make_graph([proto], "known", *infos)
        with quiet_numpy():
            return list(ReferenceEvaluator(graph, opsets={"": opset, proto.domain: opset}).run(None, named))
    except Exception:
        return None


def _grown_bytes(proto: Any, inputs: Sequence[npt.NDArray[Any] | None]) -> int:
    sizes = inputs[0] if proto.op_type == "ConstantOfShape" else inputs[1]
    if sizes is None:
        return 0
    product = int(np.prod(np.maximum(np.asarray(sizes, np.int64), 1)))
    if proto.op_type == "Tile" and inputs[0] is not None:
        return product * inputs[0].nbytes
    return product * 4
