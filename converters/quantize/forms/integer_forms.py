"""What exporters write in ops without an integer kernel, written in ops that have one, before a file is quantized.

===============================  =======================  ==========================================================
before                           after                    why
===============================  =======================  ==========================================================
``SQUARE(x)``                    ``MUL(x, x)``            TFLite computes SQUARE, NEG, SQRT and DIV in float only, so
``NEG(x)``                       ``MUL(x, -1)``           that an integer file would be float there
``DIV(1, SQRT(x))``              ``RSQRT(x)``
``DIV(x, constant)``             ``MUL(x, 1/constant)``   TFLite's quantizer leaves the division in float
``REVERSE_V2(x, axis)``          ``GATHER(x, [n-1..0])``  TFLite's quantizer gives its two ends two scales, and its
                                                          kernel copies the integers as they are
``x * s + (beta - mean * s)``    ``(x - mean) * s +       the difference of two large numbers, each rounded before
                                 beta``                   it is taken; see :mod:`.norms`
``SQUARED_DIFFERENCE(x, mean)``  ``d * d``                XNNPACK has no integer kernel for it
``BROADCAST_TO(x, axis)``        ``CONCATENATION(x, x)``  XNNPACK has none of it, and joins up to five, of which five
                                                          are joined: keys and values that several heads share cut a
                                                          network into parts
``SPLIT_V(x, sizes)``            ``SLICE(x), SLICE(x)``   XNNPACK splits into equal parts alone
``PADV2(x, c)``, one axis        ``CONCATENATION(x, c)``  XNNPACK pads with zero alone
``CONV_2D(PAD(x)), VALID``       ``CONV_2D(x), SAME``     where that is one border: TFLite's quantizer does the
                                                          same, and its ops would be none of the float file's
``x * relu6(x + 3) * c``         ``hard_swish(x) * 6c``   rounded once instead of three times; XNNPACK has a table
``concat(a, b) * k + c``         ``concat(a * ka + ca,    a join has one scale, that of its widest part; into
                                 b * kb + cb)``           tables such factors go whole; see :mod:`.affines`
===============================  =======================  ==========================================================

The same in real numbers, op by op; what comes out is compared with the source like every file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.idle_padding import SAME, pads_as_same
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.forms.affines import before_joins, into_tables
from edge_sdk.converters.quantize.forms.hard_swishes import joined_hard_swishes
from edge_sdk.converters.quantize.forms.norms import center_norms, is_clipped
from edge_sdk.converters.quantize.forms.prescribed import apart_from_joins
from edge_sdk.converters.quantize.forms.roots import inverse_roots
from edge_sdk.converters.quantize.forms.wide import wide_forms
from edge_sdk.converters.quantize.kept import kept_in_main
from edge_sdk.recipe import Recipe

# What one CONCATENATION of XNNPACK takes, and two one after the other.
_MOST_JOINED = 5
_MOST_COPIES = _MOST_JOINED**2
# A padding of more stands for infinity.
_NUMBER = 1e4


def with_integer_forms(data: bytes, recipe: Recipe) -> bytes:
    """A copy of a float .tflite in ops that can be quantized; the file itself where nothing is to be done.

    Args:
        data: the file; only its main subgraph is changed, and names of what stays are kept.
        recipe: ops that it keeps in float stay as they are.

    Raises:
        RecipeError: what it wants to keep is not there.
    """
    artifact = parse_artifact(data)
    plain = (_replace, joined_hard_swishes, center_norms, before_joins, into_tables)
    # What ai-edge-quantizer writes; after what folds a product by a constant.
    apart = (apart_from_joins,) if recipe.activations.dtype == "int16" or recipe.int16 else ()
    for rewrite in (*_of_recipe(recipe), *plain, *apart):
        kept = kept_in_main(artifact, recipe)
        root, _ = parse_tree(data)
        edit = GraphEdit(root)
        if rewrite(artifact.main, kept, edit):
            edit.finish()
            data = pack_tree(root)
            artifact = parse_artifact(data)
    return data


def _of_recipe(recipe: Recipe) -> tuple[Callable[[Subgraph, set[int], GraphEdit], int], ...]:
    """Rewrites for the type of its activations (:mod:`.wide`), or for files without float (:mod:`.roots`)."""
    wide = (wide_forms,) if recipe.activations.dtype == "int16" else ()
    return (*wide, *((inverse_roots,) if recipe.integer_only and not wide else ()))


def _replace(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """The rules of one or two ops; returns how many were applied."""
    rules = _Rules(graph, kept, edit)
    return sum(rules.apply(op) for op in graph.ops)


class _Rules:
    """One method for each op type that is written otherwise; it says whether it applied."""

    def __init__(self, graph: Subgraph, kept: set[int], edit: GraphEdit) -> None:
        self._tensors = graph.tensors
        self._kept = kept
        self._edit = edit
        self._makers = graph.makers
        self._graph = graph
        self._rules = {
            "SQUARE": self._square,
            "NEG": self._neg,
            "DIV": self._div,
            "REVERSE_V2": self._reverse,
            "BROADCAST_TO": self._broadcast,
            "SPLIT_V": self._split,
            "PADV2": self._pad,
            "CONV_2D": self._window,
            "DEPTHWISE_CONV_2D": self._window,
        }

    def apply(self, op: Op) -> bool:
        if op.name not in self._rules or op.index in self._kept or self._tensors[op.outputs[0]].dtype != "float32":
            return False
        return self._rules[op.name](op)

    def _square(self, op: Op) -> bool:
        self._edit.become(op.index, "MUL", (op.inputs[0], op.inputs[0]))
        return True

    def _neg(self, op: Op) -> bool:
        self._edit.become(op.index, "MUL", (op.inputs[0], self._minus_one))
        return True

    @cached_property
    def _minus_one(self) -> int:
        return self._edit.add_constant(np.array(-1, np.float32), "minus_one")

    def _div(self, op: Op) -> bool:
        """By a constant, or 1 over a SQRT."""
        if self._by_constant(op):
            return True
        one, root = self._tensors[op.inputs[0]], self._makers.get(op.inputs[1])
        is_one = one.elements == 1 and one.constant is not None and bool(np.all(one.values() == 1))
        if root is None or root.name != "SQRT" or root.index in self._kept or not is_one or is_clipped(op):
            return False
        self._edit.become(op.index, "RSQRT", (root.inputs[0],))
        self._edit.drop_if_unread(root.index)
        return True

    def _by_constant(self, op: Op) -> bool:
        by = self._tensors[op.inputs[1]]
        if by.constant is None or by.dtype != "float32" or self._tensors[op.inputs[0]].constant is not None:
            return False
        with np.errstate(divide="ignore", over="ignore"):
            factor = (1 / by.values().astype(np.float64)).astype(np.float32)
        # A divisor of zero, or of which float32 holds no reciprocal, stays what it is.
        if not np.isfinite(factor).all() or not factor.all():
            return False
        name = f"{self._tensors[op.outputs[0]].name}_factor"
        self._edit.become(op.index, "MUL", (op.inputs[0], self._edit.add_constant(factor, name)))
        return True

    def _reverse(self, op: Op) -> bool:
        """Along one axis that is known."""
        source, axes = (self._tensors[index] for index in op.inputs)
        if axes.constant is None or axes.elements != 1 or -1 in source.shape_signature:
            return False
        axis = int(axes.values().reshape(-1)[0]) % len(source.shape)
        backwards = np.arange(source.shape[axis] - 1, -1, -1, dtype=np.int32)
        order = self._edit.add_constant(backwards, f"{self._tensors[op.outputs[0]].name}_order")
        self._edit.become(op.index, "GATHER", (op.inputs[0], order), axis=axis)
        return True

    def _broadcast(self, op: Op) -> bool:
        """Copies along one axis, joined in steps where there are more than one join takes."""
        source, made = self._tensors[op.inputs[0]], self._tensors[op.outputs[0]]
        if source.constant is not None or len(source.shape) != len(made.shape) or -1 in made.shape_signature:
            return False
        wider = [axis for axis, extent in enumerate(source.shape) if extent != made.shape[axis]]
        if len(wider) != 1 or made.shape[wider[0]] > _MOST_COPIES:
            return False
        self._edit.become(op.index, "CONCATENATION", self._copies(op, wider[0], made.shape[wider[0]]), axis=wider[0])
        return True

    def _copies(self, op: Op, axis: int, count: int) -> list[int]:
        """At most five tensors along an axis that are so many copies together."""
        if count <= _MOST_JOINED:
            return [op.inputs[0]] * count
        several = -(-count // _MOST_JOINED)
        shape = list(self._tensors[op.inputs[0]].shape)
        found: dict[int, int] = {1: op.inputs[0]}
        sizes = [several] * (count // several) + [count % several] * (count % several > 0)
        for size in dict.fromkeys(sizes):
            if size not in found:
                shape[axis] = size
                name = f"{self._tensors[op.outputs[0]].name}_{size}"
                found[size] = self._edit.add_tensor(op.inputs[0], name, shape=shape)
                joined = [op.inputs[0]] * size
                self._edit.put_before(op.index, "CONCATENATION", joined, [found[size]], axis=axis)
        return [found[size] for size in sizes]

    def _split(self, op: Op) -> bool:
        """Parts of unlike sizes that are known."""
        source, sizes, axes = (self._tensors[index] for index in op.inputs)
        stored = sizes.constant is not None and axes.constant is not None
        if not stored or -1 in source.shape_signature or (sizes.values() < 1).any():
            return False
        axis, begin = int(axes.values().reshape(-1)[0]) % len(source.shape), 0
        for place, (index, size) in enumerate(zip(op.outputs, sizes.values().reshape(-1), strict=True)):
            first, extent = [0] * len(source.shape), list(source.shape)
            first[axis], extent[axis] = begin, int(size)
            name = self._tensors[index].name
            ends = [
                self._edit.add_constant(np.array(values, np.int32), f"{name}_{word}")
                for word, values in (("begin", first), ("size", extent))
            ]
            if place < len(op.outputs) - 1:
                self._edit.put_before(op.index, "SLICE", (op.inputs[0], *ends), (index,))
            else:
                self._edit.become(op.index, "SLICE", (op.inputs[0], *ends))
                self._edit.write(op.index, (index,))
            begin += int(size)
        return True

    def _pad(self, op: Op) -> bool:
        """With one number other than zero along one axis; that before a MAX_POOL_2D stands for none, and stays."""
        source, counts, number = (self._tensors[index] for index in op.inputs)
        readers = self._graph.readers.get(op.outputs[0], ())
        if counts.constant is None or number.constant is None or any(one.name == "MAX_POOL_2D" for one in readers):
            return False
        value, around = number.values().reshape(-1)[0], counts.values().reshape(-1, 2)
        axes = np.flatnonzero(around.any(1))
        if len(axes) != 1 or not value or not abs(value) < _NUMBER or -1 in source.shape_signature:
            return False
        parts = [op.inputs[0]]
        for place, count in zip((0, len(parts) + 1), around[axes[0]], strict=True):
            if count > 0:
                shape = [int(count) if one == axes[0] else extent for one, extent in enumerate(source.shape)]
                name = f"{self._tensors[op.outputs[0]].name}_{place}"
                parts.insert(place, self._edit.add_constant(np.full(shape, value, np.float32), name))
        self._edit.become(op.index, "CONCATENATION", parts, axis=int(axes[0]))
        return True

    def _window(self, op: Op) -> bool:
        """Behind a PAD that is what SAME would pad."""
        pad = self._makers.get(op.inputs[0])
        if pad is None or pad.index in self._kept or not pads_as_same(self._graph, pad, op):
            return False
        self._edit.read(op.index, (pad.inputs[0], *op.inputs[1:]))
        self._edit.option(op.index, padding=SAME)
        self._edit.drop_if_unread(pad.index)
        return True
