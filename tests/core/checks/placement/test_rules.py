"""Rule sets: a faulty file is told all its faults, and every kind of constraint names the value and the limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.delegates.xnnpack.walk import CHECKS, place_on_xnnpack, xnnpack_rules
from edge_sdk.checks.placement.placing import place
from edge_sdk.checks.placement.rules import RuleSet, find_rules, read_rules
from edge_sdk.checks.placement.site import Reason, Site
from edge_sdk.errors import ProfileError
from edge_sdk.profile.rule_sets import rule_set_names
from tests.graphs import Graph, conv_model, options

HEAD = """
name = "toy"
title = "Toy"
delegate = "external"
[source]
file = "toy.cc"
version = "1"
[types]
"""
TYPES = 'float = [{ dtypes = ["float32"] }]\n'
RULE = '[[rules]]\nops = ["ABS"]\ninputs = [{ name = "input" }]\noutputs = [{ name = "output" }]\n'


def faults(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "toy.toml"
    path.write_text(text, encoding="utf-8")
    return read_rules(path, ("known_check",))[1]


def rules(folder: Path, rule: str, types: str = TYPES) -> RuleSet:
    path = folder / "toy.toml"
    path.write_text(HEAD + types + rule, encoding="utf-8")
    read, problems = read_rules(path, ("odd",))
    assert read is not None, problems
    return read


def named_by(read: RuleSet) -> set[str]:
    """Functions that a rule names, or a change of one."""
    asked = {name for rule in read.rules for name in (*rule.also, *rule.to_load)}
    later = [change for rule in read.rules for change in rule.changes]
    return asked | {name for change in later for name in (*(change.also or ()), *(change.to_load or ()))}


# --- the reader -------------------------------------------------------------------------------------------------------


def test_built_in_rule_sets_are_whole_and_name_their_source() -> None:
    assert "xnnpack" in rule_set_names()
    read = find_rules("xnnpack", CHECKS)
    assert "v2.1.0" in read.source.version
    assert named_by(read) == set(CHECKS), "a function that no rule names"
    named = {operand.type for rule in read.rules for operand in (*rule.inputs, *rule.outputs)} - {None}
    assert named == set(read.types), "a type that no operand has"


def test_unknown_rule_set_offers_the_nearest() -> None:
    with pytest.raises(ProfileError, match="unknown rule set `xnpack`, did you mean `xnnpack`"):
        find_rules("xnpack", ())


def test_a_function_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ProfileError, match="also: unknown function `leaky_slope`"):
        find_rules("xnnpack", {name for name in CHECKS if name != "leaky_slope"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "not TOML"),
        (HEAD.replace("version", "versoin") + TYPES + RULE, "source: unknown key `versoin`, did you mean `version`?"),
        (HEAD.replace('"1"', '""') + TYPES + RULE, "source: say which file was read, and in which version"),
        (HEAD.replace("external", "cpu") + TYPES + RULE, "`cpu` is not one of"),
        (HEAD + 'float = [{ dtype = ["float32"] }]\n' + RULE, "unknown key `dtype`, did you mean `dtypes`?"),
        (HEAD + 'float = [{ dtypes = ["float"] }]\n' + RULE, "`float` is not one of"),
        (HEAD + 'f = [{ dtypes = ["int8"], rank = { min = 3, max = 2 } }]\n' + RULE, "types.f[0].rank: min 3 is above"),
        (HEAD + TYPES + RULE.replace("ABS", "ABSS"), "rules[0].ops: unknown op `ABSS`, did you mean `ABS`?"),
        (HEAD + TYPES + RULE + RULE, "rules: ABS has 2 rules"),
        (HEAD + TYPES + RULE + 'same_type = ["inptu"]', "unknown operand `inptu`, did you mean `input`?"),
        (HEAD + TYPES + RULE + 'also = ["known_chek"]', "unknown function `known_chek`, did you mean `known_check`?"),
        (HEAD + TYPES + RULE + 'to_load = ["other"]', "rules[0].to_load: unknown function `other`"),
        (HEAD + TYPES + RULE + "options = { stride_x = { min = 1 } }", "unknown option `stride_x`, did you mean"),
        (HEAD + TYPES + RULE + "options = { stride_w = {} }", "options.stride_w: says no limit"),
        (HEAD + TYPES + RULE + 'options = { stride_w = { one_of = ["SAME"] } }', "holds a number, not a label"),
        (HEAD + TYPES + RULE + 'options = { padding = { one_of = ["SANE"] } }', "label `SANE`, did you mean `SAME`?"),
        (HEAD + TYPES + RULE.replace('"input" }', '"input", type = "flaot" }'), "inputs[0].type: unknown type `flaot`"),
        (HEAD + TYPES + RULE.replace('"input" }', '"input", values = { min = 0 } }'), "only a constant's can be read"),
        (HEAD + TYPES + RULE.replace('"input" }', '"input", count = [3, 2] }'), "3 to 2 is no range"),
        (
            HEAD + TYPES + RULE.replace('"input" }', '"input", count = [1, 2] }, { name = "axis" }'),
            "inputs[0].count: only the last operand can stand for several",
        ),
        (HEAD + TYPES + RULE + 'max_version = "3"', "max_version: expected int, got '3'"),
    ],
)
def test_a_fault_is_named_with_its_path(tmp_path: Path, text: str, expected: str) -> None:
    found = faults(tmp_path, text)
    assert any(expected in fault for fault in found), found


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    text = HEAD + TYPES + RULE.replace("ABS", "ABSS") + 'also = ["a"]\nto_load = ["b"]'
    assert len(faults(tmp_path, text)) == 3


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "none.toml", ()) == (None, ("cannot be read: No such file or directory",))


# --- constraints ------------------------------------------------------------------------------------------------------


def only_reason(found: RuleSet, content: bytes) -> Reason | None:
    placement = place(found, parse_artifact(content).main, {"odd": odd})
    assert set(placement.refused) | set(placement.claimed) == {0}
    return placement.refused.get(0)


def odd(site: Site) -> Reason | None:
    return site.reason("odd", "this is odd", 3, "even") if site.option("axis") else None


def one_op(name: str, shapes: Sequence[Sequence[int]], dtype: str = "float32", **tensor: Any) -> bytes:
    graph = Graph()
    made = [graph.tensor(f"t{place}", shape, dtype, **tensor) for place, shape in enumerate(shapes)]
    graph.op(name, made[:-1], made[-1:], version=2)
    return graph.finish(made[:-1], made[-1:])


UNARY = '[[rules]]\nops = ["ABS"]\ninputs = [{{ name = "input"{} }}]\noutputs = [{{ name = "output" }}]\n{}'
INT8 = 'int8 = [{{ dtypes = ["int8"], {} }}]\n'


@pytest.mark.parametrize(
    ("operand", "rule", "shape", "expected"),
    [
        ("", "max_version = 1", (1, 4), ("op-version", "2", "1")),
        ("", "refused_versions = [2]", (1, 4), ("op-version", "2", "another")),
        (', type = "int"', "", (1, 4), ("tensor-type", "float32", "int8 or int32")),
        (", rank = { min = 3, max = 4 }", "", (1, 4), ("tensor-rank", "rank 2", "rank 3 to 4")),
        (", rank = { max = 1 }", "", (1, 4), ("tensor-rank", "rank 2", "rank 1 or less")),
        (", nonempty = true", "", (0, 4), ("tensor-empty", "shape [0, 4]", "dimensions of 1 or more")),
        (", elements = { min = 9 }", "", (1, 4), ("tensor-elements", "4 values", "9 or more")),
        (', constant = "stored"', "", (1, 4), ("tensor-constant", "computed at run time", "a constant there")),
        ("", "options = { beta = { min = 1, max = 1 } }", (1, 4), ("option-value", "0", "1")),
        ("", 'options = { padding = { one_of = ["VALID"] } }', (1, 4), ("option-value", "SAME", "VALID")),
    ],
)
def test_a_constraint_names_value_and_limit(
    tmp_path: Path, operand: str, rule: str, shape: tuple[int, ...], expected: tuple[str, str, str]
) -> None:
    types = 'int = [{ dtypes = ["int8"] }, { dtypes = ["int32"] }]\n'
    reason = only_reason(rules(tmp_path, UNARY.format(operand, rule), types), one_op("ABS", (shape, shape)))
    assert reason is not None
    assert (reason.rule, reason.found, reason.limit) == expected
    assert reason.found in reason.message
    assert (reason.op, reason.op_name) == (0, "ABS")
    if operand:
        assert (reason.tensor, reason.tensor_name) == (0, "t0")


@pytest.mark.parametrize(
    ("form", "tensor", "expected", "found", "limit"),
    [
        ('quantization = "per_tensor"', {}, "tensor-quantization", "int8 with no quantization", "one scale"),
        ('quantization = "per_tensor"', {"scale": [0.1] * 4}, "tensor-quantization", "each channel", "one scale"),
        ("axis = 1", {"scale": [0.1], "axis": 0}, "quantization-axis", "dimension 0", "dimension 1"),
        ("normal_scales = true", {"scale": [0.0]}, "quantization-scale", "scale 0", "positive, normal scales"),
        ("normal_scales = true", {"scale": [1e-40]}, "quantization-scale", "scale 9.99995e-41", "positive"),
        ("zero_point = { max = 0 }", {"scale": [1], "zero_point": [3]}, "quantization-zero-point", "3", "0 or less"),
        ("rank = { min = 3 }", {"scale": [1]}, "tensor-rank", "rank 2", "rank 3 or more"),
    ],
)
def test_a_form_names_value_and_limit(
    tmp_path: Path, form: str, tensor: dict[str, Any], expected: str, found: str, limit: str
) -> None:
    read = rules(tmp_path, UNARY.format(', type = "int8"', ""), INT8.format(form))
    reason = only_reason(read, one_op("ABS", ((1, 4), (1, 4)), "int8", **tensor))
    assert reason is not None
    assert reason.rule == expected
    assert found in reason.found
    assert limit in reason.limit


def test_one_form_that_fits_is_enough(tmp_path: Path) -> None:
    types = 'int8 = [{ dtypes = ["int8"], axis = 1 }, { dtypes = ["int8"], axis = 0 }]\n'
    read = rules(tmp_path, UNARY.format(', type = "int8"', ""), types)
    assert only_reason(read, one_op("ABS", ((1, 4), (1, 4)), "int8", scale=[0.5])) is None


def test_an_op_without_a_rule_is_not_taken(tmp_path: Path) -> None:
    reason = only_reason(rules(tmp_path, RULE), one_op("LOG", ((1, 4), (1, 4))))
    assert reason is not None
    assert (reason.rule, reason.message) == ("op-not-handled", "Toy has no LOG")


def test_numbers_of_operands(tmp_path: Path) -> None:
    reason = only_reason(rules(tmp_path, RULE), one_op("ABS", ((1, 4),) * 3))
    assert reason is not None
    assert (reason.rule, reason.message) == ("input-count", "ABS has 2 inputs, Toy takes 1")
    many = RULE.replace("ABS", "CONCATENATION").replace('"input"', '"input", count = [2, 3]')
    assert only_reason(rules(tmp_path, many), one_op("CONCATENATION", ((1, 4),) * 4)) is None
    reason = only_reason(rules(tmp_path, many), one_op("CONCATENATION", ((1, 4),) * 5))
    assert reason is not None
    assert reason.message == "CONCATENATION has 4 inputs, Toy takes 2 to 3"


def test_an_optional_operand_may_be_absent_and_another_may_not(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("ADD", (x, -1), (y,))
    content = graph.finish((x,), (y,))
    rule = RULE.replace("ABS", "ADD").replace('"input" }', '"input" }, { name = "bias", optional = true }')
    assert only_reason(rules(tmp_path, rule), content) is None
    reason = only_reason(rules(tmp_path, rule.replace(", optional = true", "")), content)
    assert reason is not None
    assert (reason.rule, reason.message) == ("operand-absent", "bias is absent, Toy needs it")


def test_values_of_a_constant(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    pads = graph.constant("pads", np.array([[0, 0], [-1, 0]], np.int32))
    graph.op("PAD", (x, pads), (y,))
    pad = RULE.replace("ABS", "PAD").replace(
        '"input" }', '"input" }, { name = "paddings", constant = "stored", values = { min = 0 } }'
    )
    reason = only_reason(rules(tmp_path, pad), graph.finish((x,), (y,)))
    assert reason is not None
    assert (reason.rule, reason.found, reason.limit) == ("constant-value", "-1", "values of 0 or more")


def test_operands_that_must_agree(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.tensor("x", (1, 4), "int8", scale=[0.5])
    y = graph.tensor("y", (1, 4), "int8", scale=[0.5], zero_point=[2])
    graph.op("ABS", (x,), (y,))
    content = graph.finish((x,), (y,))
    assert only_reason(rules(tmp_path, RULE + 'same_type = ["input", "output"]'), content) is None
    reason = only_reason(rules(tmp_path, RULE + 'same_quantization = ["input", "output"]'), content)
    assert reason is not None
    assert reason.message == (
        "output `y` has scale 0.5 and zero point 2, Toy takes scale 0.5 and zero point 0 as input `x`"
    )
    graph.node.tensors[y].type = 0
    reason = only_reason(rules(tmp_path, RULE + 'same_type = ["input", "output"]'), graph.finish((x,), (y,)))
    assert reason is not None
    assert (reason.rule, reason.found) == ("mixed-types", "float32")


def test_functions_are_asked_last(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("GATHER", (x,), (y,), options("GatherOptions", axis=1))
    rule = RULE.replace("ABS", "GATHER") + 'also = ["odd"]\n'
    reason = only_reason(rules(tmp_path, rule), graph.finish((x,), (y,)))
    assert reason == Reason("odd", "this is odd", 0, "GATHER", "3", "even")


# --- XNNPACK, without an engine ---------------------------------------------------------------------------------------


def test_a_float_model_is_claimed_whole() -> None:
    (placement,) = place_on_xnnpack(parse_artifact(conv_model()))
    assert placement.claimed == (0, 1, 2)
    assert not placement.refused
    assert not placement.failures


def test_a_subgraph_for_validation_is_left_alone() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("ABS", (x,), (y,))
    graph.node.name = "VALIDATION:main"
    (placement,) = place_on_xnnpack(parse_artifact(graph.finish((x,), (y,))))
    assert placement.claimed == ()
    assert placement.refused[0].rule == "subgraph-skipped"


def attention(depth: int) -> bytes:
    graph = Graph()
    q, v = (graph.tensor(name, (1, 5, 8)) for name in "qv")
    k, y = graph.tensor("k", (1, 5, depth)), graph.tensor("y", (1, 5, 8))
    graph.op("CUSTOM", (q, k, v), (y,), custom="odml.scaled_dot_product_attention")
    return graph.finish((q, k, v), (y,))


def test_a_composite_is_known_by_its_own_name() -> None:
    assert place_on_xnnpack(parse_artifact(attention(8)))[0].claimed == (0,)
    reason = place_on_xnnpack(parse_artifact(attention(4)))[0].refused[0]
    assert (reason.rule, reason.found) == ("tensor-shape", "depth 4")


def test_a_scale_that_crashes_the_engine_is_told_though_the_op_is_not_taken() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4), "int8", scale=[0.0]), graph.tensor("y", (1, 4), "int8", scale=[0.5])
    graph.op("QUANTIZE", (x,), (y,))
    (placement,) = place_on_xnnpack(parse_artifact(graph.finish((x,), (y,))))
    assert placement.claimed == ()
    assert placement.failures[0].rule == "engine-crash"


def test_every_op_of_the_rules_is_one_of_the_schema() -> None:
    names = set(schema().enums["BuiltinOperator"].values())
    assert {op.partition(":")[0] for op in xnnpack_rules().by_op} <= names
