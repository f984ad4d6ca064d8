"""Steps of one value at a time, of pairs that broadcast, of integers and truths, and over axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.converters.direct.drawn.chain import Chain, Step, UnfitError

_PLAIN = {
    "Relu": 6, "Tanh": 6, "Sigmoid": 6, "Abs": 6, "Neg": 6, "Softplus": 1, "Exp": 6, "Erf": 9, "Sin": 7, "Cos": 7,
    "Atan": 7, "Sinh": 9, "Cosh": 9, "Asinh": 9, "Softsign": 1, "HardSwish": 14, "Mish": 18, "Identity": 1,
}  # fmt: skip
# Bounds that float16 has.
_WITHIN = {
    "Log": (0.125, 1e3), "Sqrt": (0.125, 1e3), "Reciprocal": (0.25, 1e3), "Tan": (-1, 1), "Asin": (-0.875, 0.875),
    "Acos": (-0.875, 0.875), "Atanh": (-0.875, 0.875), "Acosh": (1.25, 1e3),
}  # fmt: skip
_STILL_EXACT = ("Relu", "Abs", "Neg", "Identity")
_SHAPED: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "Elu": (6, ("alpha",)), "Celu": (12, ("alpha",)), "Selu": (6, ("alpha", "gamma")),
    "LeakyRelu": (6, ("alpha",)), "HardSigmoid": (6, ("alpha", "beta")), "Swish": (24, ("alpha",)),
}  # fmt: skip


def _unary(chain: Chain) -> None:
    op = chain.choose(*_PLAIN)
    chain.since(_PLAIN[op])
    chain.add(op, [chain.pick(least=0)], exact=op in _STILL_EXACT)


def _unary_within(chain: Chain) -> None:
    """An op of some numbers only: others are clipped first."""
    op = chain.choose(*_WITHIN)
    chain.since(9)
    low, high = _WITHIN[op]
    name = chain.pick(least=0)
    value = chain.value(name)
    if value.min() < low or value.max() > high:
        name = _clipped(chain, name, low, high)
    chain.add(op, [name])


def _shaped(chain: Chain) -> None:
    op = chain.choose(*_SHAPED)
    since, named = _SHAPED[op]
    chain.since(since)
    given = {key: chain.choose(0.25, 0.5, 1.0, 1.5) for key in named if chain.maybe()}
    chain.add(op, [chain.pick(least=0)], **given)


def _gelu(chain: Chain) -> None:
    chain.since(20)
    chain.add("Gelu", [chain.pick(least=0)], approximate=chain.choose("none", "tanh"))


def _jumping(chain: Chain) -> None:
    """Ops that jump: only on values without rounding."""
    op = chain.choose("Floor", "Ceil", "Round", "Sign", "ThresholdedRelu", "Shrink")
    chain.since({"Round": 11, "ThresholdedRelu": 10}.get(op, 9))
    name = chain.pick(least=0, exact=True)
    given: dict[str, Any] = {}
    if op == "Shrink":
        given = {"lambd": chain.choose(0.5, 1.0), "bias": chain.choose(0.0, 0.25)}
    elif op == "ThresholdedRelu":
        given = {"alpha": chain.choose(0.25, 1.0)}
    chain.add(op, [name], exact=True, **given)


def _clip(chain: Chain) -> None:
    low, high = chain.choose((-1.0, 1.0), (0.0, 6.0), (None, 0.5), (-0.5, None), (0.0, 1.0), (-1.0, None))
    _clipped(chain, chain.pick(least=0), low, high)


def _clipped(chain: Chain, name: str, low: float | None, high: float | None) -> str:
    if chain.opset < 11:
        bounds = {key: bound for key, bound in (("min", low), ("max", high)) if bound is not None}
        return chain.add("Clip", [name], exact=True, **bounds)
    names = ["" if bound is None else chain.known(np.float32(bound)) for bound in (low, high)]
    return chain.add("Clip", [name, *names] if names[1] else [name, names[0]], exact=True)


def _other(chain: Chain, name: str, kinds: str = "f", exact: bool = False) -> str | None:
    """An earlier value that broadcasts with one."""
    shape, dtype = chain.value(name).shape, chain.value(name).dtype
    fits = [
        other for other, value in chain.values.items()
        if value.dtype == dtype and value.dtype.kind in kinds and _broadcasts(shape, value.shape)
        and (not exact or other in chain.exact)
    ]  # fmt: skip
    return str(chain.choose(*fits)) if fits and chain.maybe() else None


def _broadcasts(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(one, other)
    except ValueError:
        return False
    return True


def partial(chain: Chain, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to this one: leading axes dropped, others of one."""
    kept = shape[chain.number(0, len(shape)) :]
    return tuple(1 if chain.maybe() else size for size in kept)


