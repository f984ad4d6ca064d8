"""Probes of XNNPACK's delegate: small files built by code, by family."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.core.checks.delegates.xnnpack import graphs, one_op, perturbed
from tests.core.checks.memory.arena_graphs import MODELS

FAMILIES: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    family.__name__: family
    for family in (
        one_op.unary, one_op.leaky, one_op.casts, one_op.binary, one_op.reductions, one_op.pools, one_op.convolutions,
        one_op.depthwise, one_op.dense, one_op.matmul, one_op.joins, one_op.blocks, one_op.copies, one_op.sizes,
        one_op.strided, one_op.softmax, one_op.transposed, one_op.custom, graphs.graphs,
    )
}  # fmt: skip
FAMILIES["models"] = lambda: ((name, build()) for name, build in MODELS.items())
MANY: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "tensors": perturbed.tensors,
    "options": perturbed.options,
}
"""Thousands; they take a minute."""
