"""Qualcomm's real compiler on small files; needs extra `qualcomm`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
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


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
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


def through_the_cpu(path: Path) -> Path:
    """ABS and a cast on the NPU, PAD of int32 on the CPU (QNN takes none), a cast and EXP on the NPU again."""
    graph = Graph()
    x, a = graph.tensor("x", (1, 4)), graph.tensor("a", (1, 4))
    b, c = graph.tensor("b", (1, 4), "int32"), graph.tensor("c", (1, 6), "int32")
    d, e = graph.tensor("d", (1, 6)), graph.tensor("e", (1, 6))
    pads = graph.constant("pads", np.array([[0, 0], [1, 1]], np.int32))
    graph.op("ABS", (x,), (a,))
    graph.op("CAST", (a,), (b,), options("CastOptions"))
    graph.op("PAD", (b, pads), (c,), options("PadOptions"))
    graph.op("CAST", (c,), (d,), options("CastOptions"))
    graph.op("EXP", (d,), (e,))
    path.write_bytes(graph.finish((x,), (e,)))
    return path


def test_emulated_numbers_through_npu_and_cpu(tmp_path: Path) -> None:
    """Small whole numbers are exact in float16; of EXP it keeps 11 bits, the half of the last one lost."""
    data = tmp_path / "x.npy"
    np.save(data, np.array([[1, -2, 3, 0], [2, 2, -1, 4]], np.float32)[:, None])
    code, said = run(through_the_cpu(tmp_path / "m.tflite"), "--profile", "xiaomi-14", "--emulate", 2, "--data", data)
    assert code == 0, said
    assert [place["partition"] for place in said["places"]] == [0, 0, None, 1, 1]
    (output,) = said["emulated"]["outputs"]
    assert said["emulated"]["samples"] == output["samples"] == 2
    assert output["has_power"]
    assert output["max_abs_reference"] == pytest.approx(np.exp(4), rel=1e-6)
    # Rounding, and the NPU's own approximation of EXP: four units of the last place are granted to the two.
    assert 0 < output["max_abs_error"] <= np.exp(4) * 4 * 2.0**-11
