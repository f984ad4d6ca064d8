"""RNN, LSTM and GRU.

Measured on an AMD EPYC, one thread, ai-edge-litert 2.1, an LSTM of width 64 over steps of 64, smallest of 40 runs.
100 steps: unrolled 162 us in float32 and 99 us in int8; as a WHILE of single steps 304 us, of 16 steps a round 225
us; TFLite's own UNIDIRECTIONAL_SEQUENCE_LSTM 318 us, and it keeps its state from run to run; its older LSTM op 295
us; ONNX Runtime's float LSTM 118 us. 400 steps: unrolled 2616 us (a cliff whose cause was not measured); a WHILE of
16 steps a round 887 us; ONNX Runtime 464 us. So steps become ops where there are not too many, with the product of
input and weights before them: one FULLY_CONNECTED for all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.bodies import repeat
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.fitting import contradiction
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import with_axis
from edge_sdk.converters.lower.direct.ops.moving.shape import concat, sliced, split, transpose
from edge_sdk.converters.lower.direct.ops.products.matmul import axis_last
from edge_sdk.converters.lower.direct.ops.steps.cells import CELLS, State, Step, Weights, product
from edge_sdk.converters.lower.direct.ops.steps.stepping import element, packed, placed, unpacked
from edge_sdk.converters.lower.direct.value import Value, plain

# More steps are a WHILE: a file has some 150 bytes for each op, and an engine prepares each when it loads the file.
_UNROLLED = 128
# Steps in the body of a WHILE: each of its rounds copies what is carried.
_CHUNK = 16


@dataclass(frozen=True)
class _Layer:
    """One direction of a layer.

    Attributes:
        step: the cell.
        weights: of the recurrent product.
        projected: the input's product, ``[steps, batch, gates * hidden]``, in the cell's parts.
        start: the state before the first step.
        runs: ``[steps, batch, 1]``, whether a sequence has this step; None where all have all.
        backwards: whether the last step comes first.
        wants_rows: whether the hidden state of every step is asked for.
    """

    step: Step
    weights: Weights
    projected: tuple[Value, ...]
    start: State
    runs: Value | None
    backwards: bool
    wants_rows: bool

    @property
    def count(self) -> int:
        return self.projected[0].shape[0]


@dataclass(frozen=True)
class _Result:
    """``rows``: ``[steps, batch, hidden]``, or None where nobody asks; ``state``: the last."""

    rows: Value | None
    state: tuple[Tensor, ...]


def _recurrent(builder: Builder, node: Node) -> list[Value | None]:
    _refuse(node)
    directions = [_directed(builder, node, i) for i in range(node.input(1).shape[0])]
    steps = directions[0].count
    run = _unrolled if node.unroll or steps <= _UNROLLED else _looped
    results = [run(builder, layer) for layer in directions]
    batch_first = bool(node.attribute("layout", 0))
    rows = _joined_rows(builder, [result.rows for result in results if result.rows is not None])
    states = [_joined_states(builder, column) for column in zip(*(result.state for result in results), strict=True)]
    if batch_first:
        rows = None if rows is None else transpose(rows, (2, 0, 1, 3))
        states = [transpose(state, (1, 0, 2)) for state in states]
    return [rows, *states]


def _refuse(node: Node) -> None:
    if node.given(7):
        raise NoFormError("an LSTM with peephole weights (input P)")
    shapes = [node.input(place).shape for place in (0, 1)]
    if [len(shape) for shape in shapes] != [3, 3] or shapes[0][-1] != shapes[1][-1]:
        raise contradiction(node.name or node.op, shapes, f"are no sequence and weights of one {node.op}")
    if node.input(0).shape[0 if not node.attribute("layout", 0) else 1] == 0:
        raise NoFormError("a sequence without a step")


# --- what a direction needs ---------------------------------------------------------------------------------------


def _directed(builder: Builder, node: Node, i: int) -> _Layer:
    cell = CELLS[node.op]
    x = node.input(0)
    if node.attribute("layout", 0):
        x = transpose(x, (1, 0, 2))
    recurrent = _of_direction(builder, node.input(2), i)
    hidden = recurrent.shape[1]
    sizes = [part * hidden for part in cell.parts]
    of_input, of_state = _biases(builder, node, i, sum(sizes))
    projected = _projected(builder, x, _of_direction(builder, node.input(1), i), of_input)
    return _Layer(
        step=cell.step(node, i),
        weights=Weights(_divided(builder, recurrent, 0, sizes), of_state, hidden),
        projected=_divided(builder, projected, 2, sizes),
        start=tuple(_start(builder, node, 5 + place, i) for place in range(cell.states)),
        runs=_runs(builder, node, x),
        backwards=node.attribute("direction", "forward") == "reverse" or i == 1,
        wants_rows=bool(node.outputs and node.outputs[0]),
    )


def _of_direction(builder: Builder, value: Value, i: int) -> Value:
    return builder.fixed(value.data[i]) if value.is_constant else element(builder, value, 0, i)


def _biases(builder: Builder, node: Node, i: int, width: int) -> tuple[Value | None, Value | None]:
    """What is added to the input's product, and what to the state's: the latter only where a GRU resets after it."""
    if not node.given(3):
        return None, None
    both = _of_direction(builder, node.input(3), i)
    first, second = (sliced(builder, both, {0: range(k * width, (k + 1) * width)}) for k in (0, 1))
    if not node.attribute("linear_before_reset", 0):
        return _sum(builder, first, second), None
    kept, last = range(width // 3 * 2), range(width // 3 * 2, width)
    joined = [
        _sum(builder, *(sliced(builder, v, {0: kept}) for v in (first, second))),
        sliced(builder, first, {0: last}),
    ]
    rest = sliced(builder, second, {0: last})
    if all(value.is_constant for value in joined):
        return builder.fixed(np.concatenate([value.data for value in joined])), rest
    return concat(builder, joined, 0), rest


def _sum(builder: Builder, a: Value, b: Value) -> Value:
    if a.is_constant and b.is_constant:
        return builder.fixed(a.data + b.data)
    return binary(builder, "ADD", [a, b])


def _projected(builder: Builder, x: Value, weights: Value, bias: Value | None) -> Value:
    order = axis_last(x, 2)
    return Value(product(builder, builder.arranged(x, order), weights, bias), order)


def _divided(builder: Builder, x: Value, axis: int, sizes: Sequence[int]) -> tuple[Value, ...]:
    if len(sizes) == 1:
        return (x,)
    if not x.is_constant:
        return tuple(split(builder, x, axis, sizes))
    return tuple(builder.fixed(part) for part in np.split(x.data, np.cumsum(sizes)[:-1], axis))


def _start(builder: Builder, node: Node, place: int, i: int) -> Tensor | None:
    """The first state, ``[batch, hidden]``; None where it is zero."""
    if not node.given(place):
        return None
    value = node.input(place)
    if value.is_constant and not np.any(value.data):
        return None
    whole = transpose(value, (1, 0, 2)) if node.attribute("layout", 0) else value
    return builder.arranged(_of_direction(builder, whole, i))


def _runs(builder: Builder, node: Node, x: Value) -> Value | None:
    """Which sequences have which steps, from their lengths."""
    if not node.given(4):
        return None
    lengths, (steps, batch) = node.input(4), x.shape[:2]
    numbers = np.arange(steps, dtype=np.int32).reshape(steps, 1, 1)
    if not lengths.is_constant:
        row = builder.reshaped(builder.cast(lengths.tensor, "int32"), (1, batch, 1))
        return binary(builder, "LESS", [builder.fixed(numbers), plain(row)], "bool")
    known = lengths.data.reshape(1, batch, 1)
    return None if np.all(known >= steps) else builder.fixed(numbers < known)


# --- steps --------------------------------------------------------------------------------------------------------


def _unrolled(builder: Builder, layer: _Layer) -> _Result:
    state, rows = _steps(builder, layer, layer.projected, layer.runs, layer.start)
    return _Result(_packed_rows(builder, layer, rows) if layer.wants_rows else None, _known(builder, layer, state))


def _steps(
    builder: Builder, layer: _Layer, projected: Sequence[Value], runs: Value | None, state: State
) -> tuple[State, list[Tensor]]:
    """Steps one after the other, the last first if it runs backwards; the rows that they give are in their order."""
    columns = [[builder.arranged(x) for x in unpacked(builder, part, 0)] for part in projected]
    parts = list(zip(*columns, strict=True))
    masks = _masks(builder, runs, len(parts))
    rows = {}
    for t in range(len(parts))[:: -1 if layer.backwards else 1]:
        state, rows[t] = _masked_step(builder, layer, parts[t], masks[t], state)
    return state, [rows[t] for t in range(len(parts))]


def _masks(builder: Builder, runs: Value | None, count: int) -> Sequence[Tensor | None]:
    """For each step which sequences have it, ``[batch, 1]``; None where all have it."""
    if runs is None:
        return [None] * count
    if not runs.is_constant:
        return [builder.arranged(part) for part in unpacked(builder, runs, 0)]
    return [None if np.all(mask) else builder.constant(mask) for mask in runs.data]


def _masked_step(
    builder: Builder, layer: _Layer, x: Sequence[Tensor], mask: Tensor | None, state: State
) -> tuple[tuple[Tensor, ...], Tensor]:
    """The next state, and the row of the output: zero where a sequence has no such step, which keeps its state."""
    made = layer.step(builder, layer.weights, x, state)
    if mask is None:
        return made, made[0]
    olds = _known(builder, layer, state)
    kept = tuple(_chosen(builder, mask, new, old) for new, old in zip(made, olds, strict=True))
    zero = builder.constant(np.zeros(made[0].shape, np.float32))
    return kept, _chosen(builder, mask, made[0], zero)


def _chosen(builder: Builder, mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return builder.emit("SELECT_V2", [mask, new, old], new.shape, new.dtype)


def _known(builder: Builder, layer: _Layer, state: State) -> tuple[Tensor, ...]:
    """The state with zeros where it is None."""
    shape = (layer.projected[0].shape[1], layer.weights.hidden)
    return tuple(builder.constant(np.zeros(shape, np.float32)) if one is None else one for one in state)


def _packed_rows(builder: Builder, layer: _Layer, rows: Sequence[Tensor]) -> Value:
    """``[steps, batch, hidden]``, in the order that the input had: batches may come first."""
    order = layer.projected[0].order
    batch_first = order.index(1) < order.index(0)
    axis, order = (1, (1, 0, 2)) if batch_first else (0, (0, 1, 2))
    shape = (*rows[0].shape[:axis], len(rows), *rows[0].shape[axis:])
    if len(rows) == 1:
        return Value(builder.reshaped(rows[0], shape), order)
    return Value(builder.emit("PACK", rows, shape, values_count=len(rows), axis=axis), order)


def _looped(builder: Builder, layer: _Layer) -> _Result:
    """WHILE over chunks of steps; what does not fill a chunk comes behind it, where it runs backwards before it."""
    whole = layer.count - layer.count % _CHUNK
    main, rest = range(whole), range(whole, layer.count)
    spans = [rest, main] if layer.backwards else [main, rest]
    state, rows = layer.start, {}
    for span in (span for span in spans if len(span)):
        projected = [sliced(builder, part, {0: span}) for part in layer.projected]
        runs = None if layer.runs is None else sliced(builder, layer.runs, {0: span})
        run = _chunks if span is main else _remainder
        state, rows[span.start] = run(builder, layer, projected, runs, state)
    found = [part for _, part in sorted(rows.items()) if part is not None]
    return _Result(concat(builder, found, 0) if found else None, _known(builder, layer, state))


def _remainder(
    builder: Builder, layer: _Layer, projected: Sequence[Value], runs: Value | None, state: State
) -> tuple[State, Value | None]:
    state, rows = _steps(builder, layer, projected, runs, state)
    return state, packed(builder, [plain(row) for row in rows], 0) if layer.wants_rows else None


def _chunks(
    builder: Builder, layer: _Layer, projected: Sequence[Value], runs: Value | None, state: State
) -> tuple[State, Value | None]:
    """WHILE over ``chunk number, state..., rows``."""
    sources = [_in_chunks(builder, value) for value in (*projected, *([] if runs is None else [runs]))]
    start, chunks = _known(builder, layer, state), sources[0].shape[0]
    count, room = len(start), (chunks, _CHUNK, *start[0].shape)
    buffer = [builder.constant(np.zeros(room, np.float32))] if layer.wants_rows else []

    def condition(inner: Builder, carried: Sequence[Tensor]) -> Sequence[Tensor]:
        return [inner.emit("LESS", [carried[0], inner.constant(np.int32(chunks))], (), "bool")]

    def body(inner: Builder, carried: Sequence[Tensor]) -> Sequence[Tensor]:
        i = carried[0]
        place = inner.emit("SUB", [inner.constant(np.int32(chunks - 1)), i], ()) if layer.backwards else i
        parts = [plain(_at(inner, source, place)) for source in sources]
        mask = None if runs is None else parts.pop()
        after, rows = _steps(inner, layer, parts, mask, tuple(carried[1 : 1 + count]))
        wanted = carried[1 + count :]
        kept = [placed(inner, old, packed(inner, [plain(row) for row in rows], 0), place) for old in wanted]
        return [inner.emit("ADD", [i, inner.constant(np.int32(1))], ()), *_known(inner, layer, after), *kept]

    made = repeat(builder, [builder.constant(np.int32(0)), *start, *buffer], condition, body)
    rows = plain(builder.reshaped(made[-1], (chunks * _CHUNK, *room[2:]))) if buffer else None
    return made[1 : 1 + count], rows


def _in_chunks(builder: Builder, value: Value) -> Tensor:
    return builder.reshaped(builder.arranged(value), (value.shape[0] // _CHUNK, _CHUNK, *value.shape[1:]))


def _at(builder: Builder, sequence: Tensor, place: Tensor) -> Tensor:
    return builder.emit("GATHER", [sequence, place], sequence.shape[1:], sequence.dtype, axis=0, batch_dims=0)


# --- results ------------------------------------------------------------------------------------------------------


def _joined_rows(builder: Builder, rows: Sequence[Value]) -> Value | None:
    """``[steps, directions, batch, hidden]``, held with the directions beside the hidden axis, as they are read."""
    if not rows:
        return None
    apart = []
    for value in rows:
        tensor = builder.reshaped(value.tensor, (*value.tensor.shape[:2], 1, value.tensor.shape[2]))
        outer = tuple((0, 2)[axis] for axis in value.order[:2])
        apart.append(Value(tensor, (*outer, 1, 3)))
    return concat(builder, apart, 1)


def _joined_states(builder: Builder, states: Sequence[Tensor]) -> Value:
    return concat(builder, [with_axis(builder, plain(state), 0) for state in states], 0)


OPS: dict[str, Callable[[Builder, Node], list[Value | None]]] = dict.fromkeys(CELLS, _recurrent)
