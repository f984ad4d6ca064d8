"""One function for each ONNX op, a file for each family in rooms of families; an op is added in its family's table.

An import goes from a room to those below it: ``runtime``, ``quantized`` and ``steps``, ``spatial``, ``products``,
``moving``, ``arithmetic``, and at last ``windows.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops import arithmetic, moving, products, quantized, runtime, spatial, steps

OPS: Mapping[str, Callable[..., Any]] = {
    **arithmetic.OPS,
    **moving.OPS,
    **products.OPS,
    **quantized.OPS,
    **spatial.OPS,
    **steps.OPS,
}
"""ONNX's name of an op to its form: ``(builder, node) -> value`` or several values."""

_DOMAINS: Mapping[str, Mapping[str, Callable[..., Any]]] = {"": OPS, "ai.onnx": OPS, runtime.DOMAIN: runtime.OPS}
# ONNX Runtime writes it without a domain.
_NAMELESS = frozenset({"SimplifiedLayerNormalization"})


def form_of(domain: str, op: str) -> Callable[..., Any] | None:
    """The form of an op of a domain; None where there is none."""
    found = _DOMAINS.get(domain, {}).get(op)
    return runtime.OPS[op] if found is None and not domain and op in _NAMELESS else found
