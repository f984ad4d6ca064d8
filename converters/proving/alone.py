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

_SECONDS, _TURN_SECONDS = 0.02, 0.01
_FEWEST_ROUNDS = 9
_AT_ONCE = 1 << 29
"""Bytes of ops that are open at a time."""
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


def each_in_turn_us(path: str, ops: list[Op], folder: Path) -> dict[int, float]:
    """Microseconds by op, less what a run of a file with nothing to do costs; one that does not open alone is left out.

    Ops are run one after the other, round after round, so that each finds the caches as the whole file leaves them: run
    by itself an op has its weights in the nearest one. EfficientNetB0's float ops (16 MB) take 0.20 ms so in sum, and
    0.31 in the file; in turn 0.60, for a call's own code is cold as well. Larger than ``_AT_ONCE``: in parts.
    """
    found: dict[int, float] = {}
    lot: dict[int, Runner] = {}
    held = 0
    for op, data in single_ops(Path(path).read_bytes(), ops):
        if held + len(data) > _AT_ONCE:
            found |= _rounds_us(lot, folder)
            lot, held = {}, 0
        try:
            lot[op.index], held = _opened(data, folder / f"{op.index}.tflite"), held + len(data)
        except ModelError:
            continue
    return found | _rounds_us(lot, folder)


def _rounds_us(runners: dict[int, Runner], folder: Path) -> dict[int, float]:
    nothing = -1
    every = {**runners, nothing: _opened(conversion(1, down=True), folder / "nothing.tflite")}
    taken: dict[int, list[int]] = {index: [] for index in every}
    deadline = time.perf_counter_ns() + _TURN_SECONDS * len(every) * 1e9
    while len(taken[nothing]) < _FEWEST_ROUNDS or time.perf_counter_ns() < deadline:
        for index, runner in every.items():
            begin = time.perf_counter_ns()
            runner.invoke()
            taken[index].append(time.perf_counter_ns() - begin)
    # Other work only adds: the lower quartile is nearer to a quiet machine's median than the median here.
    us = {index: float(np.quantile(ns, 0.25)) / 1e3 for index, ns in taken.items()}
    return {index: max(0.0, us[index] - us[nothing]) for index in runners}


def run_us(data: bytes, folder: Path) -> float:
    """Median microseconds of a run of a file, on zeros."""
    return _median_us(_opened(data, folder / "op.tflite").invoke)


def _opened(data: bytes, path: Path) -> Runner:
    """A file with zeros in its inputs, run once."""
    path.write_bytes(data)
    runner = Runner(path)
    runner.run({spec.name: np.zeros(spec.static_shape, spec.dtype) for spec in runner.inputs})
    return runner


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


def conversion(values: int, *, down: bool, copies: int = 1) -> bytes:
    """A file of QUANTIZE (down) or DEQUANTIZE, so many side by side."""
    facts = schema()
    ends = [(_FLOAT32, "real"), (_INT8, "stored")]
    scale = new_node(facts, "QuantizationParameters", scale=[0.1], zero_point=[0])
    tensors = [
        new_node(
            facts, "Tensor", name=f"{name}_{copy}", shape=np.array([1, values], np.int32), type=kind, has_rank=True
        )
        for copy in range(copies)
        for kind, name in (ends if down else ends[::-1])
    ]
    for tensor in tensors[1 if down else 0 :: 2]:
        tensor.quantization = scale
    firsts, seconds = list(range(0, 2 * copies, 2)), list(range(1, 2 * copies, 2))
    graph = new_node(facts, "SubGraph", tensors=tensors, inputs=firsts, outputs=seconds, operators=[], name="main")
    root = new_node(facts, "Model", version=3, operator_codes=[], subgraphs=[graph])
    root.buffers = [new_node(facts, "Buffer")]
    name, options = ("QUANTIZE", "QuantizeOptions") if down else ("DEQUANTIZE", "DequantizeOptions")
    code = add_operator_code(root, name, 1)
    graph.operators = [new_operator(code, [one], [other], options) for one, other in zip(firsts, seconds, strict=True)]
    return pack_tree(root)
