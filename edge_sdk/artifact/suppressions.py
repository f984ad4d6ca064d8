"""Ops that keep the best boxes and drop what covers them, and what is computed from what they keep.

How many boxes are kept depends on data: their results have as many rows as can be kept at most, those that count first,
and another result counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Op

COUNTS: Mapping[str, int] = MappingProxyType(
    {"NON_MAX_SUPPRESSION_V4": 1, "NON_MAX_SUPPRESSION_V5": 2, "CUSTOM:TFLite_Detection_PostProcess": 3}
)
"""Op name to which of its results says how many rows count; by the kernels of TFLite."""


@dataclass(frozen=True)
class Kept:
    """Outputs of a file that are rows of the same kept boxes.

    Attributes:
        rows: their names.
        count: name of the output that says how many of them count; None where none does.
    """

    rows: tuple[str, ...]
    count: str | None


def kept_outputs(artifact: Artifact) -> list[Kept]:
    """Outputs that are computed from what suppressions keep, by the suppressions that they are computed from."""
    graph = artifact.main
    found: dict[int, frozenset[int]] = {}
    # What is computed from what is kept; the rest of what is reached are counts.
    rows: set[int] = set()
    for op in graph.ops:
        own = frozenset({op.index}) if suppresses(op) else frozenset()
        reached = own.union(*(found.get(index, frozenset()) for index in op.inputs))
        if not reached:
            continue
        found |= dict.fromkeys(op.outputs, reached)
        if not rows.isdisjoint(op.inputs):
            rows |= set(op.outputs)
        elif own:
            rows |= {index for place, index in enumerate(op.outputs) if place != COUNTS[op.name]}
    ends = {name: tensor for name, tensor in artifact.signature.outputs.items() if tensor.index in found}
    numbers = {name for name, tensor in ends.items() if tensor.index not in rows and tensor.elements == 1}
    tables: dict[frozenset[int], list[str]] = {}
    for name, tensor in ends.items():
        if name not in numbers:
            tables.setdefault(found[tensor.index], []).append(name)
    return [
        Kept(tuple(names), next((name for name in numbers if found[ends[name].index] == sources), None))
        for sources, names in tables.items()
    ]


def suppressed_rows(artifact: Artifact) -> frozenset[str]:
    """Outputs that are rows which a suppression keeps."""
    return frozenset(name for table in kept_outputs(artifact) for name in table.rows)


def suppresses(op: Op) -> bool:
    """Whether an op is one of those."""
    return op.name in COUNTS and len(op.outputs) > COUNTS[op.name]
