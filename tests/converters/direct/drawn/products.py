"""Steps of products, of norms and what divides by a sum, and of a grid of int8 and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.converters.direct.drawn.arithmetic import partial
from tests.converters.direct.drawn.chain import EXTENTS, Chain, Step, UnfitError


def _product(chain: Chain) -> None:
    """With a constant on either side, perhaps of several matrices, a vector, or a value turned over."""
    name = chain.pick(least=2)
    shape = chain.value(name).shape
    form = chain.number(0, 4)
    wide = chain.draw(EXTENTS)
    if form == 0:
        turned = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        other = chain.add("Transpose", [name], exact=True, perm=turned)
        chain.add("MatMul", [name, other] if chain.maybe() else [other, name], exact=True)
    elif form == 1:
        chain.add("MatMul", [chain.floats(wide, shape[-2]), name], exact=True)
    elif form == 2:
        chain.add("MatMul", [name, chain.floats(shape[-1])], exact=True)
    else:
        lead = partial(chain, shape[:-2]) if form == 3 else ()
        chain.add("MatMul", [name, chain.floats(*lead, shape[-1], wide)], exact=True)


def _dense(chain: Chain) -> None:
    name = chain.image(2)
    turned, weight_turned = int(chain.maybe()), int(chain.maybe())
    rows, depth = chain.value(name).shape[:: -1 if turned else 1]
    wide = chain.draw(EXTENTS)
    inputs = [name, chain.floats(*((wide, depth) if weight_turned else (depth, wide)))]
    if chain.opset < 11 or chain.maybe():
        inputs.append(chain.floats(*chain.choose((wide,), (1, wide), (rows, wide), (rows, 1), ())))
    scales = {key: chain.choose(0.5, 2.0) for key in ("alpha", "beta") if chain.maybe()}
    chain.add("Gemm", inputs, exact=True, transA=turned, transB=weight_turned, **scales)


def _einsum(chain: Chain) -> None:
    chain.since(12)
    rank = chain.choose(2, 3, 4)
    name = chain.image(rank)
    shape = chain.value(name).shape
    wide = chain.draw(EXTENTS)
    forms: dict[int, list[tuple[str, tuple[int, ...]]]] = {
        2: [("ij,jk->ki", (shape[1], wide)), ("ij,ij->i", shape), ("ij->ji", ()), ("ij,j->i", (shape[1],)),
            ("ij,k->ikj", (wide,))],
        3: [("bij,jk->bik", (shape[-1], wide)), ("bij,bkj->bik", (shape[0], wide, shape[-1])),
            ("bij->bj", ()), ("...ij,jk->...ki", (shape[-1], wide))],
        4: [("bhid,bhjd->bhij", (*shape[:2], wide, shape[-1])), ("bchw,oc->bohw", (wide, shape[1])),
            ("bchw->bhcw", ()), ("bihd,bjhd->bhij", (shape[0], wide, *shape[2:]))],
    }  # fmt: skip
    equation, other = chain.choose(*forms[rank])
    chain.add("Einsum", [name, chain.floats(*other)] if other else [name], exact=True, equation=equation)


def _softmax(chain: Chain) -> None:
    name = chain.pick()
    axis = chain.axis(chain.value(name).ndim, chain.opset >= 11)
    chain.add(chain.choose("Softmax", "Softmax", "LogSoftmax"), [name], axis=axis)


def _hard_max(chain: Chain) -> None:
    name = chain.pick(exact=True)
    chain.add("Hardmax", [name], exact=True, axis=chain.axis(chain.value(name).ndim, chain.opset >= 11))


def _batch_norm(chain: Chain) -> None:
    chain.since(9)
    name = chain.pick(least=2)
    channels = chain.value(name).shape[1]
    inputs = [name, *(chain.floats(channels) for _ in range(3)), chain.floats(channels, least=0.5)]
    given: dict[str, Any] = {"epsilon": 0.01} if chain.maybe() else {}
    chain.add("BatchNormalization", inputs, **given)


def _layer_norm(chain: Chain) -> None:
    chain.since(17)
    name = chain.pick()
    shape = chain.value(name).shape
    axis = chain.axis(len(shape))
    tail = shape[axis:]
    inputs = [name, chain.floats(*tail), *([chain.floats(*tail)] if chain.maybe() else [])]
    given = {"epsilon": 0.01} if chain.maybe() else {}
    axes = range(axis % len(shape), len(shape))
    chain.settled("LayerNormalization", inputs, list(axes), name, axis=axis, **given)


def _instance_norm(chain: Chain) -> None:
    name = chain.pick(least=3)
    shape = chain.value(name).shape
    inputs = [name, chain.floats(shape[1]), chain.floats(shape[1])]
    chain.settled("InstanceNormalization", inputs, list(range(2, len(shape))), name, epsilon=0.01)


def _group_norm(chain: Chain) -> None:
    chain.since(21)
    name = chain.pick(least=3)
    channels = chain.value(name).shape[1]
    groups = chain.choose(*(n for n in range(1, channels + 1) if channels % n == 0))
    value = chain.value(name)
    spread = value.reshape(value.shape[0], groups, -1).std(-1)
    if name not in chain.exact and spread.min() < 0.05:
        raise UnfitError
    inputs = [name, chain.floats(channels), chain.floats(channels)]
    chain.add("GroupNormalization", inputs, num_groups=groups, epsilon=0.01)


def _rms_norm(chain: Chain) -> None:
    chain.since(23)
    name = chain.pick()
    shape = chain.value(name).shape
    axis = chain.axis(len(shape))
    chain.add("RMSNormalization", [name, chain.floats(*shape[axis:])], axis=axis, epsilon=0.01)


def _unit(chain: Chain) -> None:
    """Lengths that are not near none."""
    name = chain.pick(within=lambda value: np.abs(value).min() > 0.05)
    p = chain.choose(1, 2)
    chain.add("LpNormalization", [name], axis=chain.axis(chain.value(name).ndim), p=p)


def _centred(chain: Chain) -> None:
    chain.since(13)
    name = chain.image()
    axes = list(chain.choose((0, 2, 3), (2, 3), (1,)))
    value = chain.value(name)
    if value.std(tuple(axes)).min() < 0.05:
        raise UnfitError
    chain.add("MeanVarianceNormalization", [name], axes=axes)


def _local_response(chain: Chain) -> None:
    chain.since(13)
    given: dict[str, Any] = {"size": chain.choose(1, 3, 5), "alpha": 0.1, "beta": chain.choose(0.75, 0.5), "bias": 1.0}
    chain.add("LRN", [chain.image()], **given)


def _through_a_grid(chain: Chain) -> None:
    """To int8 or uint8 and back, per tensor or per channel; exact numbers only, which no rounding moves over a half."""
    chain.since(13)
    if chain.half:
        raise UnfitError
    name = chain.pick(exact=True)
    shape = chain.value(name).shape
    axis = chain.axis(len(shape))
    kind = chain.choose(np.int8, np.uint8)
    each = (shape[axis],) if chain.maybe() else ()
    rng = np.random.default_rng(chain.number(0, 99))
    steps = (2.0 ** rng.integers(-4, 0, each)).astype(np.float32)
    along = steps.reshape([-1 if each and i == axis % len(shape) else 1 for i in range(len(shape))])
    if np.any(np.abs(chain.value(name) / along % 1) == 0.5):
        raise UnfitError  # to even in ONNX, away from zero in TFLite: within the one step that is allowed
    scale = chain.known(steps)
    middle = chain.known(np.asarray(rng.integers(-3, 4, each) + (128 if kind is np.uint8 else 0)).astype(kind))
    given = {"axis": axis} if each else {}
    grid = chain.add("QuantizeLinear", [name, scale, middle], exact=True, **given)
    chain.add("DequantizeLinear", [grid, scale, middle], exact=True, **given)


STEPS: tuple[Step, ...] = (
    _product, _product, _product, _dense, _einsum, _softmax, _softmax, _hard_max, _batch_norm, _layer_norm,
    _instance_norm, _group_norm, _rms_norm, _unit, _centred, _local_response, _through_a_grid,
)  # fmt: skip
