"""Steps with graphs inside, and recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.converters.direct.drawn.chain import Array, Chain, Step

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def _info(name: str, array: Array) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _branched(chain: Chain) -> None:
    """A condition that the input decides, or one that is known; both branches read the graph around them."""
    from onnx import helper

    chain.since(16)
    name = chain.pick()
    array = chain.value(name)
    truths = [other for other, value in chain.values.items() if value.dtype == np.bool_ and value.size == 1]
    if truths and chain.maybe():
        shaped = chain.add("Reshape", [chain.choose(*truths), chain.numbers(1)], exact=True)
        cond = chain.add("Squeeze", [shaped], exact=True)
    else:
        cond = chain.known(np.array(chain.maybe()), also_fed=True)
    made = []
    for place in range(2):
        op = chain.choose("Neg", "Abs", "Relu", "Identity")
        result = f"b{len(chain.nodes)}_{place}"
        node = helper.make_node(op, [name], [result])
        made.append(helper.make_graph([node], f"branch{place}", [], [_info(result, array)]))
    _inner(chain, "If", [cond], [name], then_branch=made[0], else_branch=made[1])


def _inner(chain: Chain, op: str, inputs: list[str], read: list[str], **attributes: Any) -> None:
    """A node with graphs inside, which read values that are no inputs of its own."""
    from onnx import helper

    result = f"v{len(chain.nodes)}_0"
    node = helper.make_node(op, inputs, [result], **attributes)
    chain.take(node, {name: chain.value(name) for name in dict.fromkeys([*inputs, *read]) if name})


def _looped(chain: Chain) -> None:
    """A known number of rounds, each of which adds a constant or doubles half."""
    from onnx import TensorProto, helper

    chain.since(16)
    name = chain.pick()
    array = chain.value(name)
    tag = f"l{len(chain.nodes)}"
    step = chain.floats(*array.shape[-1:])
    nodes = [
        helper.make_node("Identity", [f"{tag}_go"], [f"{tag}_on"]),
        helper.make_node(chain.choose("Add", "Max", "Sub"), [f"{tag}_in", step], [f"{tag}_out"]),
    ]
    one = helper.make_tensor_value_info
    inputs = [one(f"{tag}_i", TensorProto.INT64, []), one(f"{tag}_go", TensorProto.BOOL, []),
              _info(f"{tag}_in", array)]  # fmt: skip
    outputs = [one(f"{tag}_on", TensorProto.BOOL, []), _info(f"{tag}_out", array)]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    rounds = chain.known(np.array(chain.number(1, 3), np.int64))
    _inner(chain, "Loop", [rounds, "", name], [step], body=body)


def _recurrent(chain: Chain) -> None:
    """Directions, states that are given, all results in the shape of one or the last states."""
    chain.since(14)
    kind = chain.choose(*_GATES)
    name = chain.image(3)
    _, batch, width = chain.value(name).shape
    direction = chain.choose("forward", "reverse", "bidirectional")
    directions, hidden = (2 if direction == "bidirectional" else 1), chain.number(1, 3)
    gates = _GATES[kind] * hidden
    inputs = [name, chain.floats(directions, gates, width), chain.floats(directions, gates, hidden)]
    inputs.append(chain.floats(directions, 2 * gates) if chain.maybe() else "")
    if chain.maybe():
        states = 2 if kind == "LSTM" else 1
        inputs += ["", *(chain.floats(directions, batch, hidden) for _ in range(states))]
    given: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if kind == "GRU":
        given["linear_before_reset"] = int(chain.maybe())
    chain.several(kind, inputs, 2, **given)


STEPS: tuple[Step, ...] = (_branched, _looped, _recurrent, _recurrent)
