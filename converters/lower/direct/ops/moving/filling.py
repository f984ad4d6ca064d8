"""Tensors made from a shape, and what cannot be: text, and random numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import DataDependentError, Node, NoFormError
from edge_sdk.converters.lower.direct.reading import computed_dtype, dtype_name
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]


def _eye(builder: Builder, node: Node) -> Value:
    x = node.input()
    dtype = computed_dtype(dtype_name(node.attributes["dtype"])) if "dtype" in node.attributes else x.dtype
    rows, columns = x.shape
    if builder.padding.of(x.tensor) is not None:
        raise DataDependentError("how large it is depends on data, and a tensor of TFLite has a known shape")
    return builder.fixed(np.eye(rows, columns, k=int(node.attribute("k", 0))), dtype)


def _refused(why: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        raise NoFormError(why)

    return form


_TEXT = "it works on text; TFLite computes with numbers, so do this step outside the model"
_RANDOM = "random numbers are others at each run, so the file cannot be compared with its source; make them an input"

OPS: dict[str, Form] = {
    "Bernoulli": _refused(_RANDOM),
    "EyeLike": _eye,
    "Multinomial": _refused(_RANDOM),
    "RandomNormal": _refused(_RANDOM),
    "RandomNormalLike": _refused(_RANDOM),
    "RandomUniform": _refused(_RANDOM),
    "RandomUniformLike": _refused(_RANDOM),
    "RegexFullMatch": _refused(_TEXT),
    "StringConcat": _refused(_TEXT),
    "StringNormalizer": _refused(_TEXT),
    "StringSplit": _refused(_TEXT),
}
