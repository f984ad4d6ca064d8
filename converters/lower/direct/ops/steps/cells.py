"""One step of a recurrent layer: from the projected input and the state to the next state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.activation import hard_sigmoid, softplus
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, clipped, scalar, select, unary
from edge_sdk.converters.lower.direct.value import Value, plain

Activation = Callable[[Builder, Tensor], Tensor]
State = tuple[Tensor | None, ...]
"""Hidden state, and for an LSTM the cell's; None where it is zero."""


@dataclass(frozen=True)
class Weights:
    """Of one direction's recurrent product.

    Attributes:
        parts: ``[gates * hidden, hidden]`` for each of the cell's parts, in ONNX's order of gates.
        bias: what is added to the last part's product, ``[hidden]``, or None; what can be added to the projected
            input is in that already.
        hidden: width of the state.
    """

    parts: tuple[Value, ...]
    bias: Value | None
    hidden: int


Step = Callable[[Builder, Weights, Sequence[Tensor], State], tuple[Tensor, ...]]


# --- arithmetic on [batch, hidden] --------------------------------------------------------------------------------


def _emit(builder: Builder, kind: str, *inputs: Tensor) -> Tensor:
    shape = np.broadcast_shapes(*(tensor.shape for tensor in inputs))
    return builder.emit(kind, inputs, shape)


def product(builder: Builder, x: Tensor, weights: Value, bias: Value | None) -> Tensor:
    """FULLY_CONNECTED with weights ``[N, K]``, known or not."""
    taken = None if bias is None else builder.arranged(bias)
    shape = (*x.shape[:-1], weights.shape[0])
    return builder.emit("FULLY_CONNECTED", [x, builder.arranged(weights), taken], shape, keep_num_dims=len(shape) != 2)


def _with_recurrent(builder: Builder, weights: Value, x: Tensor, h: Tensor | None) -> Tensor:
    return x if h is None else _emit(builder, "ADD", x, product(builder, h, weights, None))


