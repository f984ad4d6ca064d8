"""Times of ops one by one, float and int8, and of what turns one into the other: measured on this machine's CPU.

Each op is run in a file of its own, by the engine and with XNNPACK as in the whole, and in turn with the others. What a
run costs besides, as a file with nothing to do shows, is taken off. Sums are then held against the whole files: see
``pricing.py`` and ``forecast.py``. Runs in a worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import Op, Subgraph, read_artifact
from edge_sdk.converters.proving.alone import conversion, each_in_turn_us, run_us

_COPIES, _LARGE = 32, 1 << 18
_ROUNDS = 2


def op_times(lowered: str, quantized: str, folder: str) -> dict[str, Any]:
    """Microseconds of a run.

    Args:
        lowered: the float file.
        quantized: the int8 file made from it.
        folder: to work in.

    Returns:
        ``float`` and ``int8``, by the name of each op's first result; ``up`` and ``down``, what it takes to make values
        real and to round them: of one conversion, and of each value.
    """
    work = Path(folder)
    work.mkdir(parents=True, exist_ok=True)
    # In turn, for a machine that is busy for a while is so for both; the least counts, for other work only adds.
    rounds = [(_times(lowered, work), _times(quantized, work)) for _ in range(_ROUNDS)]
    both = [{name: min(one[name] for one in those) for name in those[0]} for those in zip(*rounds, strict=True)]
    return {
        "float": both[0],
        "int8": both[1],
        **{name: _conversion_us(work, down=down) for name, down in (("up", False), ("down", True))},
    }


def _conversion_us(work: Path, *, down: bool) -> list[float]:
    """Microseconds of a conversion, and of each value in it."""
    nothing, many, large = (
        min(run_us(conversion(values, down=down, copies=copies), work) for _ in range(_ROUNDS))
        for values, copies in ((1, 1), (1, 1 + _COPIES), (_LARGE, 1))
    )
    return [max(0.0, many - nothing) / _COPIES, max(0.0, large - nothing) / _LARGE]


def _times(path: str, work: Path) -> dict[str, float]:
    graph = read_artifact(path).main
    ops = [op for op in graph.ops if op.name not in ("QUANTIZE", "DEQUANTIZE") and op.outputs]
    return {called(graph, graph.ops[op]): us for op, us in each_in_turn_us(path, ops, work).items()}


def called(graph: Subgraph, op: Op) -> str:
    """The name that the float file has for an op's first result: a quantizer gives an output's to its DEQUANTIZE."""
    index = op.outputs[0]
    readers = [other for other in graph.ops if other.name == "DEQUANTIZE" and index in other.inputs]
    ends = [other for other in readers if other.outputs[0] in graph.outputs]
    return graph.tensors[ends[0].outputs[0] if ends else index].name
