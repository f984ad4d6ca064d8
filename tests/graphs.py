"""Small .tflite files made by code, without a converter."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree

_SAME, _VALID = 0, 1


class Graph:
    """Builds one subgraph; tensors and ops are added in order."""

    def __init__(self) -> None:
        self.root = new_node(
            schema(), "Model", version=3, operator_codes=[], subgraphs=[], buffers=[new_node(schema(), "Buffer")]
        )
        self.node = new_node(schema(), "SubGraph", tensors=[], inputs=[], outputs=[], operators=[], name="main")
        self.root.subgraphs = [self.node]

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        scale: Sequence[float] | None = None,
        zero_point: Sequence[int] | None = None,
        axis: int = 0,
        signature: Sequence[int] | None = None,
    ) -> int:
        """A tensor without data."""
        quantization = None
        if scale is not None:
            points = zero_point or [0] * len(scale)
            quantization = new_node(
                schema(), "QuantizationParameters", scale=list(scale), zero_point=points, quantized_dimension=axis
            )
        self.node.tensors.append(
            new_node(
                schema(),
                "Tensor",
                name=name,
                shape=list(shape),
                type=enum_value("TensorType", dtype.upper()),
                quantization=quantization,
                shape_signature=signature,
            )
        )
        return len(self.node.tensors) - 1

    def constant(self, name: str, values: npt.NDArray[Any], **quantization: Any) -> int:
        """A tensor with data."""
        return self.stored(name, values.shape, values.dtype.name, values.tobytes(), **quantization)

    def stored(self, name: str, shape: Sequence[int], dtype: str, data: bytes, **quantization: Any) -> int:
        """Likewise, of any type."""
        index = self.tensor(name, shape, dtype, **quantization)
        self.root.buffers.append(new_node(schema(), "Buffer", data=np.frombuffer(data, np.uint8)))
        self.node.tensors[index].buffer = len(self.root.buffers) - 1
        return index

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Node | None = None,
        *,
        version: int = 1,
        custom: str | None = None,
    ) -> None:
        """One operator."""
        code = enum_value("BuiltinOperator", name)
        self.root.operator_codes.append(
            new_node(
                schema(),
                "OperatorCode",
                builtin_code=code,
                deprecated_builtin_code=min(code, 127),
                version=version,
                custom_code=custom,
            )
        )
        kind = enum_value("BuiltinOptions", options.kind) if options else 0
        self.node.operators.append(
            new_node(
                schema(),
                "Operator",
                opcode_index=len(self.root.operator_codes) - 1,
                inputs=list(inputs),
                outputs=list(outputs),
                builtin_options_type=kind,
                builtin_options=options,
            )
        )

    def another(self, name: str) -> Graph:
        """One more subgraph of the same file."""
        made = copy.copy(self)
        made.node = new_node(schema(), "SubGraph", tensors=[], inputs=[], outputs=[], operators=[], name=name)
        self.root.subgraphs.append(made.node)
        return made

    def entry(self, key: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Makes this subgraph run by a signature, named after the tensors."""
        self.node.inputs, self.node.outputs = list(inputs), list(outputs)
        self.root.signature_defs = self.root.signature_defs or []
        self.root.signature_defs.append(
            new_node(
                schema(),
                "SignatureDef",
                signature_key=key,
                subgraph_index=self.root.subgraphs.index(self.node),
                inputs=[self._map(index) for index in inputs],
                outputs=[self._map(index) for index in outputs],
            )
        )

    def finish(self, inputs: Sequence[int], outputs: Sequence[int], *, signature: bool = True) -> bytes:
        """The file; its signature is named after the tensors."""
        self.node.inputs, self.node.outputs = list(inputs), list(outputs)
        if signature:
            self.entry("serving_default", inputs, outputs)
        return pack_tree(self.root)

    def _map(self, index: int) -> Node:
        return new_node(schema(), "TensorMap", name=self.node.tensors[index].name, tensor_index=index)


def enum_value(enum: str, label: str) -> int:
    """The number of an enum's label."""
    return next(value for value, name in schema().enums[enum].items() if name == label)


