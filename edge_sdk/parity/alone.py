"""What the rounding of one result, or of one module's, costs at the outputs when all else stays in float.

Before: the float file. After: the same, but of one op the constants are what the quantized file's stand for, and its
result goes through ``QUANTIZE -> DEQUANTIZE`` with the scale that it has there. The outputs' SQNR against the float
file's own is what this op costs by itself: emulated, since the op is computed in float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit, real_values
from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.runner import Runner
from edge_sdk.parity.pairing import OpPair, pair_ops
from edge_sdk.signature import Arrays

_STORED = ("int8", "uint8", "int16")
BEST_DB = 100.0
"""Stands for equal outputs."""


@dataclass(frozen=True)
class Rounding:
    """A pair of ops, and what is rounded of the float file's.

    Attributes:
        pair: the op in both files.
        stored: the quantized result's tensor; None where the quantized file has it in float.
    """

    pair: OpPair
    stored: Tensor | None


def roundings(reference: Artifact, candidate: Artifact) -> dict[int, Rounding]:
    """By the candidate's op: those of which the candidate rounds a constant or the result."""
    found = {}
    rounded = {op.inputs[0]: op.outputs[0] for op in candidate.main.ops if op.name == "QUANTIZE"}
    for pair in pair_ops(reference, candidate):
        stored = _stored(candidate.main, pair, rounded)
        rounds = any(True for _ in _constants(reference.main, candidate.main, pair))
        if stored is not None or rounds:
            found[pair.candidate.index] = Rounding(pair, stored)
    return found


def losses_alone(
    reference: bytes,
    candidate: bytes,
    groups: Iterable[Sequence[Rounding]],
    samples: Callable[[], Iterable[Arrays]],
    folder: Path,
    *,
    threads: int = 1,
) -> Iterator[float]:
    """The outputs' SQNR in dB, the worst of them, for each group when it alone is rounded; 100 where nothing changes.

    Args:
        reference: the float file.
        candidate: the file made from it.
        groups: of :func:`roundings`.
        samples: a few inputs by name; called for each group.
        folder: to work in.
        threads: CPU threads.

    Raises:
        ModelError: the engine refuses a file.
    """
    files = parse_artifact(reference).main, parse_artifact(candidate).main
    wanted = list(_outputs(reference, samples(), folder, threads))
    for group in groups:
        made = _rounded(reference, files, group)
        yield _sqnr_db(wanted, _outputs(made, samples(), folder, threads))


def _outputs(data: bytes, samples: Iterable[Arrays], folder: Path, threads: int) -> Iterator[Arrays]:
    path = folder / "alone.tflite"
    path.write_bytes(data)
    runner = Runner(path, threads=threads)
    return (runner.run(sample) for sample in samples)


def _sqnr_db(wanted: Sequence[Arrays], got: Iterable[Arrays]) -> float:
    power: dict[str, float] = {}
    noise: dict[str, float] = {}
    for one, other in zip(wanted, got, strict=True):
        for name, values in one.items():
            wide = values.astype(np.float64)
            kept = np.isfinite(wide)
            power[name] = power.get(name, 0.0) + float(np.sum(wide[kept] ** 2))
            noise[name] = noise.get(name, 0.0) + float(np.sum((wide[kept] - other[name][kept]) ** 2))
    levels = [10 * np.log10(power[name] / noise[name]) for name in power if power[name] and noise[name]]
    return float(min([BEST_DB, *levels]))


def _rounded(reference: bytes, graphs: tuple[Subgraph, Subgraph], group: Sequence[Rounding]) -> bytes:
    root, _ = parse_tree(reference)
    constants, edit = ConstantEdit(root), GraphEdit(root)
    own: dict[tuple[int, int], int] = {}
    for one in group:
        for place, values in _constants(*graphs, one.pair):
            own[one.pair.reference.index, place] = constants.own(one.pair.reference.index, place)
            constants.set_values(own[one.pair.reference.index, place], values)
    for one in group:
        if one.stored is not None:
            _round_result(root, edit, one.pair.reference.index, one.pair.reference.outputs[0], one.stored)
    edit.finish()
    return pack_tree(root)


def _round_result(root: Node, edit: GraphEdit, op: int, result: int, stored: Tensor) -> None:
    """Readers go on reading ``result``, which is now what the integers stand for."""
    known = stored.quantization
    exact = edit.add_tensor(result, "exact")
    integers = edit.add_tensor(result, "integers", stored.dtype)
    if known is not None:
        root.subgraphs[0].tensors[integers].quantization = new_node(
            schema(), "QuantizationParameters", scale=list(known.scale), zero_point=list(known.zero_point)
        )
    edit.write(op, [exact])
    edit.put_after(op, "QUANTIZE", [exact], [integers])
    edit.put_after(op, "DEQUANTIZE", [integers], [result])


def _stored(graph: Subgraph, pair: OpPair, rounded: Mapping[int, int]) -> Tensor | None:
    if len(pair.reference.outputs) != 1 or len(pair.candidate.outputs) != 1:
        return None
    tensor = graph.tensors[pair.candidate.outputs[0]]
    # An op in float between integers is rounded by the QUANTIZE behind it.
    if tensor.quantization is None and tensor.index in rounded:
        tensor = graph.tensors[rounded[tensor.index]]
    known = tensor.quantization
    return tensor if known is not None and not known.per_channel and tensor.dtype in _STORED else None


def _constants(reference: Subgraph, candidate: Subgraph, pair: OpPair) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Places of the float op's constants that the candidate rounds, and what its own stand for."""
    for place, (one, other) in enumerate(zip(pair.reference.inputs, pair.candidate.inputs, strict=False)):
        if one < 0 or other < 0:
            continue
        exact, stored = reference.tensors[one], candidate.tensors[other]
        if exact.constant is None or stored.constant is None or exact.dtype != "float32":
            continue
        if stored.quantization is not None and exact.elements == stored.elements:
            yield place, real_values(stored).reshape(exact.shape)


def module_of(name: str) -> str:
    """The source's module or node that a result comes from, by its name in the file.

    Our own lowering names the last result of a module after it and the others ``module/op``; TensorFlow joins the
    names of fused ops with ``;``, each ``module/Op``.
    """
    last = name.split(";", maxsplit=1)[0]
    head, separator, tail = last.rpartition("/")
    return head if separator and tail else last


def by_module(names: Mapping[int, str]) -> dict[str, list[int]]:
    """Ops by the module that the name of their result tells."""
    found: dict[str, list[int]] = {}
    for index, name in names.items():
        found.setdefault(module_of(name), []).append(index)
    return found
