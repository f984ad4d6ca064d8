"""Factors and shifts of channels, moved to where each part of a tensor still has a range of its own.

Before: ``MUL(CONCATENATION(a, b), k) -> ADD(.., c)``, a batch norm of joined parts. The join has one int8 scale, that
of the widest part, and the norm then magnifies what is left of the others. After: ``CONCATENATION(a * ka + ca, b * kb +
cb)``: each part is brought to the common size before it shares a scale. Of rows looked up in a constant table the
table itself is scaled, and nothing is computed: ``ADD(MUL(GATHER(table, i), k), c)`` is ``GATHER(table * k + c, i)``.

The same in real numbers, for joins and lookups that nothing else reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.forms.norms import is_clipped

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Affine:
    """A MUL or ADD with a constant, which is spread over the rank of what it scales."""

    op: Op
    values: Floats


def before_joins(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Moves factors and shifts before joins.

    Args:
        graph: the float graph.
        kept: indices of ops that must stay as they are.
        edit: takes the changes.

    Returns:
        How many joins were changed.
    """
    mover = _Mover(graph, kept, edit)
    return sum(mover.apply(op) for op in graph.ops if op.name == "CONCATENATION" and op.index not in kept)


def into_tables(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Moves factors and shifts into tables that rows are looked up in; as :func:`before_joins`."""
    mover = _Mover(graph, kept, edit)
    return sum(mover.apply(op) for op in graph.ops if op.name == "GATHER" and op.index not in kept)


class _Mover:
    def __init__(self, graph: Subgraph, kept: set[int], edit: GraphEdit) -> None:
        self._graph = graph
        self._kept = kept
        self._edit = edit

    def apply(self, op: Op) -> bool:
        """Changes what follows a join or a lookup; says whether there was something."""
        if is_clipped(op) or self._graph.tensors[op.outputs[0]].dtype != "float32":
            return False
        behind = self._behind(op.outputs[0])
        if op.name == "GATHER":
            behind = behind if behind and self._is_lookup(op, behind) else []
        elif not any(one.values.shape[self._axis(op)] > 1 for one in behind):
            behind = []
        if not behind:
            return False
        read = self._scaled_table(op, behind) if op.name == "GATHER" else self._scaled_parts(op, behind)
        self._edit.read(op.index, read)
        self._edit.write(op.index, behind[-1].op.outputs)
        for one in behind:
            self._edit.remove(one.op.index)
        return True

    def _behind(self, index: int) -> list[_Affine]:
        """MUL and ADD with constants, one after the other, each the only reader of what it reads."""
        found: list[_Affine] = []
        while index not in self._graph.outputs and len(readers := self._graph.readers.get(index, ())) == 1:
            one = self._affine(readers[0], index)
            if one is None:
                break
            found.append(one)
            index = one.op.outputs[0]
        return found

    def _affine(self, op: Op, index: int) -> _Affine | None:
        if op.name not in ("MUL", "ADD") or op.index in self._kept or is_clipped(op) or len(op.inputs) != 2:
            return None
        other = self._graph.tensors[op.inputs[1] if op.inputs[0] == index else op.inputs[0]]
        source = self._graph.tensors[index]
        if other.constant is None or other.dtype != "float32" or len(other.shape) > len(source.shape):
            return None
        values = other.values().reshape((1,) * (len(source.shape) - len(other.shape)) + tuple(other.shape))
        fits = all(size in (1, whole) for size, whole in zip(values.shape, source.shape, strict=True))
        return _Affine(op, values) if fits else None

    def _axis(self, join: Op) -> int:
        return int(join.options.get("axis") or 0) % len(self._graph.tensors[join.outputs[0]].shape)

    def _scaled_parts(self, join: Op, behind: list[_Affine]) -> list[int]:
        axis, begin = self._axis(join), 0
        parts: list[int] = []
        for index in join.inputs:
            end = begin + self._graph.tensors[index].shape[axis]
            part = index
            for place, one in enumerate(behind):
                spread = one.values.shape[axis] > 1
                values = np.take(one.values, range(begin, end), axis) if spread else one.values
                name = f"{self._graph.tensors[one.op.outputs[0]].name}_{len(parts)}_{place}"
                constant = self._edit.add_constant(np.ascontiguousarray(values), f"{name}_by")
                made = self._edit.add_tensor(index, name)
                self._edit.put_before(join.index, one.op.name, [part, constant], [made])
                part = made
            parts.append(part)
            begin = end
        return parts

    def _is_lookup(self, op: Op, behind: list[_Affine]) -> bool:
        """Whether rows of a constant are looked up, and all that follows is the same for each."""
        table = self._graph.tensors[op.inputs[0]]
        rows = not op.options.get("axis") and not op.options.get("batch_dims")
        same = all(one.values.size == one.values.shape[-1] for one in behind)
        return rows and same and table.constant is not None and table.dtype == "float32" and len(table.shape) == 2

    def _scaled_table(self, op: Op, behind: list[_Affine]) -> list[int]:
        table = self._graph.tensors[op.inputs[0]]
        values = table.values().copy()
        for one in behind:
            row = one.values.reshape(1, -1)
            values = values * row if one.op.name == "MUL" else values + row
        name = f"{self._graph.tensors[behind[-1].op.outputs[0]].name}_table"
        return [self._edit.add_constant(values.astype(np.float32), name), op.inputs[1]]
