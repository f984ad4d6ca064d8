"""RNN, LSTM and GRU against ONNX Runtime: directions, states, lengths, activations; as ops and as WHILE."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.checks.lint.linting import lint
from edge_sdk.converters.lower.direct.writing import write
from edge_sdk.errors import ModelError, UnsupportedOpError
from tests.converters.direct.compare import check, expected, lowered, model, run

pytestmark = pytest.mark.onnx
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
HIDDEN, WIDTH = 5, 3
_SLOPE = {"activation_alpha": [0.3], "activation_beta": [0.4]}
_AFTER: dict[str, Any] = {"linear_before_reset": 1}
# More than are unrolled, and no multiple of the steps in a round of the loop; 144 is one.
LONG = 140


def _array(seed: int, *shape: int) -> npt.NDArray[Any]:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.5).astype(np.float32)


def _layer(
    kind: str, steps: int = 4, batch: int = 2, *, states: bool = False, lengths: Any = None, bias: bool = True,
    outputs: str = "yhc", fed: tuple[str, ...] = ("x", "h", "c"), **attributes: Any,
) -> tuple[Any, dict[str, npt.NDArray[Any]]]:  # fmt: skip
    """A model of one layer, and what it is fed; all else are weights."""
    from onnx import helper

    both = attributes.get("direction") == "bidirectional"
    directions, width = 1 + both, GATES[kind] * HIDDEN
    arrays = {
        "x": _array(0, steps, batch, WIDTH),
        "w": _array(1, directions, width, WIDTH),
        "r": _array(2, directions, width, HIDDEN),
        "b": _array(3, directions, 2 * width) if bias else None,
        "l": None if lengths is None else np.array(lengths, np.int32),
        "h": _array(4, directions, batch, HIDDEN) if states else None,
        "c": _array(5, directions, batch, HIDDEN) if states and kind == "LSTM" else None,
    }
    given = {name: array for name, array in arrays.items() if array is not None}
    names = [name if name in given else "" for name in arrays][: 7 if kind == "LSTM" else 6]
    results = [f"out_{name}" if name in outputs else "" for name in ("yhc" if kind == "LSTM" else "yh")]
    node = helper.make_node(kind, names, results, hidden_size=HIDDEN, **attributes)
    feeds = {name: array for name, array in given.items() if name in fed}
    weights = {name: array for name, array in given.items() if name not in fed}
    return model([node], feeds, [name for name in results if name], weights, 14), feeds


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("steps", [1, 4, LONG, LONG + 4])
@pytest.mark.parametrize("states", [False, True])
def test_directions_and_states(kind: str, direction: str, steps: int, states: bool) -> None:
    proto, feeds = _layer(kind, steps, states=states, direction=direction)
    graph = check(proto, feeds)
    kinds = [op.kind for op in graph.graph.ops]
    assert kinds.count("WHILE") == (0 if steps < LONG else 1 + (direction == "bidirectional"))
    assert "TRANSPOSE" not in kinds or direction == "bidirectional"


@pytest.mark.parametrize("kind", GATES)
def test_a_long_sequence_is_unrolled_for_a_quantizer(kind: str) -> None:
    proto, feeds = _layer(kind, LONG, 1)
    ops = check(proto, feeds, unroll=True).graph.ops
    kinds = [op.kind for op in ops]
    assert "WHILE" not in kinds
    matrices = {t for op in ops for t in op.inputs if t is not None and t.data is not None and t.data.ndim == 2}
    assert len(matrices) <= 3
    # Less than what the first step need not do.
    assert len(kinds) <= {"RNN": 3, "GRU": 11, "LSTM": 12}[kind] * LONG + 8


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("steps", [4, LONG])
@pytest.mark.parametrize("fed", [True, False])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_sequences_of_different_lengths(kind: str, steps: int, fed: bool, direction: str) -> None:
    names = ("x", "h", "c", "l") if fed else ("x", "h", "c")
    lengths = [steps, steps - 2]
    check(*_layer(kind, steps, states=True, lengths=lengths, fed=names, direction=direction))
    check(*_layer(kind, steps, lengths=lengths, fed=names, direction=direction))


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("LSTM", {"activations": ["HardSigmoid", "Relu", "Softsign"], **_SLOPE}),
        ("LSTM", {"activations": ["Sigmoid", "Tanh", "Elu"]}),
        ("LSTM", {"input_forget": 1}),
        ("LSTM", {"clip": 0.3}),
        ("GRU", {"linear_before_reset": 1}),
        ("GRU", {"activations": ["Sigmoid", "ScaledTanh"], "activation_alpha": [0.7], "activation_beta": [1.2]}),
        ("GRU", {"clip": 0.3}),
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.2]}),
        ("RNN", {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
        ("RNN", {"activations": ["ThresholdedRelu"], "activation_alpha": [0.1]}),
        ("RNN", {"activations": ["Relu"], "clip": 0.5}),
        ("RNN", {"activations": ["Tanh", "Relu"], "direction": "bidirectional"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_what_else_a_cell_can_be(kind: str, attributes: dict[str, Any], bias: bool) -> None:
    check(*_layer(kind, states=True, bias=bias, **attributes))


@pytest.mark.parametrize("kind", GATES)
def test_weights_may_depend_on_data(kind: str) -> None:
    check(*_layer(kind, fed=("x", "w", "r", "b", "h", "c"), states=True, direction="bidirectional"))
    check(*_layer(kind, fed=("x", "w", "r", "b"), **_AFTER if kind == "GRU" else {}))


@pytest.mark.parametrize("outputs", ["y", "h", "c", "yc"])
@pytest.mark.parametrize("steps", [4, LONG])
def test_only_what_is_asked_for_is_made(outputs: str, steps: int) -> None:
    check(*_layer("LSTM", steps, outputs=outputs))


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("states", [False, True])
def test_batches_may_come_first(kind: str, states: bool) -> None:
    """ONNX Runtime has no layout 1: the other layout's results say what they must be."""
    proto, feeds = _layer(kind, states=states, direction="bidirectional")
    y, *ends = expected(proto, feeds)
    turned = {name: np.ascontiguousarray(array.transpose(1, 0, 2)) for name, array in feeds.items()}
    proto.graph.node[0].attribute.add(name="layout", type=2, i=1)
    for value, array in zip(proto.graph.input, turned.values(), strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim, array.shape, strict=True):
            dim.dim_value = size
    results = run(lowered(proto, turned), turned)
    wants = [y.transpose(2, 0, 1, 3), *(end.transpose(1, 0, 2) for end in ends)]
    for result, want in zip(results, wants, strict=True):
        np.testing.assert_allclose(result, want, atol=1e-5)