def options(kind: str, **fields: Any) -> Node:
    """Builtin options of an op."""
    return new_node(schema(), kind, **fields)


def conv_model(*, seed: int = 0, side: int = 8, channels: int = 4) -> bytes:
    """``image (1, side, side, 3) -> CONV_2D 3x3 RELU -> MEAN -> FULLY_CONNECTED -> scores (1, 5)``."""
    generator = np.random.default_rng(seed)
    graph = Graph()
    image = graph.tensor("image", (1, side, side, 3), signature=(-1, side, side, 3))
    kernel = graph.constant("kernel", generator.standard_normal((channels, 3, 3, 3)).astype(np.float32))
    bias = graph.constant("bias", generator.standard_normal(channels).astype(np.float32))
    features = graph.tensor("features", (1, side, side, channels))
    graph.op(
        "CONV_2D",
        (image, kernel, bias),
        (features,),
        options("Conv2DOptions", padding=_SAME, stride_w=1, stride_h=1, fused_activation_function=1),
    )
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    pooled = graph.tensor("pooled", (1, channels))
    graph.op("MEAN", (features, axes), (pooled,), options("ReducerOptions"))
    weights = graph.constant("weights", generator.standard_normal((5, channels)).astype(np.float32))
    offset = graph.constant("offset", generator.standard_normal(5).astype(np.float32))
    scores = graph.tensor("scores", (1, 5))
    graph.op("FULLY_CONNECTED", (pooled, weights, offset), (scores,), options("FullyConnectedOptions"))
    return graph.finish((image,), (scores,))


