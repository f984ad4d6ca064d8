"""Lint: every rule fires on a file with its mistake, and stays silent on the same file without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.checks.lint.linting import LINT_RULES, lint
from edge_sdk.checks.lint.scene import LintFinding
from edge_sdk.errors import ModelError
from tests.core.checks.lint.cases import CASES
from tests.core.checks.lint.graphs import OUT, Net, plain, weights_of


def found(data: bytes, rule: str | None = None, path: str = "model.tflite") -> list[LintFinding]:
    return [f for f in lint(parse_artifact(data, path=Path(path))) if rule in (None, f.rule)]


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == {rule.id for rule in LINT_RULES}


@pytest.mark.parametrize("rule", sorted(CASES))
def test_rule_fires_on_its_mistake_only(rule: str) -> None:
    wrong, right = (build() for build in CASES[rule])
    assert found(right, rule) == []
    findings = found(wrong, rule)
    assert findings
    assert findings[0].hint
    assert findings[0].where
    assert findings[0].found
    assert findings[0].limit
    json.dumps([vars(finding) for finding in findings])


def test_nothing_is_said_of_plain_files() -> None:
    assert found(plain().done()) == []
    assert found(plain("float32").done()) == []


@pytest.mark.parametrize(
    ("name", "fires"),
    [
        ("yolo_full_integer_quant.tflite", True),
        ("mobilenet_int8.tflite", True),
        ("m-w8a8.tflite", True),
        ("mobilenet.tflite", False),
        ("model_integer_quant_with_int16_act.tflite", False),
        ("model_int8_dynamic.tflite", False),
        ("print8er.tflite", False),
    ],
)
def test_claims_by_name(name: str, fires: bool) -> None:
    assert bool(found(plain("float32").done(), "int8-is-float", name)) is fires


def test_gravest_and_costliest_come_first() -> None:
    net = Net()
    net.conv(weights_of() * 0 + 1, weight_scale=[0.01])
    net.conv(weights_of(columns=OUT), weight_point=[4], data_scale=0.1)
    findings = found(net.done())
    order = [("error", "warning", "info").index(f.severity) for f in findings]
    assert order == sorted(order)
    assert findings[0].rule == "weight-zero-point"


def test_numbers_in_messages() -> None:
    (dead_one,) = found(CASES["dead-channel"][0](), "dead-channel")
    assert dead_one.message.startswith(f"2 of {OUT} output channels have zero weights only")
    assert dead_one.severity == "warning"
    (shared,) = found(CASES["shared-scale"][0](), "shared-scale")
    assert shared.found == "0.398 levels"  # 255/256 over a scale of 2.5
    (island_one,) = found(CASES["float-island"][0](), "float-island")
    assert island_one.message == "DEQUANTIZE, EXP, QUANTIZE: 1 float op among integer ones"


@pytest.mark.parametrize("made_up", ["tfl.pseudo_qconst41", "arith.constant"])
def test_a_name_that_a_converter_made_up_gives_way_to_the_result(made_up: str) -> None:
    data = CASES["dead-channel"][0]()
    (own,) = found(data, "dead-channel")
    root, _ = parse_tree(data)
    root.subgraphs[0].tensors[own.tensor].name = made_up
    (result,) = parse_artifact(data).main.ops[own.op or 0].outputs
    (named,) = found(pack_tree(root), "dead-channel")
    assert named.where == f"op {own.op} CONV_2D `{parse_artifact(data).main.tensors[result].name}`"


def test_inner_subgraphs_are_named() -> None:
    root, _ = parse_tree(CASES["conversion-pair"][0]())
    root.subgraphs = [root.subgraphs[0], root.subgraphs[0]]
    where = [finding.where for finding in found(pack_tree(root), "conversion-pair")]
    assert [text.startswith("subgraph 1 op") for text in where] == [False, True]


def test_hostile_files_break_no_rule() -> None:
    """Tensors of wrong sizes, shapes and scales, and ops without operands: findings or none, never an exception."""
    generator = np.random.default_rng(0)
    seeds: list[Any] = [build() for pair_ in CASES.values() for build in pair_]
    for data in seeds:
        root, _ = parse_tree(data)
        for tensor in root.subgraphs[0].tensors:
            choice = generator.integers(5)
            if choice == 0:
                tensor.shape = [int(extent) for extent in generator.integers(0, 5, generator.integers(0, 5))]
            elif choice == 1 and tensor.quantization is not None:
                tensor.quantization.scale = [float("nan"), 0.0, -1.0][: int(generator.integers(1, 4))]
                tensor.quantization.zero_point = [0] * len(tensor.quantization.scale)
            elif choice == 2:
                tensor.type = int(generator.integers(0, 17))
        for op in root.subgraphs[0].operators:
            if generator.integers(4) == 0:
                op.inputs = list(op.inputs)[: int(generator.integers(0, 3))]
        try:
            artifact = parse_artifact(pack_tree(root))
        except ModelError:
            # A shape that claims more than its buffer holds.
            continue
        lint(artifact)
