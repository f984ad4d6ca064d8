"""Some ops of an integer file written in float, between a DEQUANTIZE and a QUANTIZE where integers are read or wanted.

Before: ``QUANTIZE -> CONV_2D -> CONV_2D``, all int8. After, of the first two: ``CONV_2D -> QUANTIZE -> CONV_2D``, the
first with the float file's own constants. Scales and results that stay keep their names and numbers. A QUANTIZE among
the chosen is no op in float: what reads it there reads what it reads, not rounded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import CONVERT_OPS
from edge_sdk.artifact.constants import real_values
from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import result_name
from edge_sdk.parity.pairing import pair_ops

EIGHT_BITS = frozenset({"int8", "uint8"})
_STORED = EIGHT_BITS | {"int4", "int32"}


def in_float(data: bytes, chosen: Collection[int], reference: bytes | None = None) -> bytes:
    """A copy in which some ops of the main subgraph compute in float.

    Args:
        data: the integer file.
        chosen: their indices, DEQUANTIZE not among them.
        reference: the float file that it was made from, whose constants, never rounded, an op in float gets; without it
            they are what the integers stand for.
    """
    if not chosen:
        return data
    artifact = parse_artifact(data)
    exact = {} if reference is None else _exact(parse_artifact(reference), artifact)
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    _Writer(artifact.main, chosen, edit, exact).write()
    edit.finish()
    return pack_tree(root)


def newly_float(before: Subgraph, after: Subgraph) -> list[tuple[str, str]]:
    """Type and name of the result of each op that computes in float in one graph, and not in the other."""
    were = {result_name(before, op) for op in before.ops if _floats(before, op)}
    names = [(op.name, result_name(after, op)) for op in after.ops if _floats(after, op)]
    return [(kind, name) for kind, name in names if name not in were]


def _floats(graph: Subgraph, op: Op) -> bool:
    return op.name not in CONVERT_OPS and any(tensor.dtype == "float32" for tensor in graph.results(op))


def _exact(reference: Artifact, artifact: Artifact) -> dict[int, npt.NDArray[np.float32]]:
    """Constant of the file to what the float file has in its place, in the file's shape."""
    found = {}
    for pair in pair_ops(reference, artifact):
        for one, other in zip(pair.reference.inputs, pair.candidate.inputs, strict=False):
            if one < 0 or other < 0:
                continue
            left, right = reference.main.tensors[one], artifact.main.tensors[other]
            stored = left.constant is not None and right.constant is not None
            if stored and left.dtype == "float32" and left.elements == right.elements:
                found[other] = left.values().reshape(right.shape)
    return found


class _Writer:
    """Writes the chosen ops of one graph in float."""

    def __init__(self, graph: Subgraph, chosen: Collection[int], edit: GraphEdit, exact: Mapping[int, Any]) -> None:
        self._graph = graph
        self._exact = exact
        self._edit = edit
        self._chosen = chosen
        self._ops = [graph.ops[index] for index in sorted(chosen)]
        self._floats: dict[int, int] = {}

    def write(self) -> None:
        for op in self._ops:
            if op.name == "QUANTIZE":
                self._pass(op)
                continue
            self._edit.read(op.index, [self._operand(op, index) for index in op.inputs])
            self._edit.write(op.index, [self._result(op, index) for index in op.outputs])

    def _pass(self, op: Op) -> None:
        """A QUANTIZE: what is not chosen, and reads its result, reads it still."""
        (result,) = op.outputs
        self._floats[result] = made = self._operand(op, op.inputs[0])
        if result in self._graph.outputs or any(other.index not in self._chosen for other in self._readers(result)):
            self._edit.put_after(op.index, "QUANTIZE", [made], [result])
        self._edit.remove(op.index)

    def _readers(self, index: int) -> list[Op]:
        return [other for other in self._graph.ops if index in other.inputs]

    def _operand(self, reader: Op, index: int) -> int:
        """The float tensor that stands for one; ops come in order, so that a result is known when it is read."""
        if index < 0 or not _is_rounded(self._graph.tensors[index]):
            return index
        if index not in self._floats:
            self._floats[index] = self._converted(reader, self._graph.tensors[index])
        return self._floats[index]

    def _converted(self, reader: Op, tensor: Tensor) -> int:
        name = f"{tensor.name}_float"
        if tensor.constant is not None:
            exact = self._exact.get(tensor.index)
            return self._edit.add_constant(real_values(tensor) if exact is None else exact, name)
        made = self._edit.add_tensor(tensor.index, name, "float32")
        self._edit.put_before(reader.index, "DEQUANTIZE", [tensor.index], [made])
        return made

    def _result(self, op: Op, index: int) -> int:
        if not _is_rounded(self._graph.tensors[index]):
            return index
        readers = [other for other in self._readers(index) if other.index not in self._chosen]
        back = next((other for other in readers if other.name == "DEQUANTIZE"), None)
        if back is None:
            made = self._edit.add_tensor(index, f"{self._graph.tensors[index].name}_float", "float32")
        else:
            made = back.outputs[0]
            self._edit.remove(back.index)
        if index in self._graph.outputs or any(other is not back for other in readers):
            self._edit.put_after(op.index, "QUANTIZE", [made], [index])
        self._floats[index] = made
        return made


def _is_rounded(tensor: Tensor) -> bool:
    """Whether a tensor has integers that stand for real values: int32 are biases, or count and index."""
    constant = tensor.constant is not None
    return tensor.quantization is not None and tensor.dtype in (_STORED if constant else EIGHT_BITS)
