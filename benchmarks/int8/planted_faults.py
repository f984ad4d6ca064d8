"""One fault in an int8 file, drawn by seed, and what a message about it must name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact, Op, Subgraph, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree

LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
# Places of data, weights and bias among a layer's operands.
_PLACES = {"TRANSPOSE_CONV": (2, 1, 3)}
_USUAL = (0, 1, 2)
_OFF = np.float32(1.02)
Planted = tuple[bytes, tuple[str, ...]] | None
"""The file with a fault, and what a message about it may name; None where the file has no place for it."""


def constant_scale(data: bytes, rng: np.random.Generator) -> Planted:
    """The scale of one op's int8 constant is 2 % too large, of a layer's bias with it."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    stored = [(op, place) for op in graph.ops for place, index in enumerate(op.inputs) if _is_int8(graph, index)]
    if not stored:
        return None
    op, place = stored[int(rng.integers(len(stored)))]
    with_bias = [_operand(op, 2)] if op.name in LAYERS else []
    for index in [op.inputs[place], *with_bias]:
        if index >= 0:
            _larger(root.subgraphs[0].tensors[index])
    return pack_tree(root), (text_of(op),)


def _is_int8(graph: Subgraph, index: int) -> bool:
    if index < 0:
        return False
    tensor = graph.tensors[index]
    return tensor.constant is not None and tensor.dtype == "int8" and tensor.quantization is not None


def read_scale(data: bytes, rng: np.random.Generator) -> Planted:
    """The scale of what one layer with a bias reads is 2 % too large: its bias is added by that.

    Elsewhere a result of another scale is no fault, for its kernel rounds to the scale that the file says.
    """
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    scaled = [op for op in graph.ops if op.name in LAYERS and _has_bias(graph, op)]
    if not scaled:
        return None
    op = scaled[int(rng.integers(len(scaled)))]
    read = _operand(op, 0)
    _larger(root.subgraphs[0].tensors[read])
    made = [one for one in graph.ops if read in (*one.outputs, *one.inputs)]
    return pack_tree(root), tuple(text_of(one) for one in (op, *made))


def _has_bias(graph: Subgraph, op: Op) -> bool:
    bias = _operand(op, 2)
    return bias >= 0 and graph.tensors[op.inputs[1]].dtype == "int8" and bool(np.any(graph.tensors[bias].values()))


def _operand(op: Op, which: int) -> int:
    """A layer's data, weights or bias; -1 where it has none."""
    place = _PLACES.get(op.name, _USUAL)[which]
    return op.inputs[place] if place < len(op.inputs) else -1


def channel_zeroed(data: bytes, rng: np.random.Generator) -> Planted:
    """One output channel of one layer has no weights; one whose weights are not zero anyway."""

    def zero(values: npt.NDArray[Any], axis: int) -> None:
        moved = np.moveaxis(values, axis, 0)
        alive = np.flatnonzero(moved.reshape(len(moved), -1).any(1))
        moved[alive[int(rng.integers(len(alive)))]] = 0

    return with_weights(data, some_layer(data, rng), zero)


def sign_flipped(data: bytes, rng: np.random.Generator) -> Planted:
    """The largest weight of one layer has the wrong sign."""

    def flip(values: npt.NDArray[Any], _: int) -> None:
        flat = values.reshape(-1)
        flat[np.argmax(np.abs(flat.astype(np.int32)))] *= -1

    return with_weights(data, some_layer(data, rng), flip)


def outputs_swapped(data: bytes, _: np.random.Generator) -> Planted:
    """Two outputs of one shape have changed places; of any shape where there are no such two."""
    root, artifact = parse_tree(data)[0], parse_artifact(data)
    ports = root.signature_defs[0].outputs
    if len(ports) < 2:
        return None
    shapes = [tuple(artifact.main.tensors[port.tensor_index].shape) for port in ports]
    pairs = [(i, j) for i in range(len(ports)) for j in range(i)]
    i, j = next(((i, j) for i, j in pairs if shapes[i] == shapes[j]), pairs[0])
    ports[i].tensor_index, ports[j].tensor_index = ports[j].tensor_index, ports[i].tensor_index
    names = [bytes(ports[k].name).decode() if not isinstance(ports[k].name, str) else ports[k].name for k in (i, j)]
    return pack_tree(root), tuple(f"output `{name}`" for name in names)


