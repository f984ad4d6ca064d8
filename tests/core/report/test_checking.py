"""The text of a check: sections, the costliest first, one screen."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.checks.checking import check
from edge_sdk.cli import cli
from edge_sdk.errors import ModelError
from edge_sdk.profile.reading import find_profile
from edge_sdk.report.checking import check_text
from tests.core.checks.lint.cases import CASES
from tests.core.checks.lint.graphs import OUT, Net, plain, weights_of

A_SCREEN = 50


@pytest.fixture(scope="module")
def troubled() -> Artifact:
    """Many kinds of ops that one or the other delegate refuses, and mistakes of many kinds."""
    net = plain("float32")
    for name in ("CEIL", "HARD_SWISH", "SIGN", "GELU", "ROUND", "ELU", "COS", "FLOOR", "LOG") * 4:
        net.grow(name)
    net.conv(weights_of("float32", columns=OUT) * 0)
    for place in range(12):
        net.constant(f"left{place}", weights_of("float32", rows=400, columns=10))
    return parse_artifact(net.done(), path=Path("net_int8.tflite"))


@pytest.mark.parametrize("profile", ["pixel-8", "coral-usb", "imx8m-plus", "raspberry-pi-4", "galaxy-s10e"])
def test_fits_a_screen(troubled: Artifact, profile: str) -> None:
    text = check_text(check(troubled, find_profile(profile)))
    assert len(text.splitlines()) <= A_SCREEN
    assert text.splitlines()[-1].endswith("all of it: --verbose, --json")


def test_verbose_has_a_line_for_every_op_and_delegate(troubled: Artifact) -> None:
    report = check(troubled, find_profile("pixel-8"))
    lines = check_text(report, verbose=True).splitlines()
    outside = [line for line in lines if ": outside: " in line]
    inside = [line for line in lines if ": partition " in line]
    assert len(outside) + len(inside) == len(report.delegates) * len(troubled.main.ops)
    assert len(inside) == sum(delegate.claimed for delegate in report.delegates)
    assert any("[op-not-handled]" in line for line in outside)


def test_sections_and_order(troubled: Artifact) -> None:
    report = check(troubled, find_profile("coral-usb"))
    lines = check_text(report).splitlines()
    labels = [line[2:14].strip() for line in lines if line[:3].strip()]
    order = [label for label in labels if label in {"edgetpu", "xnnpack", "memory", "runtimes", "findings", "lint"}]
    assert order == ["edgetpu", "xnnpack", "memory", "runtimes", "findings", "lint"]
    first = next(line for line in lines if line.startswith("  lint"))
    assert "passes for int8, for its name says int8; 100% of its work is done in float" in first
    assert any("would help: quantize (static_wi8_ai8, --io int8): 0% -> " in line for line in lines)


def test_json_is_whole(tmp_path: Path) -> None:
    net = Net()
    net.conv(weight_scale=[0.01] * OUT)
    net.grow("HARD_SWISH")
    path = tmp_path / "net.tflite"
    path.write_bytes(net.done())
    result = CliRunner().invoke(cli, ["check", str(path), "--profile", "coral-usb", "--json"])
    report = json.loads(result.stdout)
    edgetpu = report["delegates"][0]
    assert [place["partition"] for place in edgetpu["places"]] == [0, None]
    assert edgetpu["places"][1]["reason"]["rule"] == "op-not-handled"
    assert edgetpu["advice"][0]["changes"] == ["replace op 1 HARD_SWISH by RELU6"]
    assert report["lint"] == []


def test_inspect_shows_mistakes(tmp_path: Path) -> None:
    net, weights = Net(), weights_of()
    weights[:4] = 0
    net.conv(weights)
    path = tmp_path / "net.tflite"
    path.write_bytes(net.done())
    result = CliRunner().invoke(cli, ["inspect", str(path)])
    assert f"4 of {OUT} output channels have zero weights only" in result.stdout
    assert (
        json.loads(CliRunner().invoke(cli, ["inspect", str(path), "--json"]).stdout)["lint"][0]["rule"]
        == "dead-channel"
    )


def test_weights_per_channel_for_an_npu_of_one_scale() -> None:
    net = Net()
    net.conv(weight_scale=[0.01] * OUT)
    report = check(parse_artifact(net.done()), find_profile("stm32mp257"))
    assert "per-channel-weights" in [finding.rule for finding in report.findings]
    per_tensor = check(parse_artifact(plain().done()), find_profile("stm32mp257"))
    assert "per-channel-weights" not in [finding.rule for finding in per_tensor.findings]


def test_a_broken_file_does_not_fit() -> None:
    net = Net()
    net.conv(weight_point=[3])
    report = check(parse_artifact(net.done()), find_profile("imx8m-plus"), delegates=["vx"])
    assert not report.fits
    assert report.lint[0].rule == "weight-zero-point"


def test_hostile_files_never_break_a_check() -> None:
    """Wrong types, shapes, scales, operands and options: a report, or one clear error."""
    generator = np.random.default_rng(0)
    profiles = [find_profile(name) for name in ("pixel-8", "coral-usb", "stm32mp257")]
    seeds = [build() for pair in CASES.values() for build in pair]
    for place, data in enumerate(seeds * 2):
        root, _ = parse_tree(data)
        damage(root.subgraphs[0], generator, codes=len(root.operator_codes))
        with suppress(ModelError):
            check_text(check(parse_artifact(pack_tree(root)), profiles[place % 3]), verbose=True)


def damage(graph: Any, generator: np.random.Generator, *, codes: int) -> None:
    for tensor in graph.tensors:
        choice = generator.integers(12)
        if choice == 0:
            tensor.shape = [int(extent) for extent in generator.integers(0, 5, generator.integers(0, 6))]
        elif choice == 1:
            tensor.type = int(generator.integers(0, 17))
        elif choice == 2:
            tensor.buffer = 0
    for op in graph.operators:
        damages: list[dict[str, Any]] = [
            {"inputs": list(op.inputs)[: int(generator.integers(0, 3))]},
            {"outputs": []},
            {"inputs": [int(index) for index in generator.integers(-1, len(graph.tensors), len(op.inputs))]},
            {"builtin_options": None, "builtin_options_type": 0},
            {"opcode_index": int(generator.integers(codes))},
        ]
        vars(op).update(damages[generator.integers(5)] if generator.integers(2) else {})
