"""An ONNX model made ready for the walk: functions inlined, nodes in order, weights as arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ModelError

OWN_DOMAINS = ("", "ai.onnx")
# Computed in float32: what TFLite's kernels take.
COMPUTED = {"float16": "float32", "bfloat16": "float32", "float64": "float32"}


def inlined(model: Any) -> Any:
    """The model without functions of its own: each call is replaced by its nodes.

    Raises:
        ModelError: functions call each other in a circle.
    """
    if not model.functions:
        return model
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # the C++ checker raises its own types
        raise ModelError(f"the model's functions cannot be inlined: {error}") from error


def opset_of(model: Any) -> int:
    """Version of ONNX's own op set that the model uses; 1 where it says none."""
    return max((int(entry.version) for entry in model.opset_import if entry.domain in OWN_DOMAINS), default=1)


def array_of(proto: Any, folder: str = "") -> npt.NDArray[Any]:
    """A TensorProto's values; weights beside the file are mapped from ``folder``, and take no memory of their own.

    Raises:
        ModelError: the data is not there, or of another size than the shape.
    """
    import onnx

    try:
        if proto.data_location == onnx.TensorProto.EXTERNAL and (dtype := _whole_bytes(proto.data_type)) is not None:
            return _mapped(proto, dtype, Path(folder))
        return np.asarray(onnx.numpy_helper.to_array(proto, folder))
    except Exception as error:  # numpy, protobuf and the file system share no base
        raise ModelError(
            f"weight `{proto.name}` {list(proto.dims)} cannot be read: {error}",
            hint="files with external data must lie beside the .onnx file",
        ) from error


def _whole_bytes(elem_type: int) -> np.dtype[Any] | None:
    """The dtype in which the file's bytes can be read as they lie; None where ONNX packs or renames them."""
    import onnx

    kinds = onnx.TensorProto
    plain = (kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.INT8, kinds.UINT8, kinds.INT16, kinds.UINT16)
    if elem_type not in (*plain, kinds.INT32, kinds.UINT32, kinds.INT64, kinds.UINT64, kinds.BOOL):
        return None
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).newbyteorder("<")


def _mapped(proto: Any, dtype: np.dtype[Any], folder: Path) -> npt.NDArray[Any]:
    from onnx.external_data_helper import ExternalDataInfo

    info = ExternalDataInfo(proto)
    path = (folder / info.location).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"`{info.location}` is not beside the model")
    shape = tuple(proto.dims)
    wanted = prod(shape) * dtype.itemsize
    if info.length is not None and info.length != wanted:
        raise ValueError(f"{info.length} bytes, expected {wanted}")
    if not wanted:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", info.offset or 0, shape)


def computed_dtype(dtype: str) -> str:
    """The dtype in which a value of the source is computed."""
    return COMPUTED.get(dtype, dtype)


def as_computed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values in the dtype in which they are computed; what float32 cannot hold becomes infinite, as it must."""
    wanted = computed_dtype(values.dtype.name)
    if wanted == values.dtype.name:
        return values
    with np.errstate(over="ignore"):
        return values.astype(wanted)


def dtype_name(elem_type: int) -> str:
    """Numpy's name of ONNX's element type."""
    import onnx

    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).name


def in_order(nodes: Sequence[Any], taken: Container[str]) -> list[Any]:
    """The nodes, each after those it reads; a valid graph comes back as it was.

    Args:
        nodes: of one graph.
        taken: names of the graph's own inputs and weights, which no node may make again.

    Raises:
        ModelError: a name is made twice or by none, or nodes wait for each other.
    """
    makers = _makers(nodes, taken)
    if _is_ordered(nodes, makers):
        return list(nodes)
    waiting = {i: {makers[n] for n in _reads(node) if n in makers} for i, node in enumerate(nodes)}
    return [nodes[i] for i in _sorted(waiting, nodes)]


def _is_ordered(nodes: Sequence[Any], makers: Mapping[str, int]) -> bool:
    """Whether each name that the graph itself makes is made before it is read."""
    return all(makers.get(name, -1) < i for i, node in enumerate(nodes) for name in _reads(node))


def _makers(nodes: Sequence[Any], taken: Container[str]) -> dict[str, int]:
    makers: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in taken:
                raise ModelError(f"{node.op_type} `{node.name}` makes `{name}`, the name of an input or a weight")
            if name in makers:
                raise ModelError(f"value `{name}` is made by two nodes: `{nodes[makers[name]].name}` and `{node.name}`")
            makers[name] = i
    return makers


def _sorted(waiting: Mapping[int, set[int]], nodes: Sequence[Any]) -> Iterator[int]:
    """Kahn's algorithm, the nodes' own order first."""
    left = {i: len(needs) for i, needs in waiting.items()}
    readers: dict[int, list[int]] = {}
    for i, needs in waiting.items():
        for need in needs:
            readers.setdefault(need, []).append(i)
    ready = [i for i in sorted(left, reverse=True) if not left[i]]
    count = 0
    while ready:
        current = ready.pop()
        count += 1
        yield current
        for reader in sorted(readers.get(current, []), reverse=True):
            left[reader] -= 1
            if not left[reader]:
                ready.append(reader)
    if count < len(nodes):
        stuck = ", ".join(f"{nodes[i].op_type} `{nodes[i].name}`" for i in left if left[i])
        raise ModelError(f"nodes of the graph wait for each other in a circle: {stuck[:300]}")


def _reads(node: Any) -> Iterator[str]:
    """Names that a node reads, in its own inputs and in its inner graphs."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            own = {value.name for value in graph.input} | {value.name for value in graph.initializer}
            own.update(name for inner in graph.node for name in inner.output)
            for inner in graph.node:
                yield from (name for name in _reads(inner) if name not in own)
            yield from (value.name for value in graph.output if value.name not in own)


@contextlib.contextmanager
def quiet_numpy() -> Iterator[None]:
    """Constants are folded as the source would compute them: infinities and NaN are results, not warnings."""
    with np.errstate(all="ignore"):
        yield
