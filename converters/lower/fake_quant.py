"""TensorFlow graphs that round to trained ranges (FakeQuant ops): with the rounding, and without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_sdk.converters.lower.by_tensorflow import TensorFunction, converter_of, ports_of, traced
from edge_sdk.converters.workers.child import running
from edge_sdk.signature import TensorSpec

_ROUNDS = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "FakeQuantWithMinMaxArgs")
_PASSES = ("Identity", "ReadVariableOp")
RECIPE = "static_wi8_ai8"


def rounds(graph_def: Any) -> bool:
    """Whether a GraphDef, or a function of its library, holds a FakeQuant op."""
    functions = (node for function in graph_def.library.function for node in function.node_def)
    return any(node.op in _ROUNDS for node in (*graph_def.node, *functions))


def without_rounding(call: TensorFunction, inputs: Sequence[TensorSpec]) -> TensorFunction:
    """The same function in float: activations pass, weights stay as they are rounded.

    Before: ``y = FakeQuant(Conv2D(FakeQuant(x), FakeQuant(w)))``. After: ``y = Conv2D(x, rounded w)``.

    Args:
        call: takes one tensor for each input, in order; returns the outputs in order.
        inputs: with static shapes.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with running("tensorflow", "taking the rounding out"):
        frozen = convert_variables_to_constants_v2(traced(call, inputs))
        graph_def = _in_float(frozen.graph.as_graph_def())
        wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
        ends = [
            [wrapped.graph.get_tensor_by_name(t.name) for t in tensors] for tensors in (frozen.inputs, frozen.outputs)
        ]
        pruned = wrapped.prune(*ends)
    return lambda *tensors: list(pruned(*tensors))


def _in_float(graph_def: Any) -> Any:
    import tensorflow as tf

    nodes = {node.name: node for node in graph_def.node}
    made = tf.compat.v1.GraphDef()
    made.CopyFrom(graph_def)
    for node in made.node:
        if node.op not in _ROUNDS:
            continue
        weights = _constant(nodes, node.input[0])
        if weights is None:
            _become_identity(node)
        else:
            _become_constant(node, _rounded(node, weights, nodes))
    return made


def _constant(nodes: Any, name: str) -> Any:
    """The numbers behind a name, through what passes them on; None where they depend on the input."""
    import tensorflow as tf

    node = nodes[name.split(":", maxsplit=1)[0].lstrip("^")]
    while node.op in _PASSES:
        node = nodes[node.input[0].split(":")[0]]
    return tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None


def _rounded(node: Any, weights: Any, nodes: Any) -> Any:
    import tensorflow as tf

    settings = {"num_bits": node.attr["num_bits"].i, "narrow_range": node.attr["narrow_range"].b}
    if node.op == "FakeQuantWithMinMaxArgs":
        low, high = node.attr["min"].f, node.attr["max"].f
        return tf.quantization.fake_quant_with_min_max_args(weights, low, high, **settings).numpy()
    low, high = (_constant(nodes, name) for name in node.input[1:3])
    per_channel = node.op.endswith("PerChannel")
    quantize = (
        tf.quantization.fake_quant_with_min_max_vars_per_channel
        if per_channel
        else tf.quantization.fake_quant_with_min_max_vars
    )
    return quantize(weights, low, high, **settings).numpy()


def _become_identity(node: Any) -> None:
    import tensorflow as tf

    source = node.input[0]
    node.op = "Identity"
    del node.input[:]
    node.input.append(source)
    node.attr.clear()
    node.attr["T"].type = tf.float32.as_datatype_enum


def _become_constant(node: Any, values: Any) -> None:
    import tensorflow as tf

    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))


def write_quantized(
    call: TensorFunction, inputs: Sequence[TensorSpec], outputs: Sequence[str], folder: Path
) -> dict[str, Any]:
    """The int8 file of a function that rounds, with its trained ranges, float at both ends.

    Returns:
        What a hand-over of kind ``tflite`` says of it beside the float file.
    """
    import tensorflow as tf

    with running("tensorflow", "converting the trained ranges"):
        converter = converter_of(traced(call, inputs))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        data = converter.convert()
    path = folder / "lowered_int8.tflite"
    path.write_bytes(data)
    ports = ports_of(path, [spec.name for spec in inputs], outputs)
    return {"quantized": str(path), "quantized_for": RECIPE, "quantized_ports": ports}
