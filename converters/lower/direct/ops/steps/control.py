"""Branches and loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.bodies import choose, copied, repeat
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.lengths import counted, most_of
from edge_sdk.converters.lower.direct.node import DataDependentError, Node, NoFormError
from edge_sdk.converters.lower.direct.ops.steps.stepping import STEPS, buffers, element, packed, placed
from edge_sdk.converters.lower.direct.value import Entry, Value, plain

# A loop without a count whose end does not depend on data is followed so far.
_LONGEST = 10_000


def _if(builder: Builder, node: Node) -> Sequence[Entry]:
    """The branch that is taken, where that is known; else IF with both."""
    condition = node.input(0)
    protos = [node.attribute("then_branch"), node.attribute("else_branch")]
    if condition.is_constant:
        taken = protos[0] if bool(condition.data.reshape(-1)[0]) else protos[1]
        return _body(node, taken, builder, {})
    if (chosen := _or_nothing(builder, node, condition, protos)) is not None:
        return chosen
    branches = [_Branch(node, proto) for proto in protos]
    made = choose(builder, builder.reshaped(condition.tensor, ()), branches)
    _must_agree(*(branch.outputs for branch in branches))
    return [plain(tensor) for tensor in made]


def _or_nothing(builder: Builder, node: Node, condition: Value, protos: Sequence[Any]) -> Sequence[Entry] | None:
    """Where one branch gives no rows, the other's, of which none count then; None where neither gives nothing.

    That is how torchvision leaves the suppression of no boxes out.
    """
    for taken, (proto, other) in enumerate(((protos[1], protos[0]), (protos[0], protos[1]))):
        if (shapes := _empty_constants(other)) is None:
            continue
        holds = builder.cast(builder.reshaped(condition.tensor, ()), "int32")
        one = builder.constant(1, "int32")
        goes = builder.emit("SUB", [one, holds], (), "int32") if taken == 0 else holds
        return [
            _unless(builder, value, shape, goes)
            for value, shape in zip(_values(_body(node, proto, builder, {})), shapes, strict=True)
        ]
    return None


def _empty_constants(proto: Any) -> list[tuple[int, ...]] | None:
    """The shapes of a branch that gives nothing but constants without elements."""
    from edge_sdk.converters.lower.direct.reading import array_of

    known = {weight.name: weight for weight in proto.initializer}
    for one in proto.node:
        tensors = [attribute.t for attribute in one.attribute if attribute.name == "value"]
        if one.op_type != "Constant" or len(tensors) != 1:
            return None
        known[one.output[0]] = tensors[0]
    if not proto.output or any(output.name not in known for output in proto.output):
        return None
    shapes = [array_of(known[output.name]).shape for output in proto.output]
    return shapes if all(0 in shape for shape in shapes) else None


def _unless(builder: Builder, value: Value, empty: Sequence[int], goes: Tensor) -> Value:
    """A value of which no row counts where the branch is not taken."""
    rows = builder.padding.of(value.tensor)
    axis = list(empty).index(0)
    if value.rank != len(empty) or (rows is not None and rows.axis != value.place(axis)):
        raise DataDependentError(f"its branches give {list(value.shape)} and {list(empty)}")
    size = value.shape[axis] if rows is None else rows.count
    number = builder.emit("MUL", [builder.length(size), goes], (), "int32")
    made = Value(copied(builder, value.tensor), value.order, value.spatial)
    builder.padding.forget(made.tensor, made.place(axis))
    builder.padding.declare(made.tensor, made.place(axis), counted(number, most_of(size)))
    return made


@dataclass
class _Branch:
    """A branch in the making, and what it gave."""

    node: Node
    proto: Any
    outputs: Sequence[Tensor] = ()

    def __call__(self, inner: Builder) -> Sequence[Tensor]:
        self.outputs = [inner.arranged(value) for value in _values(_body(self.node, self.proto, inner, {}))]
        return self.outputs


def _must_agree(then: Sequence[Tensor], other: Sequence[Tensor]) -> None:
    for i, (one, two) in enumerate(zip(then, other, strict=True)):
        if (one.shape, one.dtype) != (two.shape, two.dtype):
            raise NoFormError(
                f"its branches give {one.dtype} {list(one.shape)} and {two.dtype} {list(two.shape)} as output {i}, and "
                "a file's tensor has one shape"
            )


def _body(node: Node, proto: Any, builder: Builder, inputs: Mapping[str, Entry]) -> list[Entry]:
    if node.body is None:
        raise NoFormError("its body cannot be read here")
    return list(node.body(proto, builder, inputs))


def _values(entries: Sequence[Entry]) -> list[Value]:
    if any(not isinstance(entry, Value) for entry in entries):
        raise NoFormError("sequences and optionals cannot leave a branch or loop that depends on data")
    return [entry for entry in entries if isinstance(entry, Value)]


# --- Loop ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Loop:
    """A Loop: ``count`` and ``going`` are None where it has none; ``always``: only the count ends it."""

    node: Node
    body: Any
    count: Value | None
    going: Value | None
    start: tuple[Entry, ...]
    always: bool = False

    def step(self, builder: Builder, i: Value, going: Value, state: Sequence[Entry]) -> list[Entry]:
        """Whether it goes on, the next state, and what the step adds to each scan output."""
        names = [value.name for value in self.body.input]
        goes_on = builder.fixed(np.True_) if self.always else going
        return _body(self.node, self.body, builder, dict(zip(names, [i, goes_on, *state], strict=True)))


def _loop(builder: Builder, node: Node) -> Sequence[Entry]:
    """Ops without a loop where the number of steps is known and small, else WHILE."""
    count = node.input(0) if node.given(0) else None
    going = node.input(1) if node.given(1) else None
    start = tuple(node.sequences.get(i, node.inputs[i]) for i in range(2, len(node.inputs)))
    loop = _Loop(node, node.attribute("body"), count, going, start)
    known = all(value is None or value.is_constant for value in (count, going))
    if going is not None and going.is_constant and not bool(going.data.reshape(-1)[0]):
        return _ended(builder, loop, start, [])
    if known and (made := _unrolled(builder, loop)) is not None:
        return made
    return _while(builder, loop)


def _unrolled(builder: Builder, loop: _Loop) -> list[Entry] | None:
    """The steps one after the other; None where that needs too many, or where they end depends on data."""
    steps = _LONGEST if loop.count is None else int(loop.count.data.reshape(-1)[0])
    going, state = loop.going or builder.fixed(np.True_), list(loop.start)
    if loop.count is not None and steps > STEPS and not loop.node.unroll and _carries_tensors(loop):
        return None
    scans: list[list[Entry]] = []
    for i in range(steps):
        if not bool(going.data.reshape(-1)[0]):
            return _ended(builder, loop, state, scans)
        made = loop.step(builder, builder.fixed(np.int64(i)), going, state)
        state, scan = made[1 : 1 + len(state)], made[1 + len(state) :]
        if not isinstance(made[0], Value) or not made[0].is_constant:
            return None
        going = made[0]
        scans.append(scan)
    if loop.count is None:
        raise NoFormError(f"it goes on after {_LONGEST} steps")
    return _ended(builder, loop, state, scans)


def _carries_tensors(loop: _Loop) -> bool:
    """Whether what is carried are tensors, as WHILE needs it; sequences can only be unrolled."""
    return all(isinstance(entry, Value) for entry in loop.start)


def _ended(builder: Builder, loop: _Loop, state: Sequence[Entry], scans: Sequence[Sequence[Entry]]) -> list[Entry]:
    if not scans and len(loop.body.output) > 1 + len(state):
        raise NoFormError("it makes no step, and the shape of what its steps would give is not known")
    return [*state, *(packed(builder, _values(column), 0) for column in zip(*scans, strict=True))]


def _while(builder: Builder, loop: _Loop) -> list[Entry]:
    start = _values(loop.start)
    loop = replace(loop, always=_goes_on(builder, loop, start))
    kinds = _results_of_a_step(builder, loop, start)
    going = loop.going or builder.fixed(np.True_)
    rows = buffers(builder, kinds, _count_for_buffers(loop, kinds))
    carried = [builder.fixed(np.int64(0)), going, *start, *rows]
    condition, body = _while_parts(loop, start, len(kinds))
    made = repeat(builder, [value.tensor for value in carried], condition, body)[2:]
    return [Value(tensor, value.order) for tensor, value in zip(made, carried[2:], strict=True)]


def _goes_on(builder: Builder, loop: _Loop, start: Sequence[Value]) -> bool:
    """Whether a step that is let on always lets the next one on: then each does, if the first is let on."""
    first = loop.going is None or (loop.going.is_constant and bool(loop.going.data.reshape(-1)[0]))
    if not first:
        return False
    made = _probed(builder, replace(loop, always=True), start)[0]
    return made.is_constant and bool(made.data.reshape(-1)[0])


def _probed(builder: Builder, loop: _Loop, start: Sequence[Value]) -> list[Value]:
    """What a step gives: its ops go where nobody reads them."""
    i, going = (plain(Tensor("", (), dtype)) for dtype in ("int64", "bool"))
    state = [Value(Tensor("", value.tensor.shape, value.dtype), value.order) for value in start]
    return _values(loop.step(builder.inner(), i, going, state))


def _results_of_a_step(builder: Builder, loop: _Loop, start: Sequence[Value]) -> list[Value]:
    """What a step adds to the scan outputs."""
    made = _probed(builder, loop, start)[1:]
    after, scans = made[: len(start)], made[len(start) :]
    for i, (one, two) in enumerate(zip(start, after, strict=True)):
        if (one.shape, one.dtype) != (two.shape, two.dtype):
            raise NoFormError(f"its state {i} is {list(one.shape)} before a step and {list(two.shape)} after it")
    return scans


def _count_for_buffers(loop: _Loop, scans: Sequence[Value]) -> int:
    if not scans:
        return 0
    if not loop.always or loop.count is None or not loop.count.is_constant:
        raise NoFormError("how many rows its scan outputs have depends on data")
    return int(loop.count.data.reshape(-1)[0])


def _while_parts(loop: _Loop, start: Sequence[Value], scans: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def condition(inner: Builder, carried: Sequence[Tensor]) -> Sequence[Tensor]:
        i, going = inner.reshaped(carried[0], ()), inner.reshaped(carried[1], ())
        if loop.count is None:
            return [going]
        less = inner.emit("LESS", [i, inner.reshaped(loop.count.tensor, ())], (), "bool")
        return [inner.emit("LOGICAL_AND", [less, going], (), "bool")]

    def body(inner: Builder, carried: Sequence[Tensor]) -> Sequence[Tensor]:
        i, going = plain(carried[0]), plain(carried[1])
        state = [Value(t, v.order) for t, v in zip(carried[2:], start, strict=False)]
        made = _values(loop.step(inner, i, going, state))
        after = [inner.arranged(value, old.order) for value, old in zip(made[1:], start, strict=False)]
        rows = carried[len(carried) - scans :] if scans else ()
        place = inner.cast(i.tensor, "int32")
        kept = [placed(inner, row, value, place) for row, value in zip(rows, made[1 + len(start) :], strict=True)]
        after_i = inner.emit("ADD", [i.tensor, inner.constant(np.int64(1))], ())
        return [after_i, inner.reshaped(made[0].tensor, carried[1].shape), *after, *kept]

    return condition, body


# --- Scan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scan:
    """A Scan: axes and directions of what it reads, and of what it makes."""

    node: Node
    body: Any
    start: tuple[Value, ...]
    sources: tuple[Value, ...]
    axes: tuple[int, ...]
    backwards: tuple[bool, ...]
    out_axes: tuple[int, ...]
    out_backwards: tuple[bool, ...]

    @property
    def count(self) -> int:
        return self.sources[0].shape[self.axes[0]]

    def step(self, builder: Builder, values: Sequence[Value]) -> list[Value]:
        names = [value.name for value in self.body.input]
        return _values(_body(self.node, self.body, builder, dict(zip(names, values, strict=True))))


def _scan(builder: Builder, node: Node) -> Sequence[Entry]:
    if node.opset < 9:
        return _scan_of_batches(builder, node)
    return _scanned(builder, _scan_of(node, _values(list(node.inputs))))


def _scan_of(node: Node, values: Sequence[Value]) -> _Scan:
    body, count = node.attribute("body"), int(node.attribute("num_scan_inputs"))
    start, sources = tuple(values[: len(values) - count]), tuple(values[len(values) - count :])
    made = len(body.output) - len(start)
    axes = node.attribute("scan_input_axes", [0] * count)
    directions = node.attribute("scan_input_directions", node.attribute("directions", [0] * count))
    return _Scan(
        node=node,
        body=body,
        start=start,
        sources=sources,
        axes=tuple(axis % value.rank for axis, value in zip(axes, sources, strict=True)),
        backwards=tuple(bool(direction) for direction in directions),
        out_axes=tuple(node.attribute("scan_output_axes", [0] * made)),
        out_backwards=tuple(bool(d) for d in node.attribute("scan_output_directions", [0] * made)),
    )


def _scan_of_batches(builder: Builder, node: Node) -> Sequence[Entry]:
    """Opset 8: every value has the batch first, and each element of it is a scan of its own."""
    if node.given(0):
        raise NoFormError("a Scan of opset 8 with lengths of its sequences")
    values = _values(list(node.inputs[1:]))
    batches = [[element(builder, value, 0, i) for value in values] for i in range(values[0].shape[0])]
    results = [_scanned(builder, _scan_of(node, batch)) for batch in batches]
    return [packed(builder, column, 0) for column in zip(*results, strict=True)]


def _scanned(builder: Builder, scan: _Scan) -> list[Value]:
    if scan.count <= STEPS or scan.node.unroll:
        return _scan_unrolled(builder, scan)
    return _scan_while(builder, scan)


def _scan_unrolled(builder: Builder, scan: _Scan) -> list[Value]:
    state, scans = list(scan.start), []
    for i in range(scan.count):
        made = scan.step(builder, [*state, *_read(builder, scan, i)])
        state = made[: len(state)]
        scans.append(made[len(state) :])
    if not scans:
        raise NoFormError("it makes no step, and the shape of what its steps would give is not known")
    columns = zip(zip(*scans, strict=True), scan.out_axes, scan.out_backwards, strict=True)
    return [*state, *(_joined(builder, column, axis, turned) for column, axis, turned in columns)]


def _read(builder: Builder, scan: _Scan, i: int) -> Iterator[Value]:
    for source, axis, turned in zip(scan.sources, scan.axes, scan.backwards, strict=True):
        yield element(builder, source, axis, scan.count - 1 - i if turned else i)


def _joined(builder: Builder, column: Sequence[Value], axis: int, turned: bool) -> Value:  # noqa: FBT001
    values = column[::-1] if turned else column
    return packed(builder, values, axis % (values[0].rank + 1))


def _scan_while(builder: Builder, scan: _Scan) -> list[Value]:
    """The same as a Loop whose body cuts its inputs out and puts its results in."""
    probe = builder.inner()
    parts = [plain(Tensor("", _without(v.shape, a), v.dtype)) for v, a in zip(scan.sources, scan.axes, strict=True)]
    kinds = scan.step(probe, [*scan.start, *parts])[len(scan.start) :]
    rows = buffers(builder, kinds, scan.count)
    carried = [builder.fixed(np.int32(0)), *scan.start, *rows]

    def condition(inner: Builder, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return [inner.emit("LESS", [tensors[0], inner.constant(np.int32(scan.count))], (), "bool")]

    def body(inner: Builder, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        i, state = tensors[0], [Value(t, v.order) for t, v in zip(tensors[1:], scan.start, strict=False)]
        last = inner.emit("SUB", [inner.constant(np.int32(scan.count - 1)), i], ())
        reads = zip(scan.sources, scan.axes, scan.backwards, strict=True)
        parts = [_picked(inner, value, axis, last if turned else i) for value, axis, turned in reads]
        made = scan.step(inner, [*state, *parts])
        after = [inner.arranged(value, old.order) for value, old in zip(made, scan.start, strict=False)]
        wanted = zip(tensors[1 + len(state) :], made[len(state) :], scan.out_backwards, strict=True)
        kept = [placed(inner, row, value, last if turned else i) for row, value, turned in wanted]
        return [inner.emit("ADD", [i, inner.constant(np.int32(1))], ()), *after, *kept]

    made = repeat(builder, [value.tensor for value in carried], condition, body)[1:]
    ended = [Value(tensor, value.order) for tensor, value in zip(made, carried[1:], strict=True)]
    return [*ended[: len(scan.start)], *_axes_moved(ended[len(scan.start) :], scan.out_axes)]


def _axes_moved(values: Sequence[Value], axes: Sequence[int]) -> Iterator[Value]:
    """The axis of the steps from the front to where the source has it: a matter of names."""
    for value, axis in zip(values, axes, strict=True):
        place = axis % value.rank
        names = [i for i in range(value.rank) if i != place]
        yield Value(value.tensor, tuple((place, *names)[i] for i in value.order))


def _without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple(size for i, size in enumerate(shape) if i != axis)


def _picked(builder: Builder, value: Value, axis: int, index: Tensor) -> Value:
    place = value.place(axis)
    shape = _without(value.tensor.shape, place)
    made = builder.emit("GATHER", [value.tensor, index], shape, value.dtype, axis=place, batch_dims=0)
    order = [other - (other > axis) for other in value.order if other != axis]
    return Value(made, tuple(order))


OPS: dict[str, Callable[[Builder, Node], Sequence[Entry]]] = {"If": _if, "Loop": _loop, "Scan": _scan}
