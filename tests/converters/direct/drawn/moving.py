"""Steps that move numbers and leave them what they are, and those that look for places."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.converters.direct.drawn.chain import EXTENTS, Chain, Step, UnfitError

_ENDS = (2**63 - 1, 2**31 - 1)
_ANY = "fi"


def _axes_form(chain: Chain, op: str, inputs: list[str], since: int, **numbers: Any) -> None:
    """Numbers as attributes before an op set, as inputs from it on."""
    if chain.opset < since:
        chain.add(op, inputs, exact=True, **numbers)
    else:
        chain.add(op, [*inputs, *(chain.numbers(*value) for value in numbers.values())], exact=True)


def _turned(chain: Chain) -> None:
    name = chain.pick(_ANY)
    rank = chain.value(name).ndim
    from hypothesis import strategies as st

    given: dict[str, Any] = {"perm": list(chain.draw(st.permutations(range(rank))))} if chain.number(0, 4) else {}
    chain.add("Transpose", [name], exact=True, **given)


def _reshaped(chain: Chain) -> None:
    """Neighbours as one, one as two; an extent as -1, one as 0, which is that of the source."""
    name = chain.pick("fib")
    shape = chain.value(name).shape
    place = chain.number(0, len(shape) - 1)
    if len(shape) > 3 or (len(shape) > 1 and place + 1 < len(shape) and chain.maybe()):
        place = min(place, len(shape) - 2)
        made = [*shape[:place], shape[place] * shape[place + 1], *shape[place + 2 :]]
    else:
        parts = (2, shape[place] // 2) if shape[place] % 2 == 0 else (1, shape[place])
        made = [*shape[:place], *(parts if chain.maybe() else parts[::-1]), *shape[place + 1 :]]
    for axis in range(min(len(made), len(shape))):
        if made[axis] == shape[axis] and not chain.number(0, 3):
            made[axis] = 0
    if chain.maybe():
        made[chain.number(0, len(made) - 1)] = -1
    chain.add("Reshape", [name, chain.numbers(*made)], exact=True)


def _flattened(chain: Chain) -> None:
    name = chain.pick()
    rank = chain.value(name).ndim
    chain.add("Flatten", [name], exact=True, axis=chain.number(-rank if chain.opset >= 11 else 0, rank))


def _squeezed(chain: Chain) -> None:
    name = chain.pick(_ANY)
    shape = chain.value(name).shape
    axes = [axis for axis, size in enumerate(shape) if size == 1]
    if not axes:
        raise UnfitError
    if not chain.number(0, 3):
        chain.add("Squeeze", [name], exact=True)
        return
    one = chain.choose(*axes)
    _axes_form(chain, "Squeeze", [name], 13, axes=[one - len(shape) if chain.opset >= 11 and chain.maybe() else one])


def _unsqueezed(chain: Chain) -> None:
    name = chain.pick("fib", least=0)
    rank = chain.value(name).ndim
    if rank > 4:
        raise UnfitError
    one = chain.number(-rank - 1 if chain.opset >= 11 else 0, rank)
    _axes_form(chain, "Unsqueeze", [name], 13, axes=[one])


def _joined(chain: Chain) -> None:
    name = chain.pick(_ANY)
    value = chain.value(name)
    axis = chain.axis(value.ndim, chain.opset >= 11)
    fits = [
        other for other, its in chain.values.items()
        if its.dtype == value.dtype and its.ndim == value.ndim
        and np.delete(its.shape, axis).tolist() == np.delete(value.shape, axis).tolist()
    ]  # fmt: skip
    others = [chain.choose(*fits) for _ in range(chain.number(0, 2))]
    chain.add("Concat", [name, *others], exact=True, axis=axis)


def _parted(chain: Chain) -> None:
    """Equal parts, parts of drawn sizes, and as many as asked of which the last is smaller."""
    name = chain.pick(_ANY, within=lambda value: max(value.shape) > 1)
    shape = chain.value(name).shape
    axis = chain.choose(*(axis for axis, size in enumerate(shape) if size > 1))
    size = shape[axis]
    given: dict[str, Any] = {"axis": axis - len(shape) if chain.opset >= 11 and chain.maybe() else axis}
    first = chain.number(1, size - 1)
    if chain.opset >= 18 and chain.maybe():
        count = chain.number(2, size)
        if -(-size // count) * (count - 1) >= size:
            raise UnfitError
        chain.several("Split", [name], count, exact=True, num_outputs=count, **given)
    elif chain.opset >= 13:
        chain.several("Split", [name, chain.numbers(first, size - first)], 2, exact=True, **given)
    else:
        chain.several("Split", [name], 2, exact=True, split=[first, size - first], **given)


def _cut(chain: Chain) -> None:
    """Steps of either sign, ends from behind and beyond what there is."""
    name = chain.pick("fib")
    shape = chain.value(name).shape
    axes = sorted({chain.axis(len(shape), negative=False) for _ in range(chain.number(1, 2))})
    starts, ends, steps = [], [], []
    for axis in axes:
        size = shape[axis]
        step = chain.choose(1, 1, 2, -1, -2, 3) if chain.opset >= 10 else 1
        steps.append(step)
        low, high = sorted((chain.number(0, size - 1), chain.number(0, size - 1)))
        first, last = (low, high + 1) if step > 0 else (high, low - 1)
        starts.append(first - size if chain.maybe() else first)
        opened = (step > 0 and last == size) or (step < 0 and last == -1)
        far = chain.choose(*_ENDS) if step > 0 else -chain.choose(*_ENDS)
        ends.append(far if opened and (step < 0 or chain.maybe()) else last - size if chain.maybe() else last)
    if chain.opset < 10:
        chain.add("Slice", [name], exact=True, axes=axes, starts=starts, ends=ends)
        return
    named = [axis - len(shape) if chain.maybe() else axis for axis in axes]
    numbers = [chain.numbers(*each) for each in (starts, ends, named, steps)]
    chain.add("Slice", [name, *numbers], exact=True)


def _padded(chain: Chain) -> None:
    """All modes; less than nothing is a cut."""
    name = chain.pick()
    shape = chain.value(name).shape
    mode = chain.choose("constant", "constant", "reflect", "edge", *(["wrap"] if chain.opset >= 19 else []))
    least = -1 if mode == "constant" else 0
    pads = []
    for _ in range(2):
        for size in shape:
            most = {"reflect": size - 1, "wrap": size}.get(mode, 2)
            pads.append(chain.number(least if size > 2 else 0, min(most, 2)) if chain.maybe() else 0)
    filled = chain.choose(0.0, 0.0, 1.5, -2.0)
    if chain.opset < 11:
        chain.add("Pad", [name], exact=True, mode=mode, pads=pads, value=filled)
        return
    inputs = [name, chain.numbers(*pads)]
    if mode == "constant" and chain.maybe():
        inputs.append(chain.known(np.float32(filled)))
    if chain.opset >= 18 and chain.maybe():
        rank, axis = len(shape), chain.axis(len(shape))
        inputs[1] = chain.numbers(pads[axis % rank], pads[rank + axis % rank])
        inputs = [*inputs, *([""] if len(inputs) == 2 else []), chain.numbers(axis)]
    chain.add("Pad", inputs, exact=True, mode=mode)


def _expanded(chain: Chain) -> None:
    chain.since(8)
    name = chain.pick("fib")
    shape = chain.value(name).shape
    made = [chain.draw(EXTENTS) if size == 1 else chain.choose(size, 1) for size in shape]
    made = made[chain.number(0, 1) :] if chain.maybe() else [chain.number(1, 2), *made]
    if len(made) > 5:
        raise UnfitError
    chain.add("Expand", [name, chain.numbers(*made)], exact=True)


def _tiled(chain: Chain) -> None:
    name = chain.pick(_ANY)
    repeats = [chain.choose(1, 1, 2, 3) for _ in chain.value(name).shape]
    chain.add("Tile", [name, chain.numbers(*repeats)], exact=True)


def _places(chain: Chain, size: int, shape: tuple[int, ...]) -> str:
    """Places along an extent, those from behind too; a constant or fed."""
    rng = np.random.default_rng(chain.number(0, 99))
    least = -size if chain.opset >= 11 else 0
    return chain.known(np.asarray(rng.integers(least, size, shape)).astype(np.int64), also_fed=True)


def _gathered(chain: Chain) -> None:
    name = chain.pick("fi")
    shape = chain.value(name).shape
    axis = chain.axis(len(shape), chain.opset >= 11)
    wanted = chain.choose((), (1,), (2,), (3,), (2, 2))
    if len(shape) + len(wanted) > 6:
        raise UnfitError
    chain.add("Gather", [name, _places(chain, shape[axis], wanted)], exact=True, axis=axis)


def _gathered_elements(chain: Chain) -> None:
    chain.since(11)
    name = chain.pick("fi")
    shape = chain.value(name).shape
    axis = chain.axis(len(shape))
    wanted = list(shape)
    wanted[axis] = chain.draw(EXTENTS)
    chain.add("GatherElements", [name, _places(chain, shape[axis], tuple(wanted))], exact=True, axis=axis)


def _tuples(chain: Chain, shape: tuple[int, ...], lead: tuple[int, ...], *, once: bool) -> str:
    """Tuples of places, which may be from behind; each place at most once where that is asked."""
    rng = np.random.default_rng(chain.number(0, 99))
    count = int(np.prod(lead))
    total = int(np.prod(shape))
    if once and count > total:
        raise UnfitError
    flat = rng.choice(total, count, replace=not once)
    made = np.stack(np.unravel_index(flat, shape), -1).astype(np.int64)
    behind = rng.integers(0, 2, made.shape) == 1
    made = np.where(behind, made - np.array(shape), made).reshape(*lead, len(shape))
    return chain.known(made, also_fed=True)


def _gathered_nd(chain: Chain) -> None:
    chain.since(12)
    name = chain.pick("fi")
    shape = chain.value(name).shape
    batch = chain.number(0, min(1, len(shape) - 1))
    depth = chain.number(1, len(shape) - batch)
    lead = (*shape[:batch], chain.draw(EXTENTS))
    indices = _tuples(chain, shape[batch : batch + depth], lead, once=False)
    chain.add("GatherND", [name, indices], exact=True, batch_dims=batch)


def _scattered_nd(chain: Chain) -> None:
    chain.since(11)
    name = chain.pick()
    shape = chain.value(name).shape
    depth = chain.number(1, len(shape))
    reduction = chain.choose("none", "add", "mul", "max", "min")
    if reduction != "none":
        chain.since(18)
    lead = (chain.draw(EXTENTS),)
    indices = _tuples(chain, shape[:depth], lead, once=reduction == "none")
    given = {} if reduction == "none" else {"reduction": reduction}
    chain.add("ScatterND", [name, indices, chain.floats(*lead, *shape[depth:])], exact=True, **given)


def _scattered_elements(chain: Chain) -> None:
    chain.since(11)
    name = chain.pick()
    shape = chain.value(name).shape
    axis = chain.axis(len(shape))
    reduction = chain.choose("none", "add", "mul", "max", "min")
    if reduction != "none":
        chain.since(18)
    rng = np.random.default_rng(chain.number(0, 99))
    count = chain.number(1, shape[axis])
    order = rng.permuted(np.broadcast_to(np.arange(shape[axis]), (*np.delete(shape, axis), shape[axis])), axis=-1)
    places = np.moveaxis(order[..., :count], -1, axis).astype(np.int64)
    places = np.where(rng.integers(0, 2, places.shape) == 1, places - shape[axis], places)
    given = {} if reduction == "none" else {"reduction": reduction}
    inputs = [name, chain.known(places, also_fed=True), chain.floats(*places.shape)]
    chain.add("ScatterElements", inputs, exact=True, axis=axis, **given)


def _depth_to_space(chain: Chain) -> None:
    name = chain.image()
    shape = chain.value(name).shape
    if shape[1] % 4 == 0:
        given = {"mode": chain.choose("DCR", "CRD")} if chain.opset >= 11 else {}
        chain.add("DepthToSpace", [name], exact=True, blocksize=2, **given)
    elif shape[2] % 2 == 0 and shape[3] % 2 == 0:
        chain.add("SpaceToDepth", [name], exact=True, blocksize=2)
    else:
        mixed = chain.add("Concat", [name] * 4, exact=True, axis=1)
        given = {"mode": chain.choose("DCR", "CRD")} if chain.opset >= 11 else {}
        chain.add("DepthToSpace", [mixed], exact=True, blocksize=2, **given)


def _running(chain: Chain) -> None:
    chain.since(11)
    name = chain.pick("fi")
    axis = chain.known(np.array(chain.axis(chain.value(name).ndim), chain.choose(np.int64, np.int32)))
    chain.add("CumSum", [name, axis], exact=True, exclusive=int(chain.maybe()), reverse=int(chain.maybe()))


def _largest(chain: Chain) -> None:
    """Ties are frequent here: of equals the first comes first."""
    chain.since(11)
    name = chain.pick(exact=True)
    shape = chain.value(name).shape
    axis = chain.axis(len(shape))
    count = chain.numbers(chain.number(1, shape[axis]))
    chain.several("TopK", [name, count], 2, exact=True, axis=axis, largest=int(chain.maybe()), sorted=1)


def _place_of_largest(chain: Chain) -> None:
    name = chain.pick(exact=True)
    given: dict[str, Any] = {"axis": chain.axis(chain.value(name).ndim, chain.opset >= 11)}
    given["keepdims"] = int(chain.maybe())
    if chain.opset >= 12:
        given["select_last_index"] = int(chain.maybe())
    chain.add(chain.choose("ArgMax", "ArgMin"), [name], exact=True, **given)


def _one_hot(chain: Chain) -> None:
    chain.since(11)
    depth = chain.number(2, 4)
    lead = chain.choose((2,), (3,), (2, 3))
    rng = np.random.default_rng(chain.number(0, 99))
    # Beyond the ends on either side: all off.
    places = chain.known(rng.integers(-depth - 1, depth + 2, lead).astype(np.int64), also_fed=True)
    pair = chain.known(np.array(chain.choose((0.0, 1.0), (-1.0, 0.5)), np.float32))
    inputs = [places, chain.known(np.array(depth, np.int64)), pair]
    chain.add("OneHot", inputs, exact=True, axis=chain.number(-len(lead) - 1, len(lead)))


def _triangle(chain: Chain) -> None:
    chain.since(14)
    name = chain.pick("fi", least=2)
    further = [chain.known(np.array(chain.number(-3, 3), np.int64))] if chain.maybe() else []
    chain.add("Trilu", [name, *further], exact=True, upper=int(chain.maybe()))


def _backwards(chain: Chain) -> None:
    chain.since(10)
    name = chain.pick(least=2)
    shape = chain.value(name).shape
    time = chain.number(0, 1)
    rng = np.random.default_rng(chain.number(0, 99))
    lengths = chain.known(rng.integers(1, shape[time] + 1, shape[1 - time]).astype(np.int64))
    chain.add("ReverseSequence", [name, lengths], exact=True, time_axis=time, batch_axis=1 - time)


def _by_its_shape(chain: Chain) -> None:
    """What exporters write: an extent taken out of a shape, joined into the next one."""
    name = chain.pick(least=2)
    shape = chain.add("Shape", [name], exact=True)
    first = chain.add("Gather", [shape, chain.numbers(0)], exact=True, axis=0)
    wanted = chain.add("Concat", [first, chain.numbers(-1)], exact=True, axis=0)
    chain.add("Reshape", [name, wanted], exact=True)


def _compressed(chain: Chain) -> None:
    chain.since(9)
    name = chain.pick()
    shape = chain.value(name).shape
    axis = chain.axis(len(shape), chain.opset >= 11)
    kept = [True, *(chain.maybe() for _ in range(shape[axis] - 1))]
    chain.add("Compress", [name, chain.known(np.array(kept))], exact=True, axis=axis)


STEPS: tuple[Step, ...] = (
    _turned, _turned, _reshaped, _reshaped, _flattened, _squeezed, _unsqueezed, _joined, _joined, _parted, _cut, _cut,
    _padded, _padded, _expanded, _tiled, _gathered, _gathered_elements, _gathered_nd, _scattered_nd,
    _scattered_elements, _depth_to_space, _running, _largest, _place_of_largest, _one_hot, _triangle, _backwards,
    _by_its_shape, _compressed,
)  # fmt: skip
