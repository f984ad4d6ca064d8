"""Single changes that may be tried on a graph for one delegate, and what each would take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from edge_sdk.artifact.compute import compute_type, macs
from edge_sdk.artifact.model import Subgraph
from edge_sdk.checks.advice.requantizing import floated, quantized, with_weights_per_tensor
from edge_sdk.checks.advice.rewriting import renamed, sliced, with_batch_of_one, without, without_conversions
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.profile.records import Delegate

_FLOAT_TYPES = frozenset({"float32", "float16", "hybrid_int8"})
CONVERT, EDIT, TRAIN = "convert again", "change the source, convert again", "change the source, train again"
FOLLOWS = frozenset({"partition-not-kept", "partition-too-small", "after-cut", "partly-taken", "feeds-refused-op"})
"""Rules by which an op is refused for what stands beside it, not for its own sake."""
_COST = {CONVERT: 1, EDIT: 2, TRAIN: 3}


@dataclass(frozen=True)
class Change:
    """``words`` say what to do; ``apply`` gives the graph after it, None where it cannot be done."""

    words: str
    needs: str
    apply: Callable[[Subgraph], Subgraph | None]

    @property
    def cost(self) -> int:
        """1 for a conversion, 2 for an edit that keeps the numbers, 3 for one that asks for training."""
        return _COST[self.needs]


@dataclass(frozen=True)
class Substitute:
    """An op that may stand for another.

    Attributes:
        name: its type.
        needs: what it takes; :data:`EDIT` where it computes the same.
        places: of the inputs that it reads, None for all.
        options: fields to set.
        how: what to add in words.
    """

    name: str
    needs: str = TRAIN
    places: tuple[int, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    how: str = ""


_PLAIN_RESIZE = MappingProxyType({"align_corners": False, "half_pixel_centers": False})
_PLAINLY = " without align_corners and half_pixel_centers"
SUBSTITUTES: Mapping[str, tuple[Substitute, ...]] = MappingProxyType(
    {
        "HARD_SWISH": (Substitute("RELU6"), Substitute("RELU")),
        "GELU": (Substitute("RELU"),),
        "ELU": (Substitute("RELU"),),
        "LEAKY_RELU": (Substitute("RELU"),),
        "PRELU": (Substitute("LEAKY_RELU", places=(0,), options={"alpha": 0.1}), Substitute("RELU", places=(0,))),
        "RELU_N1_TO_1": (Substitute("RELU6"),),
        "RELU_0_TO_1": (Substitute("RELU6", EDIT, how=" of six times the value, over six"),),
        "TANH": (Substitute("LOGISTIC"),),
        "LOG_SOFTMAX": (Substitute("SOFTMAX", EDIT, options={"beta": 1.0}, how=" and the logarithm in the app"),),
        "SQUEEZE": (Substitute("RESHAPE", EDIT, places=(0,)),),
        "EXPAND_DIMS": (Substitute("RESHAPE", EDIT, places=(0,)),),
        "PADV2": (Substitute("PAD", places=(0, 1)),),
        "MIRROR_PAD": (Substitute("PAD", places=(0, 1)),),
        "SQUARE": (Substitute("MUL", EDIT, places=(0, 0), how=" by itself"),),
        "POW": (Substitute("MUL", EDIT, places=(0, 0), how=", repeated, where the exponent is whole"),),
        "DIV": (Substitute("MUL", EDIT, how=" by the reciprocal, where the divisor is constant"),),
        "SQUARED_DIFFERENCE": (Substitute("SUB", EDIT, how=" and MUL by itself"),),
        "SUM": (Substitute("MEAN", EDIT, how=" times the count"),),
        "BATCH_MATMUL": (Substitute("FULLY_CONNECTED", EDIT, how=", where the second factor is constant"),),
        "RESIZE_BILINEAR": (
            Substitute("RESIZE_BILINEAR", options=_PLAIN_RESIZE, how=_PLAINLY),
            Substitute("RESIZE_NEAREST_NEIGHBOR"),
        ),
        "RESIZE_NEAREST_NEIGHBOR": (
            Substitute("RESIZE_NEAREST_NEIGHBOR", options=_PLAIN_RESIZE, how=_PLAINLY),
            Substitute("RESIZE_BILINEAR"),
        ),
    }
)
"""Op to what is tried in its place, nearest first. Whether a delegate takes it is for its rules to say."""


def changes(graph: Subgraph, placement: Placement, delegate: Delegate) -> Iterator[Change]:
    """All changes worth trying on this graph, the cheapest first."""
    yield from _conversions(graph, delegate)
    refused: dict[str, list[int]] = {}
    for index, reason in sorted(placement.refused.items()):
        if reason.rule not in FOLLOWS:
            refused.setdefault(graph.ops[index].name, []).append(index)
    for name, indices in refused.items():
        yield from _for_op(placement, name, indices)
        if not any(macs(graph, graph.ops[index]) for index in indices):
            words = f"leave out {_counted(name, indices)}"
            yield Change(words, TRAIN, partial(without, which=tuple(indices)))


def _conversions(graph: Subgraph, delegate: Delegate) -> Iterator[Change]:
    dtypes = {t.dtype for op in graph.ops for t in graph.results(op)}
    per_channel = any(t.is_stored and t.quantization and t.quantization.per_channel for t in graph.tensors)
    floats, integers = "float32" in dtypes, bool(dtypes & {"int8", "uint8", "int16"})
    # Cells of int8 LSTMs have 16 bits too, and are results of no op.
    wide = "int16" in dtypes
    if floats and wide:
        yield Change("integer inputs and outputs (--io int16)", CONVERT, without_conversions)
    if (floats or wide) and "int8" in delegate.precision:
        whole = "quantize (static_wi8_ai8, --io int8)"
        if wide:
            whole = "int8 in place of int16 (static_wi8_ai8, --io int8)"
        elif integers and not any(compute_type(graph, op) in _FLOAT_TYPES for op in graph.ops):
            whole = "integer inputs and outputs (--io int8)"
        yield Change(whole, CONVERT, partial(quantized, per_channel=delegate.weights != "per_tensor"))
        if delegate.weights != "per_tensor":
            words = "quantize per tensor (static_wi8_ai8, --io int8, --weights per_tensor)"
            yield Change(words, CONVERT, partial(quantized, per_channel=False))
    if integers and per_channel:
        yield Change("quantize weights per tensor (--weights per_tensor)", CONVERT, with_weights_per_tensor)
    if integers and delegate.accelerator != "cpu" and "float16" in delegate.precision:
        yield Change("recipe float16", CONVERT, floated)
    if with_batch_of_one(graph) is not None:
        yield Change("batch 1 (--batch 1)", CONVERT, with_batch_of_one)


def _for_op(placement: Placement, name: str, indices: list[int]) -> Iterator[Change]:
    count = _counted(name, indices)
    for substitute in SUBSTITUTES.get(name, ()):
        target = "" if substitute.name == name else f" by {substitute.name}"
        apply = partial(_substituted, which=tuple(indices), substitute=substitute)
        yield Change(f"replace {count}{target}{substitute.how}", substitute.needs, apply)
    if name == "GATHER":
        words = f"replace {count} by SLICE and RESHAPE, where the index is one constant"
        yield Change(words, EDIT, partial(sliced, which=tuple(indices)))
    fused = [i for i in indices if placement.refused[i].message.startswith("fused_activation_function")]
    if fused:
        plain = Substitute(name, EDIT, options={"fused_activation_function": 0})
        unfused = partial(_substituted, which=tuple(fused), substitute=plain)
        yield Change(f"the activation of {count} as an op of its own", EDIT, unfused)


def _counted(name: str, indices: list[int]) -> str:
    return f"{len(indices)} {name}" if len(indices) > 1 else f"op {indices[0]} {name}"


def _substituted(graph: Subgraph, which: tuple[int, ...], substitute: Substitute) -> Subgraph | None:
    if substitute.name == "FULLY_CONNECTED":
        second = [graph.ops[i].inputs[1] for i in which if len(graph.ops[i].inputs) > 1]
        if not second or not all(index >= 0 and graph.tensors[index].is_stored for index in second):
            return None
    if substitute.places is not None and any(len(graph.ops[i].inputs) <= max(substitute.places) for i in which):
        return None
    return renamed(graph, which, substitute.name, places=substitute.places, options=substitute.options)
