"""What activations do on data, and what the engine does with files that lint calls wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.lint.activations import input_specs, measure
from edge_sdk.checks.lint.linting import lint
from edge_sdk.checks.lint.ranges import MOVERS
from edge_sdk.cli import cli
from edge_sdk.errors import ModelError
from edge_sdk.runtime import Runner
from tests.core.checks.lint.cases import CASES
from tests.core.checks.lint.graphs import IN, SIDE, Net, ints, plain, weights_of

pytestmark = pytest.mark.runtime
SHAPE = (1, SIDE, SIDE, IN)


def measured(tmp_path: Path, data: bytes, *samples: Any) -> dict[str, str]:
    """Rule to value found."""
    path = tmp_path / "net.tflite"
    path.write_bytes(data)
    runner = Runner(path, preserve_all_tensors=True)
    return {f.rule: f.found for f in measure(runner, [{"in": sample} for sample in samples])}


def normal(scale: float = 1.0, count: int = 8) -> list[Any]:
    generator = np.random.default_rng(0)
    return [(generator.standard_normal(SHAPE) * scale).astype(np.float32) for _ in range(count)]


def test_ranges_that_suit_the_data_pass(tmp_path: Path) -> None:
    assert measured(tmp_path, plain().done(), *normal()) == {}


def test_inputs_beyond_their_range(tmp_path: Path) -> None:
    """The input holds -6.4 to 6.35: of a normal distribution of 100, 95 % lie outside."""
    found = measured(tmp_path, plain().done(), *normal(100.0))
    assert float(found["clipped-input"].rstrip("%")) == pytest.approx(95, abs=2)


def test_values_cut_off_inside(tmp_path: Path) -> None:
    """An output scale of 0.001 holds 0.127 at most; sums of four products of 1 by up to 1.27 are beyond that."""
    net = Net()
    net.conv(scale=0.001)
    found = measured(tmp_path, net.done(), *normal())
    assert float(found["saturated-activation"].rstrip("%")) > 30


def test_ends_that_an_activation_explains(tmp_path: Path) -> None:
    net = Net()
    net.conv(scale=6 / 255, zero_point=-128, activation=3)  # RELU6
    assert "saturated-activation" not in measured(tmp_path, net.done(), *normal(10.0))


def test_levels_that_are_never_used(tmp_path: Path) -> None:
    net = Net()
    net.conv(scale=50.0)
    found = measured(tmp_path, net.done(), *normal(count=16))
    assert int(found["coarse-activation"].split()[0]) < 16


def test_data_are_real_values() -> None:
    (spec,) = input_specs(parse_artifact(plain().done()))
    assert (spec.name, spec.shape, spec.dtype) == ("in", SHAPE, "float32")


def test_command_measures_on_data(tmp_path: Path) -> None:
    net = Net()
    net.conv(scale=0.001)
    (tmp_path / "net.tflite").write_bytes(net.done())
    np.save(tmp_path / "data.npy", np.concatenate(normal()))
    arguments = ["check", str(tmp_path / "net.tflite"), "--profile", "pixel-8", "--json", "--quiet"]
    result = CliRunner().invoke(cli, [*arguments, "--data", str(tmp_path / "data.npy"), "--samples", "4"])
    assert result.exit_code == 0, result.stderr
    (found,) = [f for f in json.loads(result.stdout)["lint"] if f["rule"] == "saturated-activation"]
    assert "measured on 4 samples" in found["message"]


# One op of each kind that hands values on, with constants and a result's shape: between scales 0.05 and 0.1.
MOVES: dict[str, tuple[Callable[[Net], list[int]], tuple[int, ...], str]] = {
    "RESHAPE": (lambda n: [ints(n, "s", 1, -1)], (1, SIDE * SIDE * IN), ""),
    "TRANSPOSE": (lambda n: [ints(n, "p", 0, 2, 1, 3)], SHAPE, ""),
    "SLICE": (lambda n: [ints(n, "b", 0, 0, 0, 0), ints(n, "z", 1, 2, SIDE, IN)], (1, 2, SIDE, IN), ""),
    "SQUEEZE": (lambda n: [], (SIDE, SIDE, IN), "SqueezeOptions"),
    "REVERSE_V2": (lambda n: [ints(n, "a", 1)], SHAPE, ""),
    "TILE": (lambda n: [ints(n, "m", 1, 1, 1, 1)], SHAPE, ""),
    "DEPTH_TO_SPACE": (lambda n: [], (1, SIDE * 2, SIDE * 2, IN // 4), "DepthToSpaceOptions"),
    "SPACE_TO_DEPTH": (lambda n: [], (1, SIDE // 2, SIDE // 2, IN * 4), "SpaceToDepthOptions"),
    "GATHER": (lambda n: [ints(n, "i", 0)], SHAPE, "GatherOptions"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "SqueezeOptions": {"squeeze_dims": [0]},
    "DepthToSpaceOptions": {"block_size": 2},
    "SpaceToDepthOptions": {"block_size": 2},
    "GatherOptions": {"axis": 0},
}


@pytest.mark.parametrize("name", MOVES)
def test_the_engine_moves_bytes_between_scales(tmp_path: Path, name: str) -> None:
    """The oracle of `scales-differ`: the stored bytes come out as they went in, whatever the scales say."""
    assert name in MOVERS
    others, shape, kind = MOVES[name]
    net = Net(scale=0.05)
    net.grow(name, *others(net), shape=shape, kind=kind, scale=0.1, **SETTINGS.get(kind, {}))
    (tmp_path / "net.tflite").write_bytes(net.done())
    assert [f.rule for f in lint(parse_artifact(net.done())) if f.severity == "error"] == ["scales-differ"]
    stored = np.random.default_rng(0).integers(-128, 128, SHAPE).astype(np.int8)
    (result,) = Runner(tmp_path / "net.tflite", xnnpack=False).run({"in": stored}).values()
    assert set(result.ravel().tolist()) <= set(stored.ravel().tolist())
    if result.size == stored.size:
        assert sorted(result.ravel().tolist()) == sorted(stored.ravel().tolist())


@pytest.mark.parametrize("rule", ["fixed-scale", "int16-zero-point"])
def test_the_engine_refuses_what_lint_says_it_does(tmp_path: Path, rule: str) -> None:
    wrong, right = (build() for build in CASES[rule])
    if rule == "int16-zero-point":
        net = Net("int16", zero_point=5)
        net.grow("LEAKY_RELU", kind="LeakyReluOptions", alpha=0.5, zero_point=5)
        wrong = net.done()
    for data, loads in ((wrong, False), (right, True)):
        (tmp_path / "net.tflite").write_bytes(data)
        try:
            Runner(tmp_path / "net.tflite", xnnpack=False)
            loaded = True
        except ModelError:
            loaded = False
        assert loaded is loads


def test_the_engine_refuses_a_concatenation_of_two_scales(tmp_path: Path) -> None:
    net = Net(scale=0.05)
    net.grow("CONCATENATION", kind="ConcatenationOptions", scale=0.1, axis=3)
    (tmp_path / "net.tflite").write_bytes(net.done())
    (finding,) = [f for f in lint(parse_artifact(net.done())) if f.severity == "error"]
    assert finding.message.endswith("their scales differ: the file does not load")
    with pytest.raises(ModelError, match="refuses the file"):
        Runner(tmp_path / "net.tflite", xnnpack=False)


def test_constant_channels_are_constant(tmp_path: Path) -> None:
    """Over random inputs the channels that are named give one value, and the others more."""
    net, bias = Net(), np.zeros(8, np.int32)
    bias[:3] = -1_000_000
    net.conv(weights_of(), bias, activation=1, zero_point=-128)
    (tmp_path / "net.tflite").write_bytes(net.done())
    runner = Runner(tmp_path / "net.tflite", xnnpack=False)
    stored = np.random.default_rng(0).integers(-128, 128, (64, *SHAPE)).astype(np.int8)
    results = np.concatenate([next(iter(runner.run({"in": one}).values())).reshape(-1, 8) for one in stored])
    assert [len(set(channel.tolist())) == 1 for channel in results.T] == [True] * 3 + [False] * 5
    (finding,) = [f for f in lint(parse_artifact(net.done())) if f.rule == "constant-channel"]
    assert finding.found == "3"
