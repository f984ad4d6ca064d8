"""Tensors made from a shape, and what cannot be: results whose size depends on data, and random ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import DataDependentError, Node, NoFormError
from edge_sdk.converters.lower.direct.ops.moving.gather import gather
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.reading import computed_dtype, dtype_name
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]


def _constant_of_shape(builder: Builder, node: Node) -> Value:
    """FILL, where the result is too large to be written into the file."""
    shape = [int(size) for size in np.ravel(node.constant(0, "the extents"))]
    value = np.ravel(node.attribute("value", np.zeros(1, np.float32)))[0]
    number = builder.constant(value, computed_dtype(value.dtype.name))
    return plain(builder.emit("FILL", [builder.constant(shape, "int32"), number], shape, number.dtype))


def _eye(builder: Builder, node: Node) -> Value:
    x = node.input()
    dtype = computed_dtype(dtype_name(node.attributes["dtype"])) if "dtype" in node.attributes else x.dtype
    rows, columns = x.shape
    return builder.fixed(np.eye(rows, columns, k=int(node.attribute("k", 0))), dtype)


def _compress(builder: Builder, node: Node) -> Value:
    """A known mask is a list of indices."""
    x = node.input(0)
    if not node.input(1).is_constant:
        raise DataDependentError(_DEPENDS)
    places = builder.fixed(np.flatnonzero(node.input(1).data))
    if "axis" not in node.attributes:
        return gather(builder, reshape(builder, x, (x.tensor.size,)), places, 0)
    return gather(builder, x, places, int(node.attributes["axis"]) % x.rank)


def _refused(why: str, kind: type[NoFormError] = NoFormError) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        raise kind(why)

    return form


_DEPENDS = (
    "how many elements it finds depends on data, and a tensor of TFLite has a known shape; keep the whole tensor and "
    "choose by its mask (torch.where, or a product), or do this step outside the model"
)
_TEXT = "it works on text; TFLite computes with numbers, so do this step outside the model"
_RANDOM = "random numbers are others at each run, so the file cannot be compared with its source; make them an input"

OPS: dict[str, Form] = {
    "Bernoulli": _refused(_RANDOM),
    "Compress": _compress,
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye,
    "Multinomial": _refused(_RANDOM),
    "NonZero": _refused(_DEPENDS, DataDependentError),
    "RandomNormal": _refused(_RANDOM),
    "RandomNormalLike": _refused(_RANDOM),
    "RandomUniform": _refused(_RANDOM),
    "RandomUniformLike": _refused(_RANDOM),
    "Range": _refused(
        "how long it is depends on data, and a tensor of TFLite has a known shape; make a longer one and mask it",
        DataDependentError,
    ),
    "RegexFullMatch": _refused(_TEXT),
    "StringConcat": _refused(_TEXT),
    "StringNormalizer": _refused(_TEXT),
    "StringSplit": _refused(_TEXT),
    "Unique": _refused(_DEPENDS, DataDependentError),
}