def index_off(data: bytes, rng: np.random.Generator) -> Planted:
    """One index of a GATHER is the next one, or a slice begins one place later (earlier at the end)."""
    root, artifact = parse_tree(data)[0], parse_artifact(data)
    graph = artifact.main
    places = [op for op in graph.ops if op.name in _INDEXED and graph.tensors[op.inputs[1]].constant is not None]
    places = [op for op in places if _room(artifact, op)]
    if not places:
        return None
    op = places[int(rng.integers(len(places)))]
    moves = 2 if op.name == "STRIDED_SLICE" else 1
    axis, step = _room(artifact, op)[0]
    for place in range(1, 1 + moves):
        tensor = root.subgraphs[0].tensors[op.inputs[place]]
        values = graph.tensors[op.inputs[place]].values().copy()
        values.reshape(-1)[axis] += step
        own(root, tensor, values)
    return pack_tree(root), (text_of(op),)


_INDEXED = ("GATHER", "SLICE", "STRIDED_SLICE")


def _room(artifact: Artifact, op: Op) -> list[tuple[int, int]]:
    """Elements of the operand of indices that may be one more or less, and stay inside."""
    graph = artifact.main
    extents, made = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
    values = graph.tensors[op.inputs[1]].values().reshape(-1)
    if op.name == "GATHER":
        rows = extents[op.options.get("axis", 0)]
        return [(0, 1 if values[0] + 1 < rows else -1)] if rows > 1 and len(values) else []
    if op.name == "STRIDED_SLICE":
        if any(op.options.get(mask, 0) for mask in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask")):
            return []
        if graph.tensors[op.inputs[2]].constant is None or len(made) != len(extents):
            return []
    free = [axis for axis in range(len(extents)) if made[axis] < extents[axis]]
    return [(axis, 1 if values[axis] + made[axis] < extents[axis] else -1) for axis in free]


FAULTS: dict[str, Callable[[bytes, np.random.Generator], Planted]] = {
    "scale of a constant 2 % off": constant_scale,
    "scale of what a layer reads 2 % off": read_scale,
    "channel zeroed": channel_zeroed,
    "sign of the largest weight": sign_flipped,
    "outputs swapped": outputs_swapped,
    "index off by one": index_off,
}
TIMES = {"scale of a constant 2 % off": 2, "channel zeroed": 2, "sign of the largest weight": 2}
"""How often one is planted in a file, if more than once."""


def some_layer(data: bytes, rng: np.random.Generator) -> Op | None:
    """A layer with weights in int8; None where there is none."""
    graph = parse_artifact(data).main
    layers = [op for op in graph.ops if op.name in LAYERS and graph.tensors[op.inputs[1]].dtype == "int8"]
    return layers[int(rng.integers(len(layers)))] if layers else None


def with_weights(data: bytes, op: Op | None, change: Callable[[npt.NDArray[Any], int], None]) -> Planted:
    """A layer's weights, changed in place by a function of them and of their channels' axis."""
    root = parse_tree(data)[0]
    if op is None:
        return None
    tensor = root.subgraphs[0].tensors[op.inputs[1]]
    values = parse_artifact(data).main.tensors[op.inputs[1]].values().copy()
    before = values.copy()
    change(values, int(tensor.quantization.quantized_dimension))
    if np.array_equal(before, values):
        return None
    own(root, tensor, values)
    return pack_tree(root), (text_of(op),)


def text_of(op: Op) -> str:
    """As messages name it."""
    return f"{op.name} {op.index} "


def own(root: Node, tensor: Node, values: npt.NDArray[Any]) -> None:
    """Gives a tensor a buffer of its own: others may share the old one."""
    root.buffers.append(new_node(schema(), "Buffer", data=np.frombuffer(values.tobytes(), np.uint8)))
    tensor.buffer = len(root.buffers) - 1


def _larger(tensor: Node) -> None:
    tensor.quantization.scale = np.asarray(tensor.quantization.scale, np.float32) * _OFF
