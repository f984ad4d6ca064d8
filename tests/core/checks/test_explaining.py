"""Every rule id that a command can name has its text, and every text its rule."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import edge_sdk
from edge_sdk.checks.explaining import KINDS, explanations
from edge_sdk.checks.lint.activations import HINTS
from edge_sdk.checks.lint.linting import LINT_RULES
from edge_sdk.cli import cli

HOME = Path(edge_sdk.__file__).parent
CHECKS = HOME / "checks"
NAMING = {"reason", "about", "Reason", "Finding", "Rule"}
"""Calls whose first argument is a rule id."""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments], prog_name="edge-sdk")


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def named_in(path: Path) -> Iterator[tuple[str, int, ast.expr]]:
    """File, line and expression of each rule id that the file names."""
    for node in calls(ast.parse(path.read_text(encoding="utf-8"))):
        if called(node) in NAMING and node.args:
            yield path.name, node.lineno, node.args[0]
        if called(node) == "_not_written":
            yield path.name, node.lineno, node.args[1]
        for keyword in node.keywords:
            if keyword.arg == "rule" and called(node) in {"replace", "LintFinding"}:
                yield path.name, node.lineno, keyword.value


def passed_on(expression: ast.expr) -> bool:
    """A variable that holds an id named elsewhere: in these helpers the caller's, in a table's row its own."""
    return ast.unparse(expression) in {"rule", "rule.id"}


PROGRAMS = sorted([*HOME.rglob("*.py"), *(HOME / "converters").resolve().rglob("*.py")])


def strings() -> set[object]:
    """All texts in other rooms than `checks`: a helper may be handed an id."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in PROGRAMS if CHECKS not in path.parents)
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


ELSEWHERE = [
    row for path in PROGRAMS if CHECKS not in path.parents for row in named_in(path) if isinstance(row[2], ast.Constant)
]
"""Ids that other rooms than `checks` name."""
FOUND = [row for path in sorted(CHECKS.rglob("*.py")) for row in named_in(path)]


def test_ids_can_be_read_off_the_code() -> None:
    strange = [(f, n) for f, n, e in FOUND if not isinstance(e, ast.Constant) and not passed_on(e)]
    assert strange == []


def test_every_id_has_a_text_and_every_text_an_id() -> None:
    ids = {expression.value for _, _, expression in FOUND if isinstance(expression, ast.Constant)}
    # Where `input-count` and `output-count` are told apart a loop holds the id.
    ids |= {"input-count", "output-count", *HINTS}
    assert {rule.id for rule in LINT_RULES} <= ids
    elsewhere = {expression.value for _, _, expression in ELSEWHERE if isinstance(expression, ast.Constant)}
    assert elsewhere >= {"slower-than-float", "busy-machine", "apk-unsigned", "parity-no-power"}
    assert {*ids, *elsewhere} - {*explanations()} == set(), "ids without a text: edge_sdk/checks/explanations"
    assert {*explanations()} - ids - strings() == set(), "texts without an id"


@pytest.mark.parametrize("rule", list(explanations()))
def test_texts_are_whole(rule: str) -> None:
    one = explanations()[rule]
    assert one.kind in KINDS
    assert all(text.endswith((".", "?")) for text in (one.means, one.why, one.do))
    assert one.sources
    assert all(one.sources)


def test_explain_needs_no_file() -> None:
    result = invoke("--explain", "shared-scale")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("shared-scale: a mistake in a file, whatever the device\n  means       An input of")
    data = json.loads(invoke("--explain", "tensor-type", "--json").stdout)
    assert (data["rule"], data["kind"]) == ("tensor-type", "placement")
    assert any(source.startswith("xnnpack: tflite/delegates/xnnpack/xnnpack_delegate.cc") for source in data["sources"])


def test_unknown_rule_names_the_nearest_and_lists_all() -> None:
    result = invoke("--explain", "shared_scale")
    assert result.exit_code == 2
    assert "unknown rule `shared_scale`, did you mean `shared-scale`?" in result.stderr
    assert "placement: after-cut" in result.stderr
    listed = json.loads(invoke("--explain", "all", "--json").stdout)["rules"]
    assert [one["rule"] for one in listed] == list(explanations())


def test_a_file_and_a_profile_are_needed_otherwise(tflite: Path) -> None:
    for arguments in ([], [str(tflite)], ["--profile", "pixel-8"]):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert "check needs ARTIFACT and --profile ID or --calibration-table FILE, or --explain RULE" in result.stderr
