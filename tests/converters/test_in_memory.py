"""Objects in memory, in a process of the user's own: converted without risking it, and left as they were."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.artifact import read_artifact

_HEAD = """
import sys
import numpy as np
from edge_sdk import Workers, convert
folder = sys.argv[1]
rng = np.random.default_rng(0)
samples = [{"image": rng.standard_normal((1, 16, 16, 3)).astype("float32")} for _ in range(100)]
"""

KERAS = (
    _HEAD
    + """
import keras, tf_keras
from tests.sources.keras_models import cnn, named
with Workers() as workers:
    for generation in (keras, tf_keras):
        model = cnn(generation)
        before = [w.copy() for w in model.get_weights()]
        report = convert(model, f"{folder}/{generation.__name__}.tflite", recipe="int8", calibration=samples,
                         workers=workers, timing=False)
        assert report.verified, report
        assert report.source == "Functional in memory", report.source
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    convert(named(keras), f"{folder}/named.tflite", batch=2, workers=workers)
"""
)

TORCH = (
    _HEAD
    + """
import torch, onnx
from tests.sources.torch_models import Cnn, cnn, save_onnx
torch.manual_seed(0)
model = Cnn().train()
model.stem[1].eval()
modes = [m.training for m in model.modules()]
state = {k: v.clone() for k, v in model.state_dict().items()}
with Workers() as workers:
    calibration = [{"image": s["image"].transpose(0, 3, 1, 2).copy()} for s in samples]
    report = convert((model, torch.randn(1, 3, 16, 16)), f"{folder}/torch.tflite", recipe="int8",
                     calibration=calibration, workers=workers, timing=False)
    assert report.verified
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    program = torch.export.export(model.eval(), (torch.randn(1, 3, 16, 16),))
    assert convert(program, f"{folder}/program.tflite", workers=workers).verified
    save_onnx("cnn", f"{folder}/cnn.onnx")
    assert convert(onnx.load(f"{folder}/cnn.onnx"), f"{folder}/onnx.tflite", workers=workers).verified
"""
)

OTHER_BACKEND = (
    _HEAD
    + """
import keras
from tests.sources.keras_models import cnn
assert keras.backend.backend() == "torch"
report = convert(cnn(keras), f"{folder}/model.tflite")
assert report.verified and report.parity[0].has_power
"""
)


def run(script: str, folder: Path, **environment: str) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.keras
@pytest.mark.slow
def test_keras_models_of_both_generations(tmp_path: Path) -> None:
    run(KERAS, tmp_path)
    for generation in ("keras", "tf_keras"):
        signature = read_artifact(tmp_path / f"{generation}.tflite").signature
        assert list(signature.inputs) == ["image"]
        assert list(signature.outputs) == ["scores"]
    named = read_artifact(tmp_path / "named.tflite").signature
    assert {n: t.shape for n, t in named.inputs.items()} == {"q": (2, 6), "p": (2, 6)}
    assert list(named.outputs) == ["score", "bare"]


@pytest.mark.torch
@pytest.mark.slow
def test_torch_module_program_and_onnx_object(tmp_path: Path) -> None:
    run(TORCH, tmp_path)
    for name in ("torch", "program", "onnx"):
        signature = read_artifact(tmp_path / f"{name}.tflite").signature
        assert [tensor.shape for tensor in signature.inputs.values()] == [(1, 16, 16, 3)]


@pytest.mark.torch
@pytest.mark.keras
@pytest.mark.slow
def test_keras_model_on_another_backend(tmp_path: Path) -> None:
    run(OTHER_BACKEND, tmp_path, KERAS_BACKEND="torch")
