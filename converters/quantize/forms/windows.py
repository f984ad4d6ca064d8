"""Depthwise convolutions of wide windows as sums of narrow ones, for which XNNPACK has kernels.

Before: ``DEPTHWISE_CONV_2D(x, w 7x7, b)``. After: ``ADD(ADD(DEPTHWISE_CONV_2D(x, w 7x3, b), ..), ..)``. XNNPACK's
depthwise kernels take at most 25 taps (``src/configs/dwconv-config.c``); what is wider runs as a product with one
channel in each group (``select_microkernel_type`` in ``src/operators/convolution-nhwc.c``), which takes three to twenty
times as long, in integers more than in float (benchmarks/README.md, *Wide windows*).

Rows and columns of a SAME window are taken evenly about its middle (of seven: 2 to 4, 1 and 5, 0 and 6, dilated), so
that each part pads for itself and reads ``x`` as it is. Where that takes more parts, or the border is VALID, parts are
blocks that read a SLICE. The same in real numbers but for the order of sums.

In a file of integers the parts compute in float, and their sum is rounded once, as the whole was: it takes as long as
in integers, where each part would be rounded, which costs 3 dB of the op's result at three parts and 12 at 42. A file
that may hold no float has it so, up to four parts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.idle_padding import SAME, VALID
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.forms.window_parts import MOST_TAPS, Part, Side, parts_of_window
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

KIND = "DEPTHWISE_CONV_2D"
MOST_PARTS_IN_INTEGERS = 4
"""Each part is rounded once more there: four cost 4 dB of the op's own result (9x9, measured)."""
_OWN = frozenset({"stride_h", "stride_w", "depth_multiplier"})
# Blocks are taken where they are so much fewer: each reads a copy.
_MANY = 0.8
_PART, _SUM, _VIEW = "/window_", "/windows_", "/window_view_"
_MADE = re.compile(r"/window_\d+of\d+$|/windows_\d+$|/window_view_\d*$")


class _Window:
    """A wide window and how it is taken apart."""

    def __init__(self, graph: Subgraph, op: Op) -> None:
        data, kernel, result = (graph.tensors[index].shape for index in (op.inputs[0], op.inputs[1], op.outputs[0]))
        self.options: dict[str, Any] = {name: op.options[name] for name in op.options if name in _OWN}
        same = op.options.get("padding", SAME) == SAME
        self.down, self.across = (
            Side(
                data[axis],
                kernel[axis],
                result[axis],
                op.options.get(f"stride_{side}", 1),
                op.options.get(f"dilation_{side}_factor", 1),
                same,
            )
            for axis, side in ((1, "h"), (2, "w"))
        )
        whole = parts_of_window(kernel[1], kernel[2], sliced=False)
        stay = all(self.down.stays(one.rows) and self.across.stays(one.columns) for one in whole)
        blocks = parts_of_window(kernel[1], kernel[2], sliced=True)
        self.sliced = not same or not stay or len(blocks) < _MANY * len(whole)
        self.parts = blocks if self.sliced else whole
        grown = [sum(side.border) for side in (self.down, self.across)]
        self.padded = (data[0], data[1] + grown[0], data[2] + grown[1], data[3])


def with_narrow_windows(data: bytes, chosen: Collection[int]) -> bytes:
    """A copy of a float file in which depthwise convolutions are sums of narrow ones.

    Args:
        data: the file.
        chosen: indices of such ops of its main subgraph, as :func:`wide_windows` finds them.
    """
    graph = parse_artifact(data).main
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for index in chosen:
        _Writer(graph, graph.ops[index], edit).write()
    edit.finish()
    return pack_tree(root)


def wide_windows(graph: Subgraph, claimed: Collection[int], *, most_parts: int | None = None) -> list[int]:
    """Indices of the ops that XNNPACK takes and has no depthwise kernel for.

    Args:
        graph: the float graph.
        claimed: indices of ops that XNNPACK takes.
        most_parts: leave those that would be more.
    """
    found = [op for op in graph.ops if op.index in claimed and _is_wide(graph, op)]
    return [op.index for op in found if most_parts is None or len(_Window(graph, op).parts) <= most_parts]


def _is_wide(graph: Subgraph, op: Op) -> bool:
    """One result for each channel, of sizes that are known, and more taps than a kernel has."""
    if op.name != KIND:
        return False
    data, kernel, result = (graph.tensors[index] for index in (op.inputs[0], op.inputs[1], op.outputs[0]))
    plain = kernel.dtype == "float32" and kernel.constant is not None and not kernel.is_sparse
    known = all(-1 not in tensor.shape_signature[1:] for tensor in (data, result))
    return plain and known and data.shape[3] == kernel.shape[3] and kernel.shape[1] * kernel.shape[2] > MOST_TAPS


