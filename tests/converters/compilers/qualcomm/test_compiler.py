"""Qualcomm's real compiler on small files; needs extra `qualcomm`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.artifact import read_artifact
from edge_sdk.cli import cli
from tests.graphs import Graph, options

pytestmark = pytest.mark.qualcomm
SCALE: dict[str, Any] = {"scale": [0.1], "zero_point": [3]}
SIGMOID: dict[str, Any] = {"scale": [1 / 256], "zero_point": [-128]}


def mixed(path: Path) -> Path:
    """ADD, LOGISTIC, ADD_N, ADD in int8, of which QNN does not take ADD_N; two tensors of one name."""
    graph = Graph()
    x, a = graph.tensor("x", (1, 4), "int8", **SCALE), graph.tensor("same", (1, 4), "int8", **SCALE)
    b, c = graph.tensor("same", (1, 4), "int8", **SIGMOID), graph.tensor("c", (1, 4), "int8", **SIGMOID)
    d = graph.tensor("d", (1, 4), "int8", **SIGMOID)
    graph.op("ADD", (x, x), (a,), options("AddOptions"))
    graph.op("LOGISTIC", (a,), (b,))
    graph.op("ADD_N", (b, b), (c,))
    graph.op("ADD", (c, b), (d,), options("AddOptions"))
    path.write_bytes(graph.finish((x,), (d,)))
    return path


def run(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    told = [*map(str, arguments), "--accept-license", "qualcomm", "--json"]
    done = CliRunner().invoke(cli, ["compile", *told])
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize(("profile", "hexagon"), [("xiaomi-14", 75), ("galaxy-s21-snapdragon", 68)])
def test_its_answer_is_the_placement(tmp_path: Path, profile: str, hexagon: int) -> None:
    code, said = run(mixed(tmp_path / "m.tflite"), "--profile", profile)
    assert code == 0
    assert [place["partition"] for place in said["places"]] == [0, 0, None, 1]
    assert said["places"][2]["reason"]["message"] == "QNN refuses it: AddN op does not support quantized inputs."
    assert (said["partitions"], said["account"]["hexagon"]) == (2, hexagon)
    rules = {finding["rule"] for finding in said["findings"]}
    assert ("qnn-v68-context" in rules) == (hexagon == 68)
    names = [op.name for op in read_artifact(said["output"]).main.ops]
    assert names == ["CUSTOM:DISPATCH_OP", "ADD_N", "CUSTOM:DISPATCH_OP"]


def test_nothing_on_the_npu(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1,) * 6), graph.tensor("y", (1,) * 6)
    graph.op("ABS", (x,), (y,))
    (tmp_path / "m.tflite").write_bytes(graph.finish((x,), (y,)))
    code, said = run(tmp_path / "m.tflite", "--profile", "xiaomi-14")
    assert code == 3
    assert "places none of 1 ops on the SM8650; the first, ABS: " in said["message"]
    assert "incorrect Rank 6" in said["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_file_that_it_refuses_as_a_whole(tmp_path: Path) -> None:
    """An ADD without options ends LiteRT's partitioning, not one op of it."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("ADD", (x, x), (y,))
    (tmp_path / "m.tflite").write_bytes(graph.finish((x,), (y,)))
    code, said = run(tmp_path / "m.tflite", "--profile", "xiaomi-14")
    assert (code, said["error"]) == (1, "BuildError")
    assert "refuses the file as a whole" in said["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_it_says_which_chips_it_knows(tmp_path: Path) -> None:
    code, said = run(mixed(tmp_path / "m.tflite"), "--soc", "qualcomm:SM8655")
    assert code == 1
    assert "did you mean `SM8650`" in said["message"]