def _binary(chain: Chain) -> None:
    op = chain.choose("Add", "Mul", "Sub", "Max", "Min", "Div", "Pow", "PRelu")
    name = chain.pick()
    shape = chain.value(name).shape
    if op == "PRelu":
        chain.add(op, [name, chain.floats(*partial(chain, shape))], exact=True)
    elif op == "Pow":
        power = chain.known(np.float32(chain.choose(2, 3, 1, 0, 2)))
        chain.add(op, [name, power], most=200)
    elif op == "Div":
        chain.add(op, [name, chain.floats(*partial(chain, shape), least=0.5)])
    else:
        other = _other(chain, name) or chain.floats(*partial(chain, shape))
        if op in ("Max", "Min"):
            chain.since(8)
        pair = [name, other] if chain.maybe() else [other, name]
        chain.add(op, pair, exact=True)


def _power_of_a_base(chain: Chain) -> None:
    """Positive numbers to powers that are no whole ones, and a divisor of the graph's own."""
    name = _clipped(chain, chain.pick(), 0.25, 3.0)
    shape = chain.value(name).shape
    if chain.maybe():
        chain.add("Pow", [name, chain.known(np.float32(chain.choose(0.5, -0.5, -1, 1.5, 0.375)))])
    else:
        chain.add("Div", [chain.floats(*partial(chain, shape)), name])


def _variadic(chain: Chain) -> None:
    chain.since(8)
    op = chain.choose("Sum", "Mean", "Max", "Min")
    name = chain.pick()
    shape = chain.value(name).shape
    others = [_other(chain, name) or chain.floats(*partial(chain, shape)) for _ in range(chain.number(0, 2))]
    chain.add(op, [name, *others], exact=op != "Mean")


def _compared(chain: Chain) -> None:
    op = chain.choose("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")
    chain.since({"Greater": 9, "Less": 9, "Equal": 11}.get(op, 16))
    name = chain.pick(exact=True)
    other = _other(chain, name, exact=True) or chain.floats(*partial(chain, chain.value(name).shape))
    chain.add(op, [name, other], exact=True)


def _truths(chain: Chain) -> None:
    name = chain.pick("b", least=0)
    op = chain.choose("Not", "And", "Or", "Xor")
    other = [] if op == "Not" else [_other(chain, name, "b") or name]
    chain.add(op, [name, *other], exact=True)


def _where(chain: Chain) -> None:
    """A condition of the graph, numbers of two sides that broadcast with it."""
    chain.since(16)
    cond = chain.pick("b", least=0)
    shape = chain.value(cond).shape
    fits = [o for o, v in chain.values.items() if v.dtype == np.float32 and _broadcasts(shape, v.shape)]
    one = str(chain.choose(*fits)) if fits else chain.floats(*shape)
    wide = np.broadcast_shapes(shape, chain.value(one).shape)
    other = chain.floats(*partial(chain, wide))
    chain.add("Where", [cond, *([one, other] if chain.maybe() else [other, one])], exact=True)


def _cast(chain: Chain) -> None:
    """A truth or a whole number to any; a number towards zero to a whole one."""
    name = chain.pick("fib", least=0, exact=True)
    kind = chain.value(name).dtype.kind
    wanted = {"f": ("int64", "int32", "bool"), "i": ("float32", "int32", "int64", "bool"), "b": ("float32", "int64")}
    to = chain.choose(*wanted[kind])
    chain.since(9)
    if to == "float32" and chain.half:
        raise UnfitError  # it would name float32 in a model of float16
    from onnx import helper

    chain.add("Cast", [name], exact=True, to=helper.np_dtype_to_tensor_dtype(np.dtype(to)))