def test_a_step_after_a_step_costs_no_transpose() -> None:
    """PyTorch's batch_first: a transpose before and behind, which is a matter of names."""
    from onnx import helper

    proto, _ = _layer("LSTM", 3, 2, outputs="y")
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["t", "w", "r", "b"], ["y"], hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["y", "one"], ["s"]),
        helper.make_node("Transpose", ["s"], ["z"], perm=[1, 0, 2]),
    ]
    from onnx import numpy_helper

    weights = {w.name: numpy_helper.to_array(w) for w in proto.graph.initializer}
    x = {"x": _array(0, 2, 3, WIDTH)}
    graph = check(model(nodes, x, ["z"], {**weights, "one": np.array([1])}, 14), x)
    assert "TRANSPOSE" not in [op.kind for op in graph.graph.ops]


def test_a_run_does_not_see_the_one_before() -> None:
    proto, feeds = _layer("LSTM", LONG, 1)
    graph = lowered(proto, feeds)
    for once, twice in zip(run(graph, feeds), run(graph, feeds, times=2), strict=True):
        np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize("shape", [(4, 2, WIDTH + 1), (4, 2, WIDTH, 2)])
def test_a_sequence_that_the_weights_do_not_fit_is_told_with_where(shape: tuple[int, ...]) -> None:
    proto, feeds = _layer("LSTM")
    proto.graph.node[0].name = "rnn"
    with pytest.raises(ModelError, match="at `rnn` the graph's shapes contradict each other"):
        lowered(proto, {**feeds, "x": np.zeros(shape, np.float32)})


def test_peepholes_are_refused_by_name() -> None:
    proto, feeds = _layer("LSTM", states=True)
    proto.graph.node[0].input.append("p")
    from onnx import numpy_helper

    proto.graph.initializer.append(numpy_helper.from_array(_array(6, 1, 3 * HIDDEN), "p"))
    with pytest.raises(UnsupportedOpError, match="peephole weights"):
        lowered(proto, feeds)


@pytest.mark.parametrize("rate", [16000, 8000])
def test_a_voice_detector_chooses_its_layer_by_an_input(rate: int) -> None:
    """Two layers for two rates, states as inputs and outputs, and a branch that depends on the rate inside a branch."""
    import onnx
    from onnx import helper

    def branch(index: int) -> Any:
        names = [f"{name}{index}" for name in "wrb"]
        results = [f"{name}{index}" for name in ("y", "nh", "nc")]
        nodes = [
            helper.make_node("LSTM", ["x", *names, "", "h", "c"], results, hidden_size=HIDDEN),
            helper.make_node("Squeeze", [results[0], "axis"], [f"s{index}"]),
        ]
        outputs = [helper.make_value_info(f"{name}{index}", onnx.TypeProto()) for name in ("s", "nh", "nc")]
        return helper.make_graph(nodes, f"branch{index}", [], outputs)

    nodes = [
        helper.make_node("Equal", ["sr", "high"], ["is_high"]),
        helper.make_node("If", ["is_high"], ["s", "nh", "nc"], then_branch=branch(0), else_branch=branch(1)),
        helper.make_node("Sigmoid", ["s"], ["y"]),
    ]
    weights: dict[str, npt.NDArray[Any]] = {"high": np.array(16000), "axis": np.array([1])}
    for i in (0, 1):
        weights[f"w{i}"] = _array(10 + i, 1, 4 * HIDDEN, WIDTH)
        weights[f"r{i}"] = _array(20 + i, 1, 4 * HIDDEN, HIDDEN)
        weights[f"b{i}"] = _array(30 + i, 1, 8 * HIDDEN)
    feeds = {
        "x": _array(0, 4, 1, WIDTH),
        "h": _array(1, 1, 1, HIDDEN),
        "c": _array(2, 1, 1, HIDDEN),
        "sr": np.array(rate),
    }
    proto = model(nodes, feeds, ["y", "nh", "nc"], weights, 16)
    assert [op.kind for op in check(proto, feeds).graph.ops].count("IF") == 1
    # Where the rate is known, one layer is left.
    known = {name: array for name, array in feeds.items() if name != "sr"}
    proto = model(nodes, known, ["y", "nh", "nc"], {**weights, "sr": np.array(rate)}, 16)
    assert "IF" not in [op.kind for op in check(proto, known).graph.ops]


def test_a_loop_over_steps_is_bounded() -> None:
    """``check`` names loops that may never end; what a count in the file ends is none of them."""
    proto, feeds = _layer("LSTM", LONG, states=True, direction="bidirectional")
    artifact = parse_artifact(write(lowered(proto, feeds).graph))
    assert [op.name for op in artifact.main.ops].count("WHILE") == 2
    assert "open-loop" not in {one.rule for one in lint(artifact)}
