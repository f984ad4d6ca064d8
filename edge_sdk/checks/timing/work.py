"""What each op of a file has to do, in the numbers that its time depends on, and which ops the engine folds away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from edge_sdk.artifact.compute import compute_type, macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.checks.delegates.xnnpack.nodes import Node
from edge_sdk.checks.delegates.xnnpack.rewrites import CLAMPS, RESHAPES, merge_clamps, merge_padding, merge_reshapes
from edge_sdk.checks.placement.partition import Partition, partition
from edge_sdk.checks.placement.rule_sets import place_by

APP_ENGINE = "tensorflow-lite"
"""What the Android app brings with it."""
RULES = {
    "ai-edge-litert": "xnnpack",
    "tflite-runtime": "xnnpack_tflite_runtime",
    APP_ENGINE: "xnnpack_tensorflow_lite",
}
"""Engine to the rules that its XNNPACK follows."""
XNNPACK, PLAIN = "xnnpack", "cpu"
PRODUCTS = frozenset({"pointwise", "convolution", "stem", "grouped", "dense", "matmul", "transposed"})
DEPTHWISE = "depthwise"
_FEW_CHANNELS = 4
# XNNPACK's depthwise kernels (src/configs/dwconv-config.c); windows of more go another way, ten times as slow in int8.
_TAPS = (9, 25)
_ELEMENTWISE = frozenset(
    {"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU", "POW", "FLOOR_DIV"}
)
_MERGED = frozenset({"PAD", *RESHAPES, *CLAMPS})
# Products without windows: of the others' kernels no such thing was seen.
_LEAVING = frozenset({"pointwise", "dense"})
_PREPARED = frozenset({"DEQUANTIZE", "DENSIFY"})


@dataclass(frozen=True)
class Work:
    """One op's amounts.

    Attributes:
        kind: ``pointwise``, ``convolution``, ``stem`` (of an image's few channels), ``grouped``, ``depthwise``
            (in XNNPACK with the taps of the kernel that takes it: 9, 25 or ``wide``),
            ``dense``, ``matmul``, ``transposed``; of all else the op's name, and `` broadcast`` where operands differ
            in size.
        arithmetic: as :func:`~edge_sdk.artifact.compute.compute_type` has it; ``hybrid_int4`` for weights of 4 bits.
        place: ``xnnpack``, or ``cpu`` for the engine's own kernels.
        rows: values that stand for places: height by width by batch of the result, or rows of a product.
        columns: channels of the result.
        depth: products summed into one value; for windows without weights their size; 1 for all else.
        taps: places of a convolution's window, each of which is a short product of its own; 1 for all else.
        read_bytes: of values that are not constants.
        written_bytes: of results.
        weight_bytes: of constants, as they are when the model runs: float16 weights were widened when it was opened.
        behind_product: whether it runs in the engine's own kernels right behind a product of dynamic range by XNNPACK,
            whose kernels may leave vector registers so that other code is slow: three times on Zen 5 (measured).
    """

    kind: str
    arithmetic: str
    place: str
    rows: int
    columns: int
    depth: int
    taps: int
    read_bytes: int
    written_bytes: int
    weight_bytes: int
    behind_product: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What only like can be compared with."""
        return self.kind, self.arithmetic, self.place

    @property
    def macs(self) -> int:
        """Multiply-accumulates, of what has them."""
        return self.rows * self.columns * self.depth


@dataclass(frozen=True)
class Placed:
    """One op with its work; None where the engine folds the op into another, prepares it once or only renames."""

    op: Op
    result: str
    place: str
    work: Work | None


@dataclass(frozen=True)
class Workload:
    """A file as an engine runs it: ops in order, and how often values cross between XNNPACK and the rest."""

    ops: tuple[Placed, ...]
    partitions: int
    border_bytes: int
    weight_bytes: int


def workload(artifact: Artifact, engine: str, version: str | None, *, plain: bool = False) -> Workload:
    """What the main subgraph has to do, placed by the rules of an engine's XNNPACK.

    Args:
        artifact: the file.
        engine: key of :data:`RULES`.
        version: of the engine; None for the one whose rules were read first.
        plain: without XNNPACK.
    """
    return workload_of(artifact.main, engine, version, plain=plain)


def workload_of(graph: Subgraph, engine: str, version: str | None, *, plain: bool = False) -> Workload:
    """Likewise, of a subgraph that need not be in a file."""
    claimed = () if plain else place_by(RULES[engine], graph, engine=version).claimed
    parts = partition(graph, claimed)
    folded = {index for part in parts if part.delegated for index in _folded(graph, part)} | _prepared(graph)
    inside = {index for part in parts if part.delegated for index in part.ops}
    ready = frozenset(output for index in _prepared(graph) for output in graph.ops[index].outputs)
    placed = (_placed(graph, op, XNNPACK if op.index in inside else PLAIN, folded, ready) for op in graph.ops)
    ops = tuple(_behind_products(placed))
    delegated = [part for part in parts if part.delegated]
    border = sum(_border(graph, part) for part in delegated)
    return Workload(ops, len(parts), border, sum(one.work.weight_bytes for one in ops if one.work))


def _prepared(graph: Subgraph) -> set[int]:
    """Constants that are unpacked once: by XNNPACK when the file is opened, by the engine's kernels in the first run.

    (``dequantize.cc`` and ``densify.cc`` of TFLite keep what they made of a constant.)
    """
    fixed = {tensor.index for tensor in graph.tensors if tensor.is_stored}
    found = set()
    for op in graph.ops:
        # Sparse weights of 16 bits are unpacked twice.
        if op.name in _PREPARED and op.inputs[0] in fixed:
            found.add(op.index)
            fixed.update(op.outputs)
    return found


def _border(graph: Subgraph, part: Partition) -> int:
    """Bytes that enter and leave in each run: of values, not of constants that were unpacked once."""
    fixed = {output for index in _prepared(graph) for output in graph.ops[index].outputs}
    crossing = (graph.tensors[index] for index in (*part.inputs, *part.outputs) if index not in fixed)
    return sum(tensor.size_bytes for tensor in crossing if not tensor.is_stored)


def _placed(graph: Subgraph, op: Op, place: str, folded: set[int], ready: Collection[int]) -> Placed:
    result = next((tensor.name for tensor in graph.results(op)), "")
    return Placed(op, result, place, None if op.index in folded else work_of(graph, op, place, ready))


def _behind_products(placed: Iterable[Placed]) -> Iterator[Placed]:
    """In the order in which they run: any kernel of XNNPACK but these products leaves registers as it should."""
    behind = False
    for one in placed:
        work = one.work
        if work is not None and work.place == XNNPACK:
            behind = work.kind in _LEAVING and work.arithmetic.startswith("hybrid")
        yield replace(one, work=replace(work, behind_product=True)) if work and work.place == PLAIN and behind else one


def work_of(graph: Subgraph, op: Op, place: str, ready: Collection[int] = ()) -> Work:
    """One op's amounts; see :class:`Work`. ``ready``: values that were made of constants when the file was opened."""
    kind, rows, columns, depth = _extents(graph, op)
    if kind == DEPTHWISE and place == XNNPACK:
        kind = f"{DEPTHWISE} {next((most for most in _TAPS if depth <= most), 'wide')}"
    operands, results = graph.operands(op), graph.results(op)
    fixed = {tensor.index: tensor for tensor in operands if tensor.is_stored or tensor.index in ready}
    return Work(
        kind=kind,
        arithmetic=_arithmetic(graph, op),
        place=place,
        rows=rows,
        columns=columns,
        depth=depth,
        taps=_taps(graph, op),
        read_bytes=sum(tensor.size_bytes for tensor in operands if tensor.index not in fixed),
        written_bytes=sum(tensor.size_bytes for tensor in results),
        weight_bytes=sum(tensor.size_bytes for tensor in fixed.values()),
    )


def _taps(graph: Subgraph, op: Op) -> int:
    return prod(graph.tensors[op.inputs[1]].shape[1:3]) if op.name == "CONV_2D" else 1


def _arithmetic(graph: Subgraph, op: Op) -> str:
    found = compute_type(graph, op)
    if found == "hybrid_int8" and any(tensor.dtype == "int4" for tensor in graph.operands(op)):
        return "hybrid_int4"
    if found == "convert":
        return "-".join(tensor.dtype for tensor in (*graph.operands(op)[:1], *graph.results(op)[:1]))
    return found


def _extents(graph: Subgraph, op: Op) -> tuple[str, int, int, int]:
    """Kind, rows, columns, depth."""
    if not op.outputs:
        return op.name, 0, 0, 0
    out = graph.results(op)[0]
    columns = out.shape[-1] if out.shape else 1
    made = _EXTENTS.get(op.name, _plain)
    return made(graph, op, prod(out.shape[:-1]), columns)


def _custom_transposed(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    """MediaPipe's, whose data goes first."""
    del rows
    data, weights = (graph.tensors[index] for index in op.inputs[:2])
    _, height, width, channels = weights.shape
    return "transposed", prod(data.shape[:-1]), columns * height * width, channels


def _copied(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    """What only renames sizes is the same copy in the engine's own kernels, whatever it is called."""
    del graph, op
    return "RESHAPE", rows, columns, 1


def _plain(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    return _elementwise_kind(graph, op, graph.results(op)[0]), rows, columns, 1


def _dense(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    return "dense", rows, columns, graph.tensors[op.inputs[1]].shape[-1]


def _matmul(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    return "matmul", rows, columns, macs(graph, op) // max(1, rows * columns)


def _window(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    del graph
    return op.name, rows, columns, op.options["filter_height"] * op.options["filter_width"]


def _convolution(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    weights = graph.tensors[op.inputs[1]]
    _, height, width, channels = weights.shape
    if op.name == "DEPTHWISE_CONV_2D":
        return DEPTHWISE, rows, columns, height * width
    if op.name == "TRANSPOSE_CONV":
        data = graph.tensors[op.inputs[2]]
        return "transposed", prod(data.shape[:-1]), columns * height * width, channels
    depth = height * width * channels
    of_input = graph.tensors[op.inputs[0]].shape[-1]
    if of_input != channels:
        # As many groups as channels: XNNPACK takes its depthwise kernels for it.
        alone = channels == 1 and columns == of_input
        return DEPTHWISE if alone else "grouped", rows, columns, depth
    if of_input <= _FEW_CHANNELS:
        return "stem", rows, columns, depth
    plain = height == width == 1 and op.options["stride_h"] == op.options["stride_w"] == 1
    return "pointwise" if plain else "convolution", rows, columns, depth


def _reduction(graph: Subgraph, op: Op, rows: int, columns: int) -> tuple[str, int, int, int]:
    """Over the last axis or over others: kernels differ. ``depth`` is what goes into one value."""
    del rows
    data, out = graph.tensors[op.inputs[0]], graph.results(op)[0]
    axes = graph.tensors[op.inputs[1]] if len(op.inputs) > 1 else None
    rank = len(data.shape)
    listed = (
        [int(a) % rank for a in axes.values().reshape(-1)] if axes is not None and axes.constant is not None else []
    )
    kind = f"{op.name} last" if rank - 1 in listed else op.name
    columns = data.shape[-1] if data.shape else 1
    return kind, max(1, out.elements // max(1, columns)), columns, max(1, data.elements // max(1, out.elements))


def _elementwise_kind(graph: Subgraph, op: Op, out: Tensor) -> str:
    """One number beside a picture is no row to begin anew: it takes the kernel of equal sizes, and has less to read."""
    if op.name in _ELEMENTWISE and any(tensor.elements not in (1, out.elements) for tensor in graph.operands(op)):
        return f"{op.name} broadcast"
    return op.name


_EXTENTS: dict[str, Callable[[Subgraph, Op, int, int], tuple[str, int, int, int]]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), _convolution),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), _window),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "ARG_MAX", "ARG_MIN"), _reduction),
    **dict.fromkeys(("EXPAND_DIMS", "SQUEEZE"), _copied),
    "CUSTOM:Convolution2DTransposeBias": _custom_transposed,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matmul,
}


def _folded(graph: Subgraph, part: Partition) -> Iterator[int]:
    """Ops of a partition that leave no operator of their own in XNNPACK's runtime.

    Weights are unpacked when the file is opened; padding goes into a convolution, a RELU into the layer before it, and
    of two reshapes in a row the first goes: :mod:`edge_sdk.checks.delegates.xnnpack.rewrites`. In 8 bits a value times
    its own LOGISTIC is looked up in one table, as the profiler of LiteRT 2.3 shows of EfficientNet.
    """
    ops = [graph.ops[index] for index in part.ops]
    prepared = _prepared(graph) & set(part.ops)
    inner = {index for op in ops for index in op.outputs} - set(part.outputs)
    fixed = {index for op in ops if op.index in prepared for index in op.outputs}
    nodes = [_node(graph, op, fixed) for op in ops if op.index not in prepared]
    yield from _swishes(graph, ops)
    merged = merge_reshapes(merge_clamps(merge_padding(graph, nodes), inner))
    standing = {(node.name, value) for node in merged for value in node.outputs}
    for op in ops:
        if op.name in _MERGED and (op.name, op.outputs[0]) not in standing:
            yield op.index


def _swishes(graph: Subgraph, ops: Sequence[Op]) -> Iterator[int]:
    """Products of an 8-bit value and its own LOGISTIC, which nothing else reads."""
    logistic = {op.outputs[0]: op.inputs[0] for op in ops if op.name == "LOGISTIC"}
    readers = Counter(index for op in graph.ops for index in set(op.inputs))
    for op in ops:
        if op.name != "MUL" or graph.tensors[op.outputs[0]].dtype not in ("int8", "uint8"):
            continue
        for gate, value in (op.inputs[:2], op.inputs[1::-1]):
            if logistic.get(gate) == value and readers[gate] == 1:
                yield op.index


def _node(graph: Subgraph, op: Op, fixed: set[int]) -> Node:
    inputs = (index for index in op.inputs if index >= 0 and not graph.tensors[index].is_stored and index not in fixed)
    return Node(op.name, tuple(inputs), op.outputs)
