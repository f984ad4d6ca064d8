"""An ONNX graph made ready for lowering: static shapes, plain names, known ops, foldable patterns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower import plain_name
from edge_sdk.converters.lower.direct import images
from edge_sdk.converters.lower.direct.reading import computed_dtype
from edge_sdk.errors import UnsupportedOpError
from edge_sdk.signature import TensorSpec

# What an image may pass through on its way to or from an op that knows height and width.
_PASSED = frozenset({"Add", "Sub", "Mul", "Div", "Cast", "Identity", "Clip", "Pad", "Relu", "Sigmoid", "Neg"})
_SPATIAL = frozenset(
    {
        "AveragePool",
        "BatchNormalization",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "InstanceNormalization",
        "MaxPool",
        "Resize",
        "SpaceToDepth",
        "Upsample",
    }
)
_OWN_DOMAINS = ("", "ai.onnx")


def with_plain_names(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """A copy whose inputs are ``edge_in_<i>`` and outputs ``edge_out_<i>``: names that no tool rewrites.

    Before: ``image:0 -> Conv -> /head/out``. After: ``edge_in_0 -> Conv -> edge_out_0``. An output that is an input
    too, or is listed twice, gets an Identity of its own.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    renamed = {name: plain_name("in", i) for i, name in enumerate(inputs)}
    for node in _all_nodes(graph):
        node.input[:] = [renamed.get(name, name) for name in node.input]
    kept = [value for value in graph.input if value.name in renamed]
    del graph.input[:]
    graph.input.extend(kept)
    for value in graph.input:
        value.name = renamed[value.name]
    infos = {value.name: value for value in graph.output}
    del graph.output[:]
    for i, name in enumerate(outputs):
        value = onnx.ValueInfoProto()
        value.CopyFrom(infos[name])
        value.name = plain_name("out", i)
        graph.output.append(value)
        graph.node.append(onnx.helper.make_node("Identity", [renamed.get(name, name)], [value.name]))
    return copy


