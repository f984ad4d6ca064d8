"""Single ops in int16 inside an int8 file: they are, the file runs, it is nearer, and an NPU's compiler gets one op."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact.borders import by_way_of_float, in_one_op, rising_borders
from edge_sdk.artifact.model import Artifact, parse_artifact, read_artifact
from edge_sdk.converters.device import as_compiled
from edge_sdk.errors import RecipeError
from edge_sdk.profile.reading import find_profile
from edge_sdk.recipe import Int16, find_recipe, parse_recipe
from edge_sdk.recipe.writing import recipe_text
from tests.graphs import Graph, options

_WIDTH, _SPOILT = 16, 2


def _model(path: Path) -> Path:
    """Dense layers; one channel of one of them is 30 times the others, and the next one does not read it."""
    draws, graph = np.random.default_rng(0), Graph()
    x = value = graph.tensor("x", [1, _WIDTH])
    for layer in range(5):
        weights = (draws.standard_normal((_WIDTH, _WIDTH)) * np.sqrt(2 / _WIDTH)).astype(np.float32)
        if layer == _SPOILT:
            weights[0] = 30 * np.abs(weights[0])
        if layer == _SPOILT + 1:
            weights[:, 0] = 0
        bias = graph.constant(f"bias_{layer}", np.zeros(_WIDTH, np.float32))
        result = graph.tensor(f"dense_{layer}", [1, _WIDTH])
        constant = graph.constant(f"weights_{layer}", weights)
        graph.op(
            "FULLY_CONNECTED",
            [value, constant, bias],
            [result],
            options("FullyConnectedOptions", fused_activation_function=1),
        )
        value = result
    path.write_bytes(graph.finish([x], [value]))
    return path


def _dtypes(artifact: Artifact) -> Mapping[str, str]:
    graph = artifact.main
    return {
        graph.tensors[op.outputs[0]].name: graph.tensors[op.outputs[0]].dtype
        for op in graph.ops
        if op.name == "FULLY_CONNECTED"
    }


@pytest.mark.keras
def test_the_ops_asked_for_are_in_int16_and_the_file_is_nearer(tmp_path: Path) -> None:
    source = _model(tmp_path / "m.tflite")
    data = {"x": np.random.default_rng(1).standard_normal((200, 1, _WIDTH)).astype(np.float32)}
    files, levels = {}, {}
    for name, wide in (("int8", []), ("mixed", [f"^dense_{_SPOILT}$", f"^dense_{_SPOILT + 1}$"])):
        files[name] = tmp_path / f"{name}.tflite"
        report = edge_sdk.convert(
            source,
            files[name],
            recipe="int8",
            int16_tensors=wide,
            calibration=data,
            data=data,
            timing=False,
            min_sqnr_db=1.0,
            calibration_method="minmax",
            # Channels of like ranges would mend the spoilt one without a wider type.
            equalize=False,
        )
        levels[name] = report.parity[0].sqnr_db
        assert not any(finding.rule == "int16-ops-left" for finding in report.findings)
        assert not any(finding.rule == "conversion-pair" for finding in report.findings)
    assert levels["mixed"] > levels["int8"] + 6
    mixed = read_artifact(files["mixed"])
    wide_names = {name for name, dtype in _dtypes(mixed).items() if dtype == "int16"}
    assert wide_names == {f"dense_{_SPOILT}", f"dense_{_SPOILT + 1}"}
    # An NPU's compiler gets a QUANTIZE where the file that runs here goes over float; the way back is the same file.
    held = files["mixed"].read_bytes()
    assert len(list(rising_borders(mixed.main))) == 1
    given = as_compiled(mixed, held, find_profile("imx93"))
    assert not list(rising_borders(given.main))
    kinds = [op.name for op in given.main.ops if op.name in ("QUANTIZE", "DEQUANTIZE")]
    assert kinds == ["QUANTIZE", "QUANTIZE", "QUANTIZE", "DEQUANTIZE"]
    again = parse_artifact(by_way_of_float(in_one_op(held)))
    assert [op.name for op in again.main.ops] == [op.name for op in mixed.main.ops]
    assert as_compiled(mixed, held, find_profile("pixel-8")) is mixed


def test_files_without_such_borders_are_left_alone(tmp_path: Path) -> None:
    data = _model(tmp_path / "m.tflite").read_bytes()
    assert by_way_of_float(data) is data
    assert in_one_op(data) is data


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('mode = "float"\n[int16]\nops = ["ADD"]', "int16: is for ops of int8 files, got mode float"),
        (
            'mode = "static_range"\ntune=true\nweights.dtype = "int8"\nactivations.dtype = "int8"\nint16.tensors=["("]',
            r"int16.tensors: `\(` is no regular expression.*int16: does not go with tune",
        ),
    ],
)
def test_what_it_does_not_go_with_is_said(text: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        parse_recipe("mine", f'description = "x"\n{text}\n', where="mine.toml")


def test_a_recipe_with_it_is_written_and_read() -> None:
    from dataclasses import replace

    recipe = replace(find_recipe("int8"), name="mine", short_names=(), int16=Int16(("ADD",), ("^a$",)))
    assert parse_recipe("mine", recipe_text(recipe), where="mine.toml") == recipe


@pytest.mark.keras
def test_a_name_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    data = {"x": np.random.default_rng(1).standard_normal((20, 1, _WIDTH)).astype(np.float32)}
    with pytest.raises(RecipeError, match="int16: `nowhere` matches no name of an op's result"):
        edge_sdk.convert(
            _model(tmp_path / "m.tflite"),
            tmp_path / "out.tflite",
            recipe="int8",
            int16_tensors=["nowhere"],
            calibration=data,
            timing=False,
        )
