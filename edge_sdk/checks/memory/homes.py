"""Where TFLite keeps each tensor of a graph, and after which ops it cannot plan on.

*Predicted* by the kernels' ``Prepare`` functions (``tflite/kernels/*.cc``, ``tflite/core/subgraph.cc`` of LiteRT
v2.1.0): a result whose size depends on a value that is not known before a run is *dynamic*, which means a heap block of
its own; one that only depends on constants is computed at once and kept on the heap.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.checks.memory.scratch import Home

SIZED_BY: MappingProxyType[str, tuple[int, ...]] = MappingProxyType(
    {
        "ARG_MAX": (1,),
        "ARG_MIN": (1,),
        "BATCH_TO_SPACE_ND": (1, 2),
        "BROADCAST_TO": (1,),
        "CONV_3D_TRANSPOSE": (0,),
        "DILATE": (1,),
        "EXPAND_DIMS": (1,),
        "FILL": (0,),
        "MEAN": (1,),
        "MIRROR_PAD": (1,),
        "MULTINOMIAL": (0, 1),
        "NON_MAX_SUPPRESSION_V4": (2,),
        "NON_MAX_SUPPRESSION_V5": (2,),
        "ONE_HOT": (1,),
        "PAD": (1,),
        "PADV2": (1,),
        "RANDOM_STANDARD_NORMAL": (0,),
        "RANDOM_UNIFORM": (0,),
        "RANGE": (0, 1, 2),
        "REDUCE_ALL": (1,),
        "REDUCE_ANY": (1,),
        "REDUCE_MAX": (1,),
        "REDUCE_MIN": (1,),
        "REDUCE_PROD": (1,),
        "RESIZE_BILINEAR": (1,),
        "RESIZE_NEAREST_NEIGHBOR": (1,),
        "SCATTER_ND": (2,),
        "SEGMENT_SUM": (0, 1),
        "SLICE": (1, 2),
        "SPACE_TO_BATCH_ND": (1, 2),
        "SPARSE_TO_DENSE": (1,),
        "SPLIT": (0,),
        "SPLIT_V": (1, 2),
        "STRIDED_SLICE": (1, 2, 3),
        "SUM": (1,),
        "TILE": (1,),
        "TOPK_V2": (1,),
        "TRANSPOSE": (1,),
        "TRANSPOSE_CONV": (0,),
        "UNSORTED_SEGMENT_MAX": (1, 2),
        "UNSORTED_SEGMENT_MIN": (1, 2),
        "UNSORTED_SEGMENT_PROD": (1, 2),
        "UNSORTED_SEGMENT_SUM": (1, 2),
        "WHERE": (0,),
    }
)
"""Ops and the places of their operands whose values give the sizes of the result."""
_NEEDS_FIXED_INPUT = frozenset({"SLICE", "TOPK_V2"})
_ALWAYS_DYNAMIC = frozenset({"UNIQUE"})
_FOLDED = frozenset(
    {"BROADCAST_ARGS", "CONCATENATION", "GATHER", "MUL", "RANGE", "REDUCE_PROD", "RESHAPE", "STRIDED_SLICE", "TILE"}
)
_KNOWN_AT_ONCE = frozenset({"RANK", "SHAPE"})
_KEPT_IF_CONSTANT = frozenset({"CAST", "DENSIFY", "DEQUANTIZE"})
_OPAQUE = frozenset({"string", "resource", "variant"})


@dataclass(frozen=True)
class Homes:
    """Where the tensors of one subgraph lie.

    Attributes:
        of: one home for each tensor, by index.
        cuts: ops after which planning stops until they have run, ascending.
        dynamic: whether a tensor's size is open before a run.
    """

    of: tuple[Home, ...]
    cuts: tuple[int, ...]
    dynamic: bool


def find_homes(
    graph: Subgraph, *, borrowed: Collection[int] = (), dynamic_ops: Collection[int] = (), lent: Collection[int] = ()
) -> Homes:
    """Follows the ops in order, as ``PrepareOpsStartingAt`` does.

    Args:
        graph: one subgraph.
        borrowed: its inputs that lie in the arena of the caller.
        dynamic_ops: ops that run other subgraphs and take a dynamic size from there.
        lent: results of such ops that nobody reads, which get no memory.
    """
    homes = [_at_first(tensor) for tensor in graph.tensors]
    for index in borrowed:
        homes[index] = "elsewhere"
    known = {tensor.index for tensor in graph.tensors if tensor.is_stored}
    cuts: list[int] = []
    for op in graph.ops:
        home: Home | None = "heap" if op.index in dynamic_ops else _result(graph, op, known)
        # Beyond a cut the plan is made before the loop says that it needs no memory for what it lends.
        spared: Home = "arena" if cuts else "elsewhere"
        for index in op.outputs:
            homes[index] = spared if index in lent else home or homes[index]
        if home == "heap" and op.index not in dynamic_ops and _is_computed_at_once(op, known):
            known.update(op.outputs)
        elif home == "heap" or _waits_for_shape(op, known):
            cuts.append(op.index)
    return Homes(tuple(homes), tuple(cuts), bool(cuts))


def _at_first(tensor: Tensor) -> Home:
    if tensor.is_stored:
        return "elsewhere"
    if tensor.dtype in _OPAQUE:
        return "heap"
    return "persistent" if tensor.is_variable else "arena"


def _result(graph: Subgraph, op: Op, known: Collection[int]) -> Home | None:
    """Another home than the arena, if the op gives its results one."""
    first = graph.tensors[op.inputs[0]] if op.inputs and op.inputs[0] >= 0 else None
    if op.name in _KEPT_IF_CONSTANT and first is not None and first.is_stored:
        return "persistent"
    if _is_computed_at_once(op, known) or op.name in _ALWAYS_DYNAMIC:
        return "heap"
    if op.name == "READ_VARIABLE":
        return None if graph.tensors[op.outputs[0]].shape else "heap"
    sizes = [op.inputs[place] for place in SIZED_BY.get(op.name, ()) if place < len(op.inputs)]
    open_input = op.name in _NEEDS_FIXED_INPUT and first is not None and -1 in first.shape_signature
    return "heap" if open_input or any(index not in known for index in sizes) else None


def _is_computed_at_once(op: Op, known: Collection[int]) -> bool:
    folded = op.name in _FOLDED and all(index in known for index in op.inputs if index >= 0)
    return folded or op.name in _KNOWN_AT_ONCE


def _waits_for_shape(op: Op, known: Collection[int]) -> bool:
    """``reshape.cc``: its result has a place, but no shape yet."""
    return op.name == "RESHAPE" and len(op.inputs) > 1 and op.inputs[1] not in known