def depthwise_model(
    kernel: tuple[int, int] = (7, 7), *, stride: int = 1, padding: int = _SAME, dilation: int = 1, side: int = 15
) -> bytes:
    """``x (1, side, side, 6) -> DEPTHWISE_CONV_2D RELU -> y -> MUL 2 -> z``; a padding of 1 is VALID."""
    rng = np.random.default_rng(0)
    graph = Graph()
    reach = [(size - 1) * dilation + 1 for size in kernel]
    made = [-(-(side if padding == _SAME else side - one + 1) // stride) for one in reach]
    sizes = {"x": (side, side), "y": made, "z": made}
    x, y, z = (graph.tensor(name, (1, *size, 6)) for name, size in sizes.items())
    weights = graph.constant("w", rng.standard_normal((1, *kernel, 6)).astype(np.float32))
    bias = graph.constant("b", rng.standard_normal(6).astype(np.float32))
    shape = {"padding": padding, "stride_w": stride, "stride_h": stride, "depth_multiplier": 1}
    dilated = {"dilation_w_factor": dilation, "dilation_h_factor": dilation}
    table = options("DepthwiseConv2DOptions", **shape, **dilated, fused_activation_function=1)
    graph.op("DEPTHWISE_CONV_2D", (x, weights, bias), (y,), table)
    graph.op("MUL", (y, graph.constant("two", np.array(2, np.float32))), (z,), options("MulOptions"))
    return graph.finish((x,), (z,))


def int8_model(*, version: int = 4) -> bytes:
    """``image (1, 8, 8, 3) int8 -> FULLY_CONNECTED int8, of that version -> scores (1, 5)``."""
    generator = np.random.default_rng(1)
    graph = Graph()
    x = graph.tensor("image", (1, 8, 8, 3), "int8", scale=[0.03], zero_point=[0])
    shape = graph.constant("shape", np.array([1, 192], np.int32))
    flat = graph.tensor("flat", (1, 192), "int8", scale=[0.03], zero_point=[0])
    graph.op("RESHAPE", (x, shape), (flat,), options("ReshapeOptions", new_shape=[1, 192]))
    drawn = generator.integers(-127, 127, (5, 192), dtype=np.int8)
    weights = graph.constant("weights", drawn, scale=[0.01], zero_point=[0])
    bias = graph.constant("bias", np.zeros(5, np.int32), scale=[0.0003], zero_point=[0])
    y = graph.tensor("scores", (1, 5), "int8", scale=[0.3], zero_point=[0])
    graph.op("FULLY_CONNECTED", (flat, weights, bias), (y,), options("FullyConnectedOptions"), version=version)
    return graph.finish((x,), (y,))


def padded_pool_model(*, relu: bool = False) -> bytes:
    """What onnx2tf writes for a padded max pool: ``CONV_2D -> PADV2(-FLT_MAX) -> MAX_POOL_2D``."""
    generator = np.random.default_rng(0)
    graph = Graph()
    image = graph.tensor("image", (1, 8, 8, 3))
    kernel = graph.constant("kernel", generator.standard_normal((4, 1, 1, 3)).astype(np.float32))
    bias = graph.constant("bias", np.zeros(4, np.float32))
    features = graph.tensor("features", (1, 8, 8, 4))
    conv = options("Conv2DOptions", stride_w=1, stride_h=1, fused_activation_function=int(relu))
    graph.op("CONV_2D", (image, kernel, bias), (features,), conv)
    paddings = graph.constant("paddings", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    lowest = graph.constant("lowest", np.array(np.finfo(np.float32).min, np.float32))
    padded = graph.tensor("padded", (1, 10, 10, 4))
    graph.op("PADV2", (features, paddings, lowest), (padded,), options("PadV2Options"))
    pooled = graph.tensor("pooled", (1, 4, 4, 4))
    pool = options("Pool2DOptions", padding=_VALID, stride_w=2, stride_h=2, filter_width=3, filter_height=3)
    graph.op("MAX_POOL_2D", (padded,), (pooled,), pool)
    return graph.finish((image,), (pooled,))


def requantizing_model() -> bytes:
    """An int8 ``y = x`` with different scales on both sides."""
    graph = Graph()
    x = graph.tensor("x", (1, 4), "int8", scale=[0.5], zero_point=[3])
    y = graph.tensor("y", (1, 4), "int8", scale=[0.25], zero_point=[-1])
    graph.op("QUANTIZE", (x,), (y,), options("QuantizeOptions"), version=2)
    return graph.finish((x,), (y,))


def loop_model(*, limit: float = 10.0, bound: int | None = None) -> bytes:
    """``WHILE(max(x) < limit) x = x + x``, which never ends for zeros; with a bound at most so many times."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    counts = (
        [] if bound is None else [graph.constant("zero", np.array(0, np.int32)), graph.tensor("count", (), "int32")]
    )
    called = options("WhileOptions", cond_subgraph_index=1, body_subgraph_index=2)
    graph.op("WHILE", (x, *counts[:1]), (y, *counts[1:]), called)
    _loop_condition(graph.another("condition"), limit, bound)
    body = graph.another("body")
    a, b = body.tensor("a", (1, 4)), body.tensor("b", (1, 4))
    body.op("ADD", (a, a), (b,), options("AddOptions"))
    body.node.inputs, body.node.outputs = [a], [b]
    if bound is not None:
        old, new = body.tensor("old", (), "int32"), body.tensor("new", (), "int32")
        body.op("ADD", (old, body.constant("one", np.array(1, np.int32))), (new,), options("AddOptions"))
        body.node.inputs, body.node.outputs = [a, old], [b, new]
    return graph.finish((x,), (y,))


def _loop_condition(graph: Graph, limit: float, bound: int | None) -> None:
    x, largest, last = graph.tensor("x", (1, 4)), graph.tensor("largest", ()), graph.tensor("less", (), "bool")
    axes = graph.constant("axes", np.array([0, 1], np.int32))
    graph.op("REDUCE_MAX", (x, axes), (largest,), options("ReducerOptions"))
    graph.op("LESS", (largest, graph.constant("limit", np.array(limit, np.float32))), (last,), options("LessOptions"))
    graph.node.inputs, graph.node.outputs = [x], [last]
    if bound is None:
        return
    count, within, both = (
        graph.tensor("count", (), "int32"),
        graph.tensor("within", (), "bool"),
        graph.tensor("both", (), "bool"),
    )
    graph.op("LESS", (count, graph.constant("bound", np.array(bound, np.int32))), (within,), options("LessOptions"))
    graph.op("LOGICAL_AND", (last, within), (both,), options("LogicalAndOptions"))
    graph.node.inputs, graph.node.outputs = [x, count], [both]
