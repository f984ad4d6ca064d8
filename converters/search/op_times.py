"""Times of ops one by one, float and int8, and of what turns one into the other: measured on this machine's CPU.

Each op is run alone in a file of its own, by the engine and with XNNPACK as in the whole. What a run costs besides, as
a file with nothing to do shows, is taken off. Sums are then held against the whole files: see ``pricing.py``. Runs in
a worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.apart import single_ops
from edge_sdk.artifact.edit import add_operator_code, new_operator
from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.model import Op, Subgraph, read_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import ModelError

_SECONDS = 0.02
_SMALL, _LARGE = 1, 1 << 18
_FLOAT32, _INT8 = 0, 9


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
    nothing = _time(_conversion(_SMALL, down=True), work)
    rates = {
        name: max(0.0, _time(_conversion(_LARGE, down=down), work) - nothing) / _LARGE
        for name, down in (("up", False), ("down", True))
    }
    return {
        "float": dict(_times(lowered, work, nothing)),
        "int8": dict(_times(quantized, work, nothing)),
        **rates,
    }


def _times(path: str, work: Path, nothing: float) -> Iterator[tuple[str, float]]:
    artifact = read_artifact(path)
    graph = artifact.main
    ops = [op for op in graph.ops if op.name not in ("QUANTIZE", "DEQUANTIZE") and op.outputs]
    for op, data in single_ops(Path(path).read_bytes(), ops):
        try:
            yield called(graph, op), max(0.0, _time(data, work) - nothing)
        except ModelError:
            # Alone it cannot be opened, as a custom op or one with state: its time stays unknown.
            continue


def called(graph: Subgraph, op: Op) -> str:
    """The name that the float file has for an op's first result: a quantizer gives an output's to its DEQUANTIZE."""
    index = op.outputs[0]
    readers = [other for other in graph.ops if other.name == "DEQUANTIZE" and index in other.inputs]
    ends = [other for other in readers if other.outputs[0] in graph.outputs]
    return graph.tensors[ends[0].outputs[0] if ends else index].name


def _time(data: bytes, work: Path) -> float:
    path = work / "op.tflite"
    path.write_bytes(data)
    runner = Runner(path)
    runner.run({spec.name: np.zeros(spec.static_shape, spec.dtype) for spec in runner.inputs})
    return _median_us(runner.invoke)


def _median_us(run: Callable[[], object]) -> float:
    for _ in range(3):
        run()
    taken: list[int] = []
    deadline = time.perf_counter_ns() + _SECONDS * 1e9
    while len(taken) < 9 or time.perf_counter_ns() < deadline:
        begin = time.perf_counter_ns()
        run()
        taken.append(time.perf_counter_ns() - begin)
    return float(np.median(taken)) / 1e3


def _conversion(values: int, *, down: bool) -> bytes:
    """A file of one QUANTIZE (down) or DEQUANTIZE."""
    facts = schema()
    ends = [(_FLOAT32, "real"), (_INT8, "stored")]
    scale = new_node(facts, "QuantizationParameters", scale=[0.1], zero_point=[0])
    tensors = [
        new_node(facts, "Tensor", name=name, shape=np.array([1, values], np.int32), type=kind, has_rank=True)
        for kind, name in (ends if down else ends[::-1])
    ]
    tensors[1 if down else 0].quantization = scale
    graph = new_node(facts, "SubGraph", tensors=tensors, inputs=[0], outputs=[1], operators=[], name="main")
    root = new_node(facts, "Model", version=3, operator_codes=[], subgraphs=[graph])
    root.buffers = [new_node(facts, "Buffer")]
    name, options = ("QUANTIZE", "QuantizeOptions") if down else ("DEQUANTIZE", "DequantizeOptions")
    graph.operators = [new_operator(add_operator_code(root, name, 1), [0], [1], options)]
    return pack_tree(root)
