"""The whole way from an ONNX model to a .tflite file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sdk.converters.lower.direct import passes
from edge_sdk.converters.lower.direct.bodies import distinct
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.collecting import no_search
from edge_sdk.converters.lower.direct.counts import PADDING, Padded, with_counts
from edge_sdk.converters.lower.direct.graph import Graph, Tensor
from edge_sdk.converters.lower.direct.images import image_inputs
from edge_sdk.converters.lower.direct.quantizers import quantized_by, with_grids
from edge_sdk.converters.lower.direct.reading import computed_dtype, inlined, opset_of
from edge_sdk.converters.lower.direct.value import Order, Value, channels_last, identity
from edge_sdk.converters.lower.direct.walk import Walk
from edge_sdk.converters.lower.direct.writing import write
from edge_sdk.signature import TensorSpec


@dataclass(frozen=True)
class Lowered:
    """A graph ready to be written.

    Attributes:
        graph: with inputs and outputs in the source's order; counts of padded outputs come behind those.
        input_orders: how the source's arrays are transposed to the file's; None where they are not.
        output_orders: likewise.
        padded: the outputs that have padding.
    """

    graph: Graph
    input_orders: tuple[Order | None, ...]
    output_orders: tuple[Order | None, ...]
    padded: tuple[Padded, ...] = ()

    @property
    def counts(self) -> tuple[str, ...]:
        """Names of the further outputs, in order."""
        return tuple(dict.fromkeys(one.count for one in self.padded))


@no_search()
def lower(
    model: Any,
    inputs: Sequence[TensorSpec] | Mapping[str, TensorSpec],
    layout: str,
    folder: str = "",
    *,
    unroll: bool = False,
    grids: bool = False,
) -> Lowered:
    """Lowers an ONNX model.

    Args:
        model: an ``onnx.ModelProto``.
        inputs: with static shapes, in the order that the file shall have; by the graph's names where they have others.
        layout: ``nhwc`` puts the channels of image inputs and outputs last, ``source`` leaves them as they are.
        folder: where weights beside the model lie.
        unroll: loops and recurrent layers with a known number of steps become ops without a loop, however long;
            integer recipes need that.
        grids: a model that is quantized already becomes integer ops with its own scales; else its quantizers are left
            out.

    Raises:
        UnsupportedOpError: lists every node that TFLite cannot say.
        ModelError: the model is not valid.
    """
    model = with_grids(inlined(model), keep=grids)
    images = image_inputs(model.graph) if layout == "nhwc" else frozenset()
    builder = Builder()
    by_name = inputs if isinstance(inputs, Mapping) else {spec.name: spec for spec in inputs}
    values = {name: _input(spec, moved=name in images) for name, spec in by_name.items()}
    walk = Walk(builder, opset_of(model), folder, unroll)
    outputs = walk.graph(model.graph, values)
    names = [value.name for value in model.graph.output]
    padded, numbers = with_counts(builder, dict(zip(names, outputs, strict=True)), {*names, *by_name})
    ends = [_output(builder, name, value, layout) for name, value in zip(names, outputs, strict=True)]
    ends += numbers.values()
    names += numbers
    tensors = distinct(builder, [end.tensor for end in ends], [v.tensor for v in values.values()], names)
    graph = builder.graph("main", [v.tensor for v in values.values()], tensors)
    moved, ends_moved = (tuple(_moved(v) for v in some) for some in (values.values(), ends))
    return Lowered(passes.run(graph), moved, ends_moved, padded)


@dataclass(frozen=True)
class Way:
    """How a model is lowered: see :func:`lower`; ``weights`` is its ``folder``, ``lowered`` what that gave already."""

    layout: str
    unroll: bool = False
    weights: str = ""
    lowered: Lowered | None = None


def hand_over(
    model: Any,
    inputs: Sequence[TensorSpec] | Mapping[str, TensorSpec],
    outputs: Sequence[str],
    folder: Path,
    way: Way,
) -> dict[str, Any]:
    """Lowers a model and writes it; a hand-over of kind ``tflite``.

    See :class:`~edge_sdk.converters.sources.source.Source`.

    Args:
        model: an ``onnx.ModelProto``.
        inputs: as for :func:`lower`.
        outputs: names for the graph's outputs, in order, and for the counts behind them.
        folder: where ``lowered.tflite`` is written.
        way: how.
    """
    lowered = way.lowered or lower(model, inputs, way.layout, way.weights, unroll=way.unroll)
    target = folder / "lowered.tflite"
    target.write_bytes(write(lowered.graph))
    specs = inputs.values() if isinstance(inputs, Mapping) else inputs
    return {
        "kind": "tflite",
        "path": str(target),
        "inputs": _ports([spec.name for spec in specs], lowered.input_orders),
        "outputs": _ports(outputs, lowered.output_orders),
        "tool": "edge-sdk direct",
        # The quantizers' toolchains do not share a process with the source's.
        "role": "lowering",
        **_quantized(model, inputs, folder, way),
    }


def _quantized(
    model: Any, inputs: Sequence[TensorSpec] | Mapping[str, TensorSpec], folder: Path, way: Way
) -> dict[str, Any]:
    """The integer file of a model that is quantized already, beside the float one."""
    if quantized_by(model) is None:
        return {}
    target = folder / "lowered_int8.tflite"
    graph = lower(model, inputs, way.layout, way.weights, unroll=True, grids=True).graph
    target.write_bytes(write(graph))
    wide = any(tensor.dtype == "int16" and tensor.quantization for op in graph.ops for tensor in op.outputs)
    return {"quantized": str(target), "quantized_for": "static_wi8_ai16" if wide else "static_wi8_ai8"}


def _ports(names: Sequence[str], orders: Sequence[Order | None]) -> list[dict[str, Any]]:
    return [
        {"name": name, "tensor": None, "axes": list(order) if order else None}
        for name, order in zip(names, orders, strict=True)
    ]


def _input(spec: TensorSpec, *, moved: bool) -> Value:
    rank = len(spec.static_shape)
    order = channels_last(rank) if moved else identity(rank)
    shape = tuple(spec.static_shape[axis] for axis in order)
    return Value(Tensor(spec.name, shape, computed_dtype(spec.dtype)), order, spatial=moved)


def _output(builder: Builder, name: str, value: Value, layout: str) -> Value:
    """An image keeps its channels last where the user takes them so; all else goes back to the source's order.

    Padding is 0, and -1 in whole numbers, which may be indices.
    """
    builder.origin = name
    value = Value(builder.filled(value.tensor, PADDING.get(value.dtype, -1)), value.order, value.spatial)
    if layout == "nhwc" and value.rank == 4 and value.spatial and value.order == channels_last(4):
        return value
    return Value(builder.arranged(value), identity(value.rank))


def _moved(value: Value) -> Order | None:
    return None if value.order == identity(value.rank) else value.order