def _gates(builder: Builder, z: Tensor, count: int) -> tuple[Tensor, ...]:
    shape = (z.shape[0], z.shape[1] // count)
    results = [(shape, z.dtype)] * count
    return builder.emit_many("SPLIT", [builder.constant(1, "int32"), z], results, num_splits=count)


# --- the cells ----------------------------------------------------------------------------------------------------


def rnn(node: Node, direction: int) -> Step:
    """``h = f(x + h R)``."""
    (f,) = activations(node, direction, ("Tanh",))

    def step(builder: Builder, weights: Weights, x: Sequence[Tensor], state: State) -> tuple[Tensor, ...]:
        return (f(builder, _with_recurrent(builder, weights.parts[0], x[0], state[0])),)

    return step


def lstm(node: Node, direction: int) -> Step:
    """``c = f c + i g; h = o tanh(c)``, gates in the order i, o, f, g."""
    f, g, h = activations(node, direction, ("Sigmoid", "Tanh", "Tanh"))
    coupled = bool(node.attribute("input_forget", 0))

    def step(builder: Builder, weights: Weights, x: Sequence[Tensor], state: State) -> tuple[Tensor, ...]:
        gates = _gates(builder, _with_recurrent(builder, weights.parts[0], x[0], state[0]), 4)
        enters, leaves = (f(builder, gates[i]) for i in (0, 1))
        c = _emit(builder, "MUL", enters, g(builder, gates[3]))
        if (old := state[1]) is not None:
            stays = _complement(builder, enters) if coupled else f(builder, gates[2])
            c = _emit(builder, "ADD", _emit(builder, "MUL", stays, old), c)
        return _emit(builder, "MUL", leaves, h(builder, c)), c

    return step


def _complement(builder: Builder, x: Tensor) -> Tensor:
    return _emit(builder, "SUB", builder.constant(np.float32(1)), x)


def gru(node: Node, direction: int) -> Step:
    """``h = n + z (h - n)``, gates in the order z, r, n."""
    f, g = activations(node, direction, ("Sigmoid", "Tanh"))
    after = bool(node.attribute("linear_before_reset", 0))

    def step(builder: Builder, weights: Weights, x: Sequence[Tensor], state: State) -> tuple[Tensor, ...]:
        h = state[0]
        z, r = _gates(builder, f(builder, _with_recurrent(builder, weights.parts[0], x[0], h)), 2)
        n = g(builder, (_reset_after if after else _reset_before)(builder, weights, x[1], r, h))
        if h is None:
            return (_emit(builder, "MUL", _complement(builder, z), n),)
        return (_emit(builder, "ADD", n, _emit(builder, "MUL", z, _emit(builder, "SUB", h, n))),)

    return step


def _reset_after(builder: Builder, weights: Weights, x: Tensor, r: Tensor, h: Tensor | None) -> Tensor:
    """``x + r (h R + b)``."""
    if h is not None:
        return _emit(builder, "ADD", x, _emit(builder, "MUL", r, product(builder, h, weights.parts[1], weights.bias)))
    if weights.bias is None:
        return x
    return _emit(builder, "ADD", x, _emit(builder, "MUL", r, builder.arranged(weights.bias)))


def _reset_before(builder: Builder, weights: Weights, x: Tensor, r: Tensor, h: Tensor | None) -> Tensor:
    """``x + (r h) R``."""
    if h is None:
        return x
    return _emit(builder, "ADD", x, product(builder, _emit(builder, "MUL", r, h), weights.parts[1], None))


@dataclass(frozen=True)
class Cell:
    """A kind of layer.

    Attributes:
        step: makes a direction's step.
        parts: how the projected input is divided before the first step, in gates.
        states: how many there are.
    """

    step: Callable[[Node, int], Step]
    parts: tuple[int, ...]
    states: int


CELLS: Mapping[str, Cell] = {
    "GRU": Cell(gru, (2, 1), 1),
    "LSTM": Cell(lstm, (4,), 2),
    "RNN": Cell(rnn, (1,), 1),
}
"""By ONNX's name."""


# --- activations --------------------------------------------------------------------------------------------------


def activations(node: Node, direction: int, defaults: Sequence[str]) -> list[Activation]:
    """A direction's activations; those of gates after the clipping that the node asks for.

    ONNX Runtime does not clip what an LSTM's third one reads, the cell's state; the standard does not say.

    Raises:
        NoFormError: one is unknown.
    """
    names = node.attribute("activations") or list(defaults) * (direction + 1)
    alphas, betas = iter(node.attribute("activation_alpha", [])), iter(node.attribute("activation_beta", []))
    found = [_activation(name, alphas, betas) for name in names]
    clip = node.attribute("clip")
    own = found[direction * len(defaults) : (direction + 1) * len(defaults)]
    return own if not clip else [*(_after_clip(one, float(clip)) for one in own[:2]), *own[2:]]


def _activation(name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    key = name.lower()
    if key not in _ACTIVATIONS:
        raise NoFormError(f"the activation {name}")
    form, alpha, beta = _ACTIVATIONS[key]
    alpha = None if alpha is None else float(next(alphas, alpha))
    beta = None if beta is None else float(next(betas, beta))

    def made(builder: Builder, x: Tensor) -> Tensor:
        return form(builder, plain(x), alpha or 0.0, beta or 0.0).tensor

    return made


def _after_clip(activation: Activation, limit: float) -> Activation:
    def made(builder: Builder, x: Tensor) -> Tensor:
        low, high = (builder.fixed(np.float32(bound)) for bound in (-limit, limit))
        return activation(builder, clipped(builder, plain(x), low, high).tensor)

    return made


def _op(kind: str) -> Callable[[Builder, Value, float, float], Value]:
    return lambda builder, x, alpha, beta: unary(builder, x, kind)


def _affine(builder: Builder, x: Value, alpha: float, beta: float) -> Value:
    return binary(builder, "ADD", [_times(builder, x, alpha), scalar(builder, beta, x)])


def _times(builder: Builder, x: Value, factor: float) -> Value:
    return binary(builder, "MUL", [x, scalar(builder, factor, x)])


def _scaled_tanh(builder: Builder, x: Value, alpha: float, beta: float) -> Value:
    return _times(builder, unary(builder, _times(builder, x, beta), "TANH"), alpha)


def _thresholded(builder: Builder, x: Value, alpha: float, beta: float) -> Value:
    above = binary(builder, "GREATER", [x, scalar(builder, alpha, x)], "bool")
    return select(builder, above, x, scalar(builder, 0, x))


def _elu(builder: Builder, x: Value, alpha: float, beta: float) -> Value:
    made = unary(builder, x, "ELU")
    if alpha == 1:
        return made
    low = binary(builder, "MINIMUM", [made, scalar(builder, 0, x)])
    return binary(builder, "ADD", [unary(builder, x, "RELU"), _times(builder, low, alpha)])


def _softsign(builder: Builder, x: Value, alpha: float, beta: float) -> Value:
    size = binary(builder, "ADD", [unary(builder, x, "ABS"), scalar(builder, 1, x)])
    return binary(builder, "DIV", [x, size])


_ACTIVATIONS: Mapping[str, tuple[Callable[[Builder, Value, float, float], Value], float | None, float | None]] = {
    "affine": (_affine, 1.0, 0.0),
    "elu": (_elu, 1.0, None),
    "hardsigmoid": (hard_sigmoid, 0.2, 0.5),
    "leakyrelu": (lambda builder, x, alpha, beta: unary(builder, x, "LEAKY_RELU", alpha=alpha), 0.01, None),
    "relu": (_op("RELU"), None, None),
    "scaledtanh": (_scaled_tanh, 1.0, 1.0),
    "sigmoid": (_op("LOGISTIC"), None, None),
    "softplus": (lambda builder, x, alpha, beta: softplus(builder, x), None, None),
    "softsign": (_softsign, None, None),
    "tanh": (_op("TANH"), None, None),
    "thresholdedrelu": (_thresholded, 1.0, None),
}
