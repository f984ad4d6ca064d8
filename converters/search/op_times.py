"""Times of ops one by one, float and int8, and of what turns one into the other: measured on this machine's CPU.

Each op is run alone in a file of its own, by the engine and with XNNPACK as in the whole. What a run costs besides, as
a file with nothing to do shows, is taken off. Sums are then held against the whole files: see ``pricing.py``. Runs in
a worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import Op, Subgraph, read_artifact
from edge_sdk.converters.proving.alone import conversion, each_us, run_us

_SMALL, _LARGE = 1, 1 << 18
_ROUNDS = 2
"""Times that each is measured; the least counts, for other work only adds."""


def op_times(lowered: str, quantized: str, folder: str) -> dict[str, Any]:
    """Microseconds of a run.

    Args:
        lowered: the float file.
        quantized: the int8 file made from it.
        folder: to work in.

    Returns:
        ``float`` and ``int8``, by the name of each op's first result; ``up`` and ``down``, microseconds for each value
        that is made real or rounded.
    """
    work = Path(folder)
    work.mkdir(parents=True, exist_ok=True)
    nothing = min(run_us(conversion(_SMALL, down=True), work) for _ in range(_ROUNDS))
    rates = {
        name: max(0.0, run_us(conversion(_LARGE, down=down), work) - nothing) / _LARGE
        for name, down in (("up", False), ("down", True))
    }
    # In turn, for a machine that is busy for a while is so for both.
    found: dict[str, dict[str, float]] = {"float": {}, "int8": {}}
    for _ in range(_ROUNDS):
        for kind, path in (("float", lowered), ("int8", quantized)):
            for name, taken in _times(path, work, nothing):
                found[kind][name] = min(taken, found[kind].get(name, taken))
    return {**found, **rates}


def _times(path: str, work: Path, nothing: float) -> Iterator[tuple[str, float]]:
    artifact = read_artifact(path)
    graph = artifact.main
    ops = [op for op in graph.ops if op.name not in ("QUANTIZE", "DEQUANTIZE") and op.outputs]
    for op, taken in each_us(path, ops, work):
        yield called(graph, op), max(0.0, taken - nothing)


def called(graph: Subgraph, op: Op) -> str:
    """The name that the float file has for an op's first result: a quantizer gives an output's to its DEQUANTIZE."""
    index = op.outputs[0]
    readers = [other for other in graph.ops if other.name == "DEQUANTIZE" and index in other.inputs]
    ends = [other for other in readers if other.outputs[0] in graph.outputs]
    return graph.tensors[ends[0].outputs[0] if ends else index].name