def told_of_windows(graph: Subgraph, chosen: Sequence[int], recipe: Recipe, runtime: str) -> Finding:
    """What is written as sums, and why.

    Args:
        graph: the float graph as it was.
        chosen: of :func:`wide_windows`.
        recipe: of the file.
        runtime: that brings XNNPACK.
    """
    kernels = [graph.tensors[graph.ops[index].inputs[1]].shape[1:3] for index in chosen]
    sizes = ", ".join(f"{count} of {height}x{width}" for (height, width), count in Counter(kernels).most_common())
    how = ""
    if recipe.mode == "static_range":
        how = ", each part rounded" if recipe.integer_only else ", in float between integers and rounded once"
    message = (
        f"{len(chosen)} DEPTHWISE_CONV_2D ({sizes}) written as sums of parts of at most {MOST_TAPS} taps{how}: XNNPACK "
        f"of {runtime} has no depthwise kernel for more"
    )
    return Finding("windows-in-parts", "info", message, recipe.name, "--forms plain leaves them whole")


def parts_of_sums(graph: Subgraph) -> list[Op]:
    """Ops that were one wide window, with the last of their sums, by the names that they were given."""
    names = [graph.tensors[op.outputs[0]].name for op in graph.ops]
    made = {op.index for op, name in zip(graph.ops, names, strict=True) if _MADE.search(name)}
    parts = {index for i in made if graph.ops[i].name != "SLICE" for index in graph.ops[i].outputs}
    sums = {op.index for op in graph.ops if op.name == "ADD" and parts.issuperset(op.inputs)}
    return [op for op in graph.ops if op.index in made | sums]


class _Writer:
    """Writes one op as a sum."""

    def __init__(self, graph: Subgraph, op: Op, edit: GraphEdit) -> None:
        self._window = _Window(graph, op)
        self._op = op
        self._edit = edit
        self._name = graph.tensors[op.outputs[0]].name
        self._weights = graph.tensors[op.inputs[1]].values().copy()
        self._readers = graph.readers[op.inputs[1]]
        self._views: dict[tuple[int, int, int, int], int] = {}

    def write(self) -> None:
        op, parts = self._op, self._window.parts
        made = [self._part(part, place, len(parts)) for place, part in enumerate(parts)]
        total = made[0]
        for place, one in enumerate(made[1:-1], 1):
            total, before = self._edit.add_tensor(op.outputs[0], f"{self._name}{_SUM}{place}"), total
            self._edit.put_before(op.index, "ADD", [before, one], [total])
        self._edit.become(op.index, "ADD", [total, made[-1]])

    def _part(self, part: Part, place: int, count: int) -> int:
        """A narrow window; the first brings the bias."""
        rows, columns = (slice(s.first, s.first + s.reach + 1, s.step) for s in (part.rows, part.columns))
        weights = np.ascontiguousarray(self._weights[:, rows, columns, :])
        name = f"{self._name}{_PART}{place + 1}of{count}"
        made = self._edit.add_tensor(self._op.outputs[0], name)
        inputs = [self._view(part), self._constant(weights, place, f"{name}/weights"), self._bias(place)]
        options = dict(self._window.options)
        options |= {"dilation_h_factor": self._window.down.dilation * part.rows.step}
        options |= {"dilation_w_factor": self._window.across.dilation * part.columns.step}
        options |= {"padding": VALID if self._window.sliced else SAME, "fused_activation_function": 0}
        self._edit.put_before(self._op.index, KIND, inputs, [made], **options)
        return made

    def _constant(self, weights: npt.NDArray[Any], place: int, name: str) -> int:
        """The first part's take the place of the whole one's, where nothing else reads them."""
        if place or len(self._readers) > 1:
            return self._edit.add_constant(weights, name)
        self._edit.put_constant(self._op.inputs[1], weights)
        return self._op.inputs[1]

    def _bias(self, place: int) -> int:
        if place == 0 and len(self._op.inputs) > 2 and self._op.inputs[2] >= 0:
            return self._op.inputs[2]
        return self._zeros

    @cached_property
    def _zeros(self) -> int:
        zeros = np.zeros(self._weights.shape[-1], np.float32)
        return self._edit.add_constant(zeros, f"{self._name}{_PART}/no_bias")

    def _view(self, part: Part) -> int:
        """What a part reads: the operand, or those of its rows and columns that a block reaches."""
        if not self._window.sliced:
            return self._op.inputs[0]
        down, across = self._window.down, self._window.across
        begin = [0, part.rows.first * down.dilation, part.columns.first * across.dilation, 0]
        shape = self._window.padded
        size = [shape[0], down.reached(part.rows), across.reached(part.columns), shape[3]]
        key = (begin[1], begin[2], size[1], size[2])
        if key not in self._views:
            name = f"{self._name}{_VIEW}{len(self._views)}"
            ends = [self._edit.add_constant(np.array(v, np.int32), f"{name}/{i}") for i, v in enumerate((begin, size))]
            made = self._edit.add_tensor(self._op.inputs[0], name, shape=size)
            self._edit.put_before(self._op.index, "SLICE", [self._padded, *ends], [made])
            self._views[key] = made
        return self._views[key]

    @cached_property
    def _padded(self) -> int:
        """The operand with its border written out."""
        down, across = self._window.down, self._window.across
        around = np.array([(0, 0), down.border, across.border, (0, 0)], np.int32)
        if not around.any():
            return self._op.inputs[0]
        counts = self._edit.add_constant(around, f"{self._name}{_VIEW}/border")
        made = self._edit.add_tensor(self._op.inputs[0], f"{self._name}{_VIEW}", shape=self._window.padded)
        self._edit.put_before(self._op.index, "PAD", [self._op.inputs[0], counts], [made])
        return made
