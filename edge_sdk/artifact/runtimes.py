"""Which runtimes can load a file: op versions against what each runtime was measured to accept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from edge_sdk.artifact.model import Artifact, Op, Subgraph

# The version that brought a type of the first input, where a runtime of the table has not got so far: a file may state
# less, and its kernel then refuses the type (tried with tflite-runtime 2.14.0).
_BROUGHT = {("LOG", "int8"): 2, ("LOG", "int16"): 2, ("RSQRT", "int16"): 3}


# Likewise of weights in 4 bits, by op and whether its operand is float.
_FOUR_BITS = {
    ("DEQUANTIZE", True): 6,
    ("CONV_2D", True): 8,
    ("FULLY_CONNECTED", False): 11,
}


@dataclass(frozen=True)
class RuntimeNeed:
    """The oldest measured runtime that has every op at the version the file uses.

    ``runtime`` is None where not even the newest has them; ``because`` lists the ``(op, version)`` pairs that the
    runtime before it lacks (or, with None, that the newest lacks).
    """

    runtime: str | None
    because: tuple[tuple[str, int], ...]


@cache
def _measured() -> tuple[tuple[str, ...], dict[str, list[int]], dict[str, int]]:
    text = resources.files(__package__).joinpath("op_versions.json").read_text(encoding="utf-8")
    facts = json.loads(text)
    return tuple(facts["runtimes"]), facts["highest_version"], facts["lowest_version"]


def measured_runtimes() -> tuple[str, ...]:
    """The runtimes in the table, oldest first."""
    return _measured()[0]


def missing_ops(artifact: Artifact, runtime: str) -> tuple[tuple[str, int], ...]:
    """The ``(op, version)`` pairs of the file for which the runtime has no kernel; custom ops always count.

    Where a type needs a later version than the file states, it is that one.
    """
    runtimes, highest, lowest = _measured()
    column = runtimes.index(runtime)
    used = sorted({(op.name, _needed(graph, op)) for graph, op in artifact.all_ops()})
    known = ((name, v, highest.get(name, [0] * len(runtimes))[column]) for name, v in used)
    return tuple((name, v) for name, v, last in known if not lowest.get(name, 1) <= v <= last)


def _needed(graph: Subgraph, op: Op) -> int:
    first = graph.tensors[op.inputs[0]].dtype if op.inputs and op.inputs[0] >= 0 else ""
    return max(op.version, _BROUGHT.get((op.name, first), 1), _by_weights(graph, op))


def _by_weights(graph: Subgraph, op: Op) -> int:
    """The version that brought weights of such bits and scales, where a quantizer states 1.

    Older kernels compute zeros or NaN from them, or refuse them: tried with tflite-runtime 2.14.0 and ai-edge-litert
    2.0.3 (benchmarks/README.md).
    """
    place = 0 if op.name == "DEQUANTIZE" else 1
    stored = graph.tensors[op.inputs[place]] if len(op.inputs) > place and op.inputs[place] >= 0 else None
    if stored is None or not stored.is_stored:
        return 1
    if op.name == "EMBEDDING_LOOKUP":
        by_row = stored.quantization is not None and stored.quantization.per_channel
        return 4 if stored.dtype == "int4" or by_row else 1
    if stored.dtype != "int4":
        return 1
    if op.name == "FULLY_CONNECTED" and stored.blockwise:
        return 14
    is_float = graph.tensors[op.inputs[0]].dtype == "float32"
    return _FOUR_BITS.get((op.name, is_float or place == 0), 1)


def runtime_need(artifact: Artifact) -> RuntimeNeed:
    """The oldest runtime that can load the file, and what rules out the one before it."""
    lacking: tuple[tuple[str, int], ...] = ()
    for runtime in measured_runtimes():
        missing = missing_ops(artifact, runtime)
        if not missing:
            return RuntimeNeed(runtime, lacking)
        lacking = missing
    return RuntimeNeed(None, lacking)