def _whole(chain: Chain) -> None:
    """Arithmetic of whole numbers."""
    op = chain.choose("Add", "Sub", "Mul", "Div", "Mod", "Mod", "Max", "Min", "Abs", "Neg", "BitwiseAnd", "BitwiseXor",
                      "BitwiseOr", "BitwiseNot", "Equal", "Greater")  # fmt: skip
    name = chain.pick("i", least=0)
    value = chain.value(name)
    chain.since(18 if op.startswith("Bitwise") else 13 if op == "Mod" else 12)
    if op in ("Abs", "Neg", "BitwiseNot"):
        chain.add(op, [name], exact=True)
        return
    rng = np.random.default_rng(chain.number(0, 99))
    drawn = rng.integers(-5, 6, partial(chain, value.shape))
    if op in ("Div", "Mod"):
        drawn = np.where(drawn == 0, 3, drawn)
    other = chain.known(drawn.astype(value.dtype), also_fed=True)
    given = {"fmod": int(chain.maybe())} if op == "Mod" else {}
    if op == "Div" and np.any((value < 0) != (drawn < 0)):
        # The reference evaluator rounds down, where ONNX since op set 14 and its runtime round to zero.
        name = chain.add("Abs", [name], exact=True)
        other = chain.known(np.abs(drawn).astype(value.dtype), also_fed=True)
    chain.add(op, [name, other], exact=True, **given)


def _float_modulo(chain: Chain) -> None:
    chain.since(10)
    name = chain.pick(exact=True)
    divisor = chain.known(np.float32(chain.choose(0.5, 1.0, 0.75, -0.5)))
    chain.add("Mod", [name, divisor], fmod=1)


def _shifted(chain: Chain) -> None:
    from onnx import TensorProto

    chain.since(13)
    name = chain.add("Abs", [chain.pick("i", least=0)], exact=True)
    kind = chain.choose("UINT32", "UINT8", "UINT64")
    cast = chain.add("Cast", [name], exact=True, to=getattr(TensorProto, kind))
    steps = chain.known(np.array(chain.number(0, 5), chain.value(cast).dtype))
    moved = chain.add("BitShift", [cast, steps], exact=True, direction=chain.choose("LEFT", "RIGHT"), most=1e6)
    chain.add("Cast", [moved], exact=True, to=TensorProto.INT64, most=1e6)


_REDUCERS = {
    "ReduceMean": False, "ReduceMax": True, "ReduceMin": True, "ReduceSum": True, "ReduceProd": True,
    "ReduceL1": True, "ReduceL2": False, "ReduceSumSquare": True, "ReduceLogSumExp": False,
}  # fmt: skip


def _reduced(chain: Chain) -> None:
    """Over some axes or all, as an input or an attribute, and none where ``noop_with_empty_axes`` says so."""
    op = chain.choose(*_REDUCERS)
    name = chain.pick()
    rank = chain.value(name).ndim
    axes = sorted({chain.axis(rank, negative=False) for _ in range(chain.number(1, 3))})
    axes = [axis - rank if chain.opset >= 11 and chain.maybe() else axis for axis in axes]
    given: dict[str, Any] = {"keepdims": int(chain.maybe())}
    inputs = [name]
    if chain.opset >= (13 if op == "ReduceSum" else 18):
        form = chain.number(0, 4)
        if form == 0 and op in ("ReduceSum", "ReduceMean", "ReduceMax"):
            given["noop_with_empty_axes"] = int(chain.maybe())
        elif form:
            inputs.append(chain.numbers(*axes))
    elif chain.number(0, 4):
        given["axes"] = axes
    chain.add(op, inputs, exact=_REDUCERS[op], **given)


def _scaled(chain: Chain) -> None:
    """Back to numbers of about one: what follows stays far from a float's ends."""
    name = chain.pick()
    top = float(np.abs(chain.value(name)).max())
    if top > 4:
        chain.add("Mul", [name, chain.known(np.float32(2.0 ** -math.ceil(math.log2(top))))], exact=True)
    else:
        raise UnfitError


STEPS: tuple[Step, ...] = (
    _unary, _unary, _unary_within, _shaped, _gelu, _jumping, _clip, _binary, _binary, _power_of_a_base, _variadic,
    _compared, _compared, _truths, _where, _where, _cast, _whole, _whole, _float_modulo, _shifted, _reduced, _reduced,
    _scaled,
)  # fmt: skip