def with_static_shapes(model: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """A copy with the inputs' shapes fixed, constants folded and all inner shapes inferred anew.

    Args:
        model: an ``onnx.ModelProto``.
        shapes: input name to shape, for every input.
    """
    import onnx
    import onnxsim

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        dims = value.type.tensor_type.shape.dim
        del dims[:]
        for extent in shapes[value.name]:
            dims.add().dim_value = extent
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    simplified, _ = onnxsim.simplify(copy)
    return onnx.shape_inference.infer_shapes(simplified)


def image_inputs(model: Any) -> frozenset[str]:
    """Rank-4 inputs that only element-wise ops which onnx2tf moves part from an op with height and width."""
    return images.image_inputs(model.graph, _PASSED, _SPATIAL)


def check_ops(model: Any, known: Iterable[str]) -> None:
    """Fails on ops that the lowering has no form for.

    Args:
        model: an ``onnx.ModelProto``.
        known: op types that can be lowered.

    Raises:
        UnsupportedOpError: lists every such op, its node and why.
    """
    known = frozenset(known)
    local = {(function.domain, function.name) for function in model.functions}
    unsupported = []
    for node in _all_nodes(model.graph):
        if (node.domain, node.op_type) in local:
            continue
        if node.domain not in _OWN_DOMAINS:
            unsupported.append((f"{node.domain}::{node.op_type}", node.name or node.output[0], "custom op"))
        elif node.op_type not in known:
            unsupported.append((node.op_type, node.name or node.output[0], "no TFLite form in this lowering"))
    if unsupported:
        kinds = sorted({op for op, _, _ in unsupported})
        raise UnsupportedOpError(
            f"{len(unsupported)} nodes cannot be lowered to TFLite: {', '.join(kinds)}",
            ops=unsupported,
            hint="replace these ops in the source model; --json lists every node",
        )


def _all_nodes(graph: Any) -> Iterable[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)


def with_gelu_form(model: Any) -> Any:
    """Rewrites exact GELU into the one form that TFLite's converter folds to its GELU op; other Erf stay.

    Before (as exporters write it)::

        d = Div(x, 1.4142); e = Erf(d); s = Add(e, 1); m = Mul(x, s); y = Mul(m, 0.5)

    After::

        d = Mul(x, 0.70710678); e = Erf(d); s = Add(e, 1); h = Mul(x, 0.5); y = Mul(h, s)
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = _Graph(copy.graph)
    for erf in [node for node in copy.graph.node if node.op_type == "Erf"]:
        if (match := graph.match_gelu(erf)) is not None:
            graph.replace_gelu(*match)
    return onnx.helper.make_model(copy.graph, opset_imports=copy.opset_import, ir_version=copy.ir_version)


class _Graph:
    """Producers, consumers and constants of one ONNX graph, for matching."""

    def __init__(self, graph: Any) -> None:
        import onnx

        self._graph = graph
        self._producer = {out: node for node in graph.node for out in node.output}
        self._users: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._constants = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)

    def match_gelu(self, erf: Any) -> tuple[str, str, list[Any]] | None:
        """The input, the output and the nodes of a GELU around this Erf, or None."""
        scaled = self._producer.get(erf.input[0])
        if scaled is None or (x := self._scaled_by_root_half(scaled)) is None:
            return None
        plus = self._only_user(erf.output[0], "Add")
        if plus is None or self._constant_operand(plus) != 1.0:
            return None
        first = self._only_user(plus.output[0], "Mul")
        if first is None:
            return None
        other = next((name for name in first.input if name != plus.output[0]), "")
        if other == x:
            # x * (1 + erf), halved after.
            last = self._only_user(first.output[0], "Mul")
            found = [erf, plus, first, last] if self._halves(last) else []
        else:
            # Halved before.
            half = self._producer.get(other)
            found = [erf, plus, first] if half is not None and self._halves(half) and x in half.input else []
        return (x, found[-1].output[0], found) if found else None

    def _halves(self, node: Any) -> bool:
        return node is not None and node.op_type == "Mul" and self._constant_operand(node) == 0.5

    def replace_gelu(self, x: str, y: str, nodes: list[Any]) -> None:
        """Puts the canonical form where the last of the matched nodes was."""
        import onnx

        place = list(self._graph.node).index(nodes[-1])
        made = [
            self._constant(f"{y}_root_half", 0.5**0.5),
            self._constant(f"{y}_one", 1.0),
            self._constant(f"{y}_half", 0.5),
            onnx.helper.make_node("Mul", [x, f"{y}_root_half"], [f"{y}_d"]),
            onnx.helper.make_node("Erf", [f"{y}_d"], [f"{y}_e"]),
            onnx.helper.make_node("Add", [f"{y}_e", f"{y}_one"], [f"{y}_s"]),
            onnx.helper.make_node("Mul", [x, f"{y}_half"], [f"{y}_h"]),
            onnx.helper.make_node("Mul", [f"{y}_h", f"{y}_s"], [y]),
        ]
        for node in nodes:
            self._graph.node.remove(node)
        for offset, node in enumerate(made):
            self._graph.node.insert(place - len(nodes) + 1 + offset, node)

    def _constant(self, name: str, value: float) -> Any:
        import onnx

        return onnx.helper.make_node(
            "Constant", [], [name], value=onnx.numpy_helper.from_array(np.float32(value).reshape(()))
        )

    def _scaled_by_root_half(self, node: Any) -> str | None:
        factor = self._constant_operand(node)
        wanted = {"Mul": 0.5**0.5, "Div": 2.0**0.5}.get(node.op_type)
        if factor is None or wanted is None or abs(factor - wanted) > 1e-4:
            return None
        return next((name for name in node.input if name not in self._constants), None)

    def _constant_operand(self, node: Any) -> float | None:
        values = [self._constants[name] for name in node.input if name in self._constants]
        return float(values[0].reshape(-1)[0]) if len(values) == 1 and values[0].size == 1 else None

    def _only_user(self, name: str, op_type: str) -> Any:
        users = self._users.get(name, [])
        return users[0] if len(users) == 1 and users[0].op_type == op_type else None


def onnx_specs(values: Iterable[Any]) -> tuple[TensorSpec, ...]:
    """Graph inputs or outputs as specs; rank-4 float images with 1, 3 or 4 channels are NCHW.

    Half and double floats are float32 here: what the file takes and gives.
    """
    import onnx

    specs = []
    for value in values:
        tensor = value.type.tensor_type
        # Paddle's exporter writes -1 for an open one.
        shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim)
        dtype = computed_dtype(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name)
        image = len(shape) == 4 and shape[1] in (1, 3, 4) and dtype in ("float32", "uint8")
        specs.append(TensorSpec(value.name, shape, dtype, "NCHW" if image else None))
    return tuple(specs)


def precision(model: Any) -> str:
    """The coarsest float type among a model's weights, inputs and casts: what its own results are good to."""
    import onnx

    kinds = onnx.TensorProto
    found = {weight.data_type for weight in model.graph.initializer}
    found |= {value.type.tensor_type.elem_type for value in model.graph.input}
    for node in _all_nodes(model.graph):
        found |= {attribute.i for attribute in node.attribute if node.op_type == "Cast" and attribute.name == "to"}
    if kinds.BFLOAT16 in found:
        return "bfloat16"
    return "float16" if kinds.FLOAT16 in found else "float32"
