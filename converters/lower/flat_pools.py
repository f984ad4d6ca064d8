"""Pools over three axes, which TFLite has no op for, as pools over two in a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edge_sdk.converters.workers.child import running

_FLAT = {"MaxPool3D": "MaxPool", "AvgPool3D": "AvgPool"}


def with_flat_pools(concrete: Any) -> Any:
    """The function without pools over three axes; the same function where it has none.

    A maximum of maxima is the maximum, and a mean of means is the mean, for each axis cuts windows at borders alike.

    Before: ``y = MaxPool3D(x, d, h, w)``. After: ``y = MaxPool(MaxPool(x, h, w), d)``, each on a value of four axes.

    Args:
        concrete: a ConcreteFunction traced for static shapes.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    if not _has_pools(concrete.graph.as_graph_def()):
        return concrete
    with running("tensorflow", "writing pools over three axes as pools over two"):
        frozen = convert_variables_to_constants_v2(concrete)
        graph_def = _flat(frozen.graph)
        wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
        ends = [
            [wrapped.graph.get_tensor_by_name(t.name) for t in tensors] for tensors in (frozen.inputs, frozen.outputs)
        ]
        return wrapped.prune(*ends)


def _has_pools(graph_def: Any) -> bool:
    functions = (node for function in graph_def.library.function for node in function.node_def)
    return any(node.op in _FLAT for node in (*graph_def.node, *functions))


def _flat(graph: Any) -> Any:
    import tensorflow as tf

    made = tf.compat.v1.GraphDef()
    graph_def = graph.as_graph_def()
    made.versions.CopyFrom(graph_def.versions)
    made.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        if node.op in _FLAT:
            _add_pools(made, graph.get_operation_by_name(node.name), node)
        else:
            made.node.append(node)
    return made


def _add_pools(made: Any, operation: Any, node: Any) -> None:
    x, y = operation.inputs[0].shape.as_list(), operation.outputs[0].shape.as_list()
    (_, depth, height, width, _), (_, *steps, _) = (list(node.attr[key].list.i) for key in ("ksize", "strides"))
    batch, channels = x[0], x[4]
    nodes = _Nodes(made, node)
    planes = nodes.reshaped("planes", node.input[0], [batch * x[1], x[2], x[3], channels])
    pooled = nodes.pooled("over_planes", planes, (height, width), (steps[1], steps[2]))
    columns = nodes.reshaped("columns", pooled, [batch, x[1], math.prod(y[2:4]), channels])
    whole = nodes.pooled("over_depth", columns, (depth, 1), (steps[0], 1))
    nodes.reshaped("", whole, y)


class _Nodes:
    """Adds nodes in the place of one, whose name the last of them keeps."""

    def __init__(self, graph: Any, node: Any) -> None:
        self._graph, self._node = graph, node

    def reshaped(self, name: str, source: str, shape: Sequence[int]) -> str:
        import tensorflow as tf

        sizes = self._graph.node.add(name=f"{self._node.name}/{name or 'whole'}_shape", op="Const")
        sizes.attr["dtype"].type = tf.int32.as_datatype_enum
        sizes.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(shape, tf.int32))
        made = self._add(name, "Reshape", source, sizes.name)
        made.attr["Tshape"].type = tf.int32.as_datatype_enum
        return str(made.name)

    def pooled(self, name: str, source: str, size: Sequence[int], steps: Sequence[int]) -> str:
        made = self._add(name, _FLAT[self._node.op], source)
        made.attr["ksize"].list.i.extend((1, *size, 1))
        made.attr["strides"].list.i.extend((1, *steps, 1))
        made.attr["padding"].CopyFrom(self._node.attr["padding"])
        return str(made.name)

    def _add(self, name: str, op: str, *sources: str) -> Any:
        made = self._graph.node.add(name=f"{self._node.name}/{name}" if name else self._node.name, op=op)
        made.input.extend(sources)
        made.attr["T"].CopyFrom(self._node.attr["T"])
        return made
