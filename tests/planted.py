"""Small networks by seed, their right int8 files, and the same with one fault each. Needs TensorFlow's quantizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.model import Op, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

SIDE = 8
_SAME = 0


def float_model(seed: int) -> bytes:
    """``image (1, 8, 8, 3)`` through a stem, two to five blocks drawn by seed, and the heads ``a``, ``b`` and ``p``."""
    rng = np.random.default_rng(seed)
    graph = Graph()
    image = graph.tensor("image", (1, SIDE, SIDE, 3))
    channels = int(rng.integers(2, 5)) * 4
    x = _convolution(graph, rng, image, (3, channels), "stem")
    for place in range(int(rng.integers(2, 6))):
        x = _BLOCKS[int(rng.integers(len(_BLOCKS)))](graph, rng, x, channels, f"block{place}")
    x = _gather(graph, rng, x, channels, "picked")
    pooled = graph.tensor("pooled", (1, channels))
    graph.op("MEAN", (x, graph.constant("axes", np.array([1, 2], np.int32))), (pooled,), options("ReducerOptions"))
    heads = [_dense(graph, rng, pooled, channels, name) for name in ("a", "b", "logits")]
    p = graph.tensor("p", (1, 6))
    graph.op("SOFTMAX", (heads[2],), (p,), options("SoftmaxOptions", beta=1.0))
    return graph.finish((image,), (heads[0], heads[1], p))


def samples(seed: int, count: int = 24) -> Iterator[Arrays]:
    """Images of a brightness and contrast of their own."""
    rng = np.random.default_rng(seed + 1000)
    for _ in range(count):
        one = rng.standard_normal((1, SIDE, SIDE, 3)) * rng.uniform(0.5, 1.5) + rng.normal(size=(1, 1, 1, 3))
        yield {"image": one.astype(np.float32)}


def int8_model(data: bytes, seed: int, folder: Path) -> tuple[bytes, bytes]:
    """The right int8 file, as convert makes it, and the float file that explains its constants and corrected biases."""
    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    source, target = folder / f"{seed}.tflite", folder / f"{seed}_int8.tflite"
    source.write_bytes(data)
    specs = specs_of(parse_artifact(data).signature.inputs)
    store, _ = spool(DataSource("seeded", None, lambda: samples(seed)), specs, folder / f"samples_{seed}")
    made = quantize(str(source), str(target), find_recipe("int8").as_json(), str(store.folder), {})
    explained = Path(made.get("explained", source)).read_bytes()
    from edge_sdk.converters.layout import Port
    from edge_sdk.converters.proving.finish import finish

    return finish(target.read_bytes(), [Port("image")], [Port(n) for n in ("a", "b", "p")], {}), explained


def scale_off(data: bytes, seed: int) -> bytes:
    """One scale is 2 % too large: of the weights of one layer, or of what it reads."""
    root, tensor, _ = _weights_of_some_layer(data, seed)
    if seed // len(FAULTS) % 2:
        tensor = root.subgraphs[0].tensors[some_layer(data, seed).inputs[0]]
    tensor.quantization.scale = np.asarray(tensor.quantization.scale, np.float32) * np.float32(1.02)
    return pack_tree(root)


def some_layer(data: bytes, seed: int) -> Op:
    """The layer that a fault is planted in."""
    ops = parse_artifact(data).main.ops
    layers = [op for op in ops if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]
    return layers[seed % len(layers)]


def channel_zeroed(data: bytes, seed: int) -> bytes:
    """One output channel of one layer has no weights."""
    root, tensor, values = _weights_of_some_layer(data, seed)
    moved = np.moveaxis(values, tensor.quantization.quantized_dimension, 0)
    moved[seed % len(moved)] = 0
    return _stored(root, tensor, values)


def sign_flipped(data: bytes, seed: int) -> bytes:
    """The largest weight of one layer has the wrong sign."""
    root, tensor, values = _weights_of_some_layer(data, seed)
    flat = values.reshape(-1)
    flat[np.argmax(np.abs(flat.astype(np.int32)))] *= -1
    return _stored(root, tensor, values)


def outputs_swapped(data: bytes, seed: int) -> bytes:
    """``a`` and ``b`` have changed places."""
    root, _ = parse_tree(data)
    first, second, *_ = root.signature_defs[0].outputs
    first.tensor_index, second.tensor_index = second.tensor_index, first.tensor_index
    return pack_tree(root)


def index_off(data: bytes, seed: int) -> bytes:
    """One index of a GATHER is the next one."""
    root, artifact = parse_tree(data)[0], parse_artifact(data)
    op = next(op for op in artifact.main.ops if op.name == "GATHER")
    tensor = root.subgraphs[0].tensors[op.inputs[1]]
    values = artifact.main.tensors[op.inputs[1]].values().copy()
    place = seed % len(values)
    values[place] = (values[place] + 1) % len(values)
    return _stored(root, tensor, values)


FAULTS: dict[str, Callable[[bytes, int], bytes]] = {
    "scale": scale_off,
    "channel": channel_zeroed,
    "sign": sign_flipped,
    "swap": outputs_swapped,
    "index": index_off,
}


def _weights_of_some_layer(data: bytes, seed: int) -> tuple[Node, Node, npt.NDArray[np.int8]]:
    root, artifact = parse_tree(data)[0], parse_artifact(data)
    index = some_layer(data, seed).inputs[1]
    return root, root.subgraphs[0].tensors[index], artifact.main.tensors[index].values().copy()


def _stored(root: Node, tensor: Node, values: npt.NDArray[Any]) -> bytes:
    root.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return pack_tree(root)


def _convolution(graph: Graph, rng: Any, x: int, extents: tuple[int, int], name: str) -> int:
    inner, outer = extents
    weights = rng.standard_normal((outer, 3, 3, inner)) / np.sqrt(9 * inner)
    y = graph.tensor(name, (1, SIDE, SIDE, outer))
    fields = options("Conv2DOptions", padding=_SAME, stride_w=1, stride_h=1, fused_activation_function=1)
    graph.op("CONV_2D", (x, *_constants(graph, rng, weights, outer, name)), (y,), fields)
    return y


def _conv_block(graph: Graph, rng: Any, x: int, channels: int, name: str) -> int:
    return _convolution(graph, rng, x, (channels, channels), name)


def _depthwise(graph: Graph, rng: Any, x: int, channels: int, name: str) -> int:
    y = graph.tensor(name, (1, SIDE, SIDE, channels))
    fields = options("DepthwiseConv2DOptions", padding=_SAME, stride_w=1, stride_h=1, depth_multiplier=1)
    weights = rng.standard_normal((1, 3, 3, channels)) / 3
    graph.op("DEPTHWISE_CONV_2D", (x, *_constants(graph, rng, weights, channels, name)), (y,), fields)
    return y


def _residual(graph: Graph, rng: Any, x: int, channels: int, name: str) -> int:
    inner = _convolution(graph, rng, x, (channels, channels), f"{name}_inner")
    y = graph.tensor(name, (1, SIDE, SIDE, channels))
    graph.op("ADD", (x, inner), (y,), options("AddOptions"))
    return y


def _squash(graph: Graph, rng: Any, x: int, channels: int, name: str) -> int:
    y, z = graph.tensor(name, (1, SIDE, SIDE, channels)), graph.tensor(f"{name}_gated", (1, SIDE, SIDE, channels))
    graph.op("LOGISTIC", (x,), (y,))
    graph.op("MUL", (x, y), (z,), options("MulOptions"))
    return z


def _gather(graph: Graph, rng: Any, x: int, channels: int, name: str) -> int:
    order = graph.constant(f"{name}_order", rng.permutation(channels).astype(np.int32))
    y = graph.tensor(name, (1, SIDE, SIDE, channels))
    graph.op("GATHER", (x, order), (y,), options("GatherOptions", axis=3))
    return y


def _dense(graph: Graph, rng: Any, x: int, channels: int, name: str) -> int:
    y = graph.tensor(name, (1, 6))
    weights = 2 * rng.standard_normal((6, channels)) / np.sqrt(channels)
    graph.op("FULLY_CONNECTED", (x, *_constants(graph, rng, weights, 6, name)), (y,), options("FullyConnectedOptions"))
    return y


def _constants(graph: Graph, rng: Any, weights: Any, count: int, name: str) -> tuple[int, int]:
    bias = graph.constant(f"{name}_bias", (0.3 * rng.standard_normal(count)).astype(np.float32))
    return graph.constant(f"{name}_weights", weights.astype(np.float32)), bias


_BLOCKS = (_conv_block, _depthwise, _residual, _squash)
