"""Quantization-aware training: what was trained is what the file computes, in every framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
PROGRAM = "tests.converters.train.qat.training_script"
SCRIPT = Path(__file__).with_name("training_script.py")
MODELS = {"keras": ["net", "lstm"], "tf_keras": ["net"], "torch": ["net", "sequence"]}
KINDS = [
    pytest.param("keras", marks=pytest.mark.keras),
    pytest.param("tf_keras", marks=pytest.mark.keras),
    pytest.param("torch", marks=pytest.mark.torch),
]
pytestmark = [pytest.mark.slow]


@cache
def seen(kind: str) -> dict[str, Any]:
    """What the script saw; it runs once for each framework."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.converters.train.qat.training_script",
            kind,
            ",".join(MODELS[kind]),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_computes_what_was_trained(kind: str) -> None:
    """The bound of the issue: 99.5 % of outputs within one step of the output's scale, none beyond two."""
    for which, model in seen(kind)["models"].items():
        assert model["within_one"] >= 0.995, (which, model)
        assert model["largest"] <= 2, (which, model)
        assert model["verified"], which
        assert model["untouched"], which
        assert model["inputs"] == ["image"]


@pytest.mark.parametrize("kind", KINDS)
def test_learned_scales_are_those_of_the_file(kind: str) -> None:
    for which, model in seen(kind)["models"].items():
        assert model["scales_as_learned"], which


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_tflite_can_is_int8(kind: str) -> None:
    net = seen(kind)["models"]["net"]
    assert set(net["ops"]) <= {"int8", "convert", "integer"}, net["ops"]
    assert "left in float" not in net["facts"]


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss(kind: str) -> None:
    first, last = seen(kind)["models"]["net"]["losses"]
    assert last < first


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_trained_is_refused_before_it_begins(kind: str) -> None:
    refused = seen(kind)["refused"]
    assert refused["loss"].startswith("TrainingError: output `")
    assert "needs one of loss, train_step and fit, got none" in refused["no loss"]
    assert "got more than one" in refused["two losses"]
    assert "did you mean `cross_entropy`" in refused["unknown loss"]
    assert refused["shape"].startswith("CalibrationError")
    assert "needs targets" in refused["targets"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_users_own_loop_and_ops_left_in_float(kind: str) -> None:
    own = seen(kind)["own"]
    assert own["within_one"] >= 0.995, own
    assert own["largest"] <= 2, own
    assert "LOGISTIC" in own["facts"]["left in float"]
    assert own["epochs"] == 0
