"""The compiler's answer read: which ops are in which partition, and its words for the others."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.excerpt import named_apart, one_op, own_name
from edge_sdk.converters.compilers.qualcomm import answer
from tests.graphs import Graph, conv_model

# A diamond whose right side the NPU does not take, so that its left side and its foot are two partitions.
OPS = (("ABS", (0,), 1), ("NEG", (1,), 2), ("EXP", (1,), 3), ("ADD", (2, 3), 4), ("SQRT", (4,), 5))


def original() -> bytes:
    graph = Graph()
    for _ in range(6):
        graph.tensor("same", (1, 4))
    for name, inputs, result in OPS:
        graph.op(name, inputs, (result,))
    return graph.finish((0,), (5,), signature=False)


def compiled(dispatched: Mapping[tuple[int, ...], tuple[int, ...]], left: tuple[int, ...]) -> bytes:
    """What the compiler leaves: dispatch ops by inputs and outputs, and the ops that it did not take."""
    graph = Graph()
    for index in range(6):
        graph.tensor(own_name(0, index), (1, 4))
    for inputs, outputs in dispatched.items():
        graph.op("CUSTOM", inputs, outputs, custom="DISPATCH_OP")
    for op in left:
        name, inputs, result = OPS[op]
        graph.op(name, inputs, (result,))
    return graph.finish((0,), (5,), signature=False)


def taken(content: bytes, said: str) -> Mapping[int, int | None]:
    return answer.taken_ops(parse_artifact(original()), content, said)[0]


def test_ops_are_found_behind_the_results_of_their_partition() -> None:
    found = taken(
        compiled({(0,): (1, 2), (2, 3): (5,)}, (2,)), "Partitioned subgraph<0>, selected 4 ops, from a total of 5 ops"
    )
    assert found == {0: 0, 1: 0, 3: 1, 4: 1}


def test_whole_file_is_one_partition() -> None:
    assert taken(compiled({(0,): (5,)}, ()), "") == dict.fromkeys(range(5), 0)


def test_an_answer_at_odds_with_itself_is_none() -> None:
    with pytest.raises(answer.UnreadableAnswerError, match="says 3 of 5 ops of subgraph 0, its file shows 5"):
        taken(compiled({(0,): (5,)}, ()), "Partitioned subgraph<0>, selected 3 ops, from a total of 5 ops")


def test_places_carry_names_of_the_file_and_the_vendors_words() -> None:
    artifact = parse_artifact(original())
    inside = {0: taken(compiled({(0,): (1, 2), (2, 3): (5,)}, (2,)), "")}
    placed = list(answer.places(artifact, inside, {(0, 2): "no kernel for the types in[0] BOOL_8"}))
    assert [place.partition for place in placed] == [0, 0, None, 1, 1]
    assert {place.result for place in placed} == {"same"}
    reason = placed[2].reason
    assert reason is not None
    assert reason.message == "QNN refuses it: no kernel for the types in[0] BOOL_8"


TYPES = """
     0.0ms [ ERROR ]   <E> Unsupported input/output datatypes requested for the HTP Op 'ElementWiseUnary' in the node.
     0.0ms [ ERROR ]   <E> Requested I/O datatype set:

   in[0]:QNN_DATATYPE_BOOL_8
   out[0]:QNN_DATATYPE_BOOL_8

     0.0ms [ ERROR ]   <E> Supported I/O datatype sets for the configuration: BF16
"""
RANK = """
     0.0ms [ ERROR ]   <E> [4294967295] has incorrect Rank 6.
     0.0ms [ ERROR ]   <E> [4294967295] has incorrect Rank 6.
     0.0ms [ ERROR ]   <E> QnnBackend_validateOpConfig failed 3110
     0.0ms [ ERROR ]   <E> Failed to validate op ElementWiseUnary_0 with error 0xc26
"""
SPLIT = """
    770000.0ms [ ERROR ]  Number of split indices 2 exceeds dimensions along in[0] at axis 1.
    778000.0ms [ ERROR ]  Op specific validation failed.
      0.0ms [ ERROR ]   <E> validateNativeOps master op validator Split_0:qti.aisw:Split failed 3110
"""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (TYPES, "no kernel for the types in[0] BOOL_8, out[0] BOOL_8"),
        (RANK, "[4294967295] has incorrect Rank 6."),
        (SPLIT, "Number of split indices 2 exceeds dimensions along in[0] at axis 1."),
        ("ERROR: [Qnn] AddN op does not support quantized inputs.\n", "AddN op does not support quantized inputs."),
        ("ERROR: [model_load.cc:316] Variable tensors not yet supported.\n", "Variable tensors not yet supported."),
        ("     0.0ms [ ERROR ]   <E> QnnBackend_validateOpConfig failed 3110\n", ""),
    ],
)
def test_vendors_words(said: str, words: str) -> None:
    assert answer.reason_in(said) == words


def test_figures_of_the_log() -> None:
    assert answer.architecture("Setting libnative architecture to v79 (requested arch is v75)") == 75
    assert answer.architecture("nothing") is None
    assert answer.spilled("spill_bytes=7\nfill_bytes=4\n spill_bytes=3") == {"spill_bytes": 10, "fill_bytes": 4}
    assert answer.sdk_version("Applying plugin with SDK version: v2.51.0.260929181845\n") == "2.51.0.260929181845"


def test_copies_keep_all_but_names() -> None:
    content = conv_model()
    before, after = parse_artifact(content), parse_artifact(named_apart(content))
    assert [t.name for t in after.main.tensors] == [own_name(0, t.index) for t in before.main.tensors]
    assert list(after.signature.inputs) == list(before.signature.inputs)
    assert [op.inputs for op in after.main.ops] == [op.inputs for op in before.main.ops]
    alone = parse_artifact(one_op(content, before.main, before.main.ops[2]))
    assert [op.name for op in alone.main.ops] == ["FULLY_CONNECTED"]
    assert [alone.main.tensors[index].name for index in alone.main.inputs] == ["pooled"]
    weights = alone.main.operands(alone.main.ops[0])[1]
    assert (weights.values() == before.main.operands(before.main.ops[2])[1].values()).all()
