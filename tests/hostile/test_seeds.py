"""Every kind of fault that was once found in public files and their mutants, built by code: each is one clear error."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_sdk import EdgeSdkError, Runner, Session, check, find_profile
from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.summary import summarize
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.seeded_inputs import seeded_inputs
from edge_sdk.errors import ModelError, PolicyError, SignatureError
from tests.graphs import Graph, conv_model, int8_model, options, requantizing_model
from tests.runtime.kinds import delay, same_names


def changed(base: bytes, change: Callable[[Node], object]) -> bytes:
    root, _ = parse_tree(base)
    change(root)
    return pack_tree(root)


def claiming(shape: Sequence[int]) -> bytes:
    """A constant of 12 weights whose shape says otherwise."""
    return changed(conv_model(), lambda root: setattr(root.subgraphs[0].tensors[1], "shape", list(shape)))


def without_inputs(base: bytes, op: int) -> bytes:
    return changed(base, lambda root: setattr(root.subgraphs[0].operators[op], "inputs", []))


def dequantizing() -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4), "int8", scale=[0.5]), graph.tensor("y", (1, 4))
    graph.op("DEQUANTIZE", (x,), (y,), options("DequantizeOptions"))
    return graph.finish((x,), (y,))


def with_zero_point(point: int) -> bytes:
    return changed(int8_model(), lambda root: setattr(root.subgraphs[0].tensors[0].quantization, "zero_point", [point]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: claiming((1 << 28, 8)), r"shape \[268435456, 8\] float32 needs 8589934592 bytes, its buffer has 432"),
        (lambda: claiming((2**31 - 1, 2**31 - 1, 4)), "is larger than any memory"),
        (lambda: with_zero_point(2**63 - 1), "zero point 9223372036854775807 does not fit in 32 bits"),
        (lambda: without_inputs(dequantizing(), 0), "an op is not formed as its kernel needs it"),
    ],
)
def test_what_a_file_claims_is_one_error_and_little_memory(content: Callable[[], bytes], message: str) -> None:
    made = content()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=message):
        summarize(parse_artifact(made))
    # What looks at other things than these operands may have something to say.
    with contextlib.suppress(ModelError):
        check(parse_artifact(made), find_profile("raspberry-pi-4"))
    # 1 GB and ten times the file is the bound for hostile files; these kinds need nothing worth the name.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.runtime
def test_names_of_any_bytes_are_only_names() -> None:
    def spoil(root: Node) -> None:
        for tensor in root.subgraphs[0].tensors:
            tensor.name = f"\udcff{tensor.name}"

    with Session.open(changed(same_names("float32", (2, 3)), spoil)) as session:
        first, second = [spec.name for spec in session.inputs]
        made = session.run({first: np.zeros((2, 3), np.float32), second: np.ones((2, 3), np.float32)})
        assert [float(values.max()) for values in made.values()] == [0.0, 1.0]


@pytest.mark.runtime
def test_signature_that_leaves_an_input_out_or_reads_inside_is_refused() -> None:
    def leave_out(root: Node) -> None:
        root.signature_defs[0].inputs = []

    def look_inside(root: Node) -> None:
        root.signature_defs[0].outputs[0].tensor_index = 3

    with pytest.raises(ModelError, match="has no name for input `image`"):
        Session.open(changed(conv_model(), leave_out))
    with pytest.raises(ModelError, match="calls tensor 3 its output `scores`, and the subgraph does not"):
        Session.open(changed(conv_model(), look_inside))


def test_two_inputs_of_one_name_in_a_signature_are_refused() -> None:
    from tests.runtime.kinds import named

    def rename(root: Node) -> None:
        root.signature_defs[0].inputs[1].name = "a"

    with pytest.raises(ModelError, match="signature `serving_default` has two inputs called `a`"):
        parse_artifact(changed(named("float32", (2,)), rename))


@pytest.mark.runtime
def test_variable_that_nothing_sets_is_not_read() -> None:
    """LiteRT 2.1 reads memory that is anybody's."""
    content = changed(delay("float32", (2, 3)), lambda root: root.subgraphs[0].operators.pop(0))
    with (
        Session.open(content, delegate="cpu", policy="self_test=off") as session,
        pytest.raises(ModelError, match="reads variable `state`, which nothing has set yet"),
    ):
        session.run({"x": np.zeros((2, 3), np.float32)})


@pytest.mark.runtime
def test_misuse_is_told_in_words() -> None:
    with pytest.raises(PolicyError, match="unknown option `keepstate`, did you mean `keep_state`"):
        Session.open(conv_model(), keepstate=True)  # type: ignore[call-arg]
    with (
        Session.open(conv_model()) as session,
        pytest.raises(SignatureError, match="expected a mapping of names to arrays, got ndarray"),
    ):
        session.run(np.zeros((1, 8, 8, 3), np.float32))  # type: ignore[arg-type]


