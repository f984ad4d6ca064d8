"""Ops timed one by one, each in a file of its own, with XNNPACK as in the whole: measured on this machine's CPU.

What an op takes inside the graph differs: the delegate keeps values in its own layout between ops. Runs in a worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from edge_sdk.artifact.apart import has_twin, single_ops
from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.edit import add_operator_code, new_operator
from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.model import Op, read_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import ModelError

_SECONDS = 0.02
_FLOAT32, _INT8 = 0, 9
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")


def times_alone(path: str, folder: Path, most: int) -> dict[int, float]:
    """Microseconds of a run by op of the main subgraph, less what a run costs of a file with nothing to do.

    Args:
        path: the file.
        folder: to work in.
        most: so many ops, those with the most multiply-accumulates; the time of others stays unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = read_artifact(path).main
    able = [op for op in graph.ops if op.name in _BETWEEN or has_twin(graph, op)]
    costly = sorted(able, key=lambda op: -macs(graph, op))[:most]
    nothing = run_us(conversion(1, down=True), folder)
    found = {op.index: max(0.0, taken - nothing) for op, taken in each_us(path, costly, folder)}
    return dict(sorted(found.items()))


def each_us(path: str, ops: list[Op], folder: Path) -> Iterator[tuple[Op, float]]:
    """Ops with their time; one that the engine does not open alone, as a custom op, is passed over: unknown."""
    for op, data in single_ops(Path(path).read_bytes(), ops):
        try:
            yield op, run_us(data, folder)
        except ModelError:
            continue


def run_us(data: bytes, folder: Path) -> float:
    """Median microseconds of a run of a file, on zeros."""
    path = folder / "op.tflite"
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


def conversion(values: int, *, down: bool) -> bytes:
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