def test_check_takes_a_path_and_an_id(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(conv_model())
    assert check(path, "raspberry-pi-4").profile == "raspberry-pi-4"
    with pytest.raises(EdgeSdkError, match="did you mean `raspberry-pi-4`"):
        check(path, "raspberry-pi4")


@pytest.mark.runtime
def test_runner_tells_misuse_too(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(conv_model())
    with pytest.raises(SignatureError, match="expected a mapping"):
        Runner(path).run(np.zeros(3))  # type: ignore[arg-type]


@pytest.mark.runtime
def test_operand_that_is_left_out_where_the_kernel_reads_it() -> None:
    """LiteRT 2.1 reads the tensor before the first, and dies of it or not."""

    def leave_out(root: Node) -> None:
        root.subgraphs[0].operators[0].inputs = [-1, *list(root.subgraphs[0].operators[0].inputs)[1:]]

    with pytest.raises(ModelError, match=r"op 0 \(\w+\): input 0 is left out, which the op does not allow"):
        Session.open(changed(requantizing_model(), leave_out), try_first=False)


@pytest.mark.runtime
def test_subgraphs_that_call_each_other_without_end_in_sight() -> None:
    """4 kB whose walk would take hours: eight calls on each of ten levels."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("ABS", (x,), (y,), options("AbsOptions"))
    level = graph
    for index in range(1, 11):
        handle = level.tensor("handle", (), "resource")
        level.op("VAR_HANDLE", (), (handle,), options("VarHandleOptions", container="", shared_name="s"))
        for _ in range(8):
            level.op("CALL_ONCE", (), (), options("CallOnceOptions", init_subgraph_index=index))
        level = graph.another(f"level {index}")
    with pytest.raises(ModelError, match="call each other more often than variables can be followed"):
        Session.open(graph.finish((x,), (y,)), try_first=False)


@pytest.mark.runtime
def test_flags_beyond_memory_are_one_error() -> None:
    """A bool of 2 GB is drawn as 16 GB of floats: where that cannot be had, numpy says so in its own words."""
    graph = Graph()
    flags, out = graph.tensor("flags", (2**31 - 1,), "bool"), graph.tensor("out", (2**31 - 1,), "bool")
    graph.op("LOGICAL_NOT", (flags,), (out,), options("LogicalNotOptions"))
    content = graph.finish((flags,), (out,))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, hard))
    try:
        with pytest.raises(ModelError, match="there is no memory to draw inputs: flags: bool"):
            seeded_inputs(parse_artifact(content))
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    # A session asks before it takes anything.
    with Session.open(conv_model()) as session:
        assert session.receipt.opening.need.trial_bytes >= 8 * 8 * 8 * 3


@pytest.mark.runtime
def test_variables_ops_without_what_they_read() -> None:
    """The trial may live where the caller dies: what lies beside the operands is anybody's memory."""

    def shorten(root: Node) -> None:
        root.subgraphs[0].operators[2].inputs = []

    with pytest.raises(ModelError, match=r"op 2 \(READ_VARIABLE\): has 0 inputs, its kernel reads 1"):
        Session.open(changed(delay("float32", (2, 3)), shorten), try_first=False)


@pytest.mark.runtime
def test_value_that_is_read_before_it_is_made() -> None:
    def swap(root: Node) -> None:
        root.subgraphs[0].operators[0].inputs = [int(root.subgraphs[0].operators[1].outputs[0])]

    graph = Graph()
    x, y, z = (graph.tensor(name, (1, 4)) for name in "xyz")
    graph.op("ABS", (x,), (y,), options("AbsOptions"))
    graph.op("NEG", (y,), (z,), options("NegOptions"))
    with pytest.raises(ModelError, match=r"op 0 \(ABS\): reads tensor 2, which op 1 makes after it"):
        Session.open(changed(graph.finish((x,), (z,)), swap), try_first=False)


@pytest.mark.runtime
@pytest.mark.parametrize("shape", [(1, 1, 0, 3), (1, 0, 8, 1), (0, 4, 4, 4)])
def test_images_of_no_pixels_are_drawn(shape: tuple[int, ...]) -> None:
    """A picture without a column has no spectrum, and its division by the width had no word of ours."""
    graph = Graph()
    x, y = graph.tensor("x", shape), graph.tensor("y", shape)
    graph.op("ABS", (x,), (y,), options("AbsOptions"))
    content = graph.finish((x,), (y,))
    assert [one["x"].shape for one in seeded_inputs(parse_artifact(content))] == [shape] * 2
