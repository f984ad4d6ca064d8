"""PyTorch and ONNX on their own extras: no TensorFlow and no onnx2tf is there, and float and int8 files are made."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.converters import Workers, convert_all
from tests.contract import check_conversion, samples_for

pytestmark = pytest.mark.light
TORCH_MODELS = Path(__file__).parents[1] / "sources" / "torch_models.py"
RECIPES = ("float32", "float16", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16")
IMAGE = {"image": ((1, 16, 16, 3), "float32")}
NCHW = {"image": ((1, 3, 16, 16), "float32")}


def test_nothing_of_tensorflow_is_here() -> None:
    assert [name for name in ("tensorflow", "keras", "onnx2tf", "litert_torch") if find_spec(name)] == []


def test_a_pytorch_model_in_every_precision(tmp_path: Path, workers: Workers) -> None:
    reports = check_conversion(
        f"{TORCH_MODELS}:cnn",
        tmp_path,
        workers,
        RECIPES,
        inputs=IMAGE,
        outputs={"output": (1, 6)},
        options={"calibration": samples_for(NCHW)},
    )
    assert {report.attempts[-1].tool for report in reports} == {"edge-sdk direct"}


def test_an_onnx_model_in_float_and_int8(tmp_path: Path, workers: Workers) -> None:
    import onnx

    from tests.converters.direct.test_quantizers import float_model

    source = tmp_path / "model.onnx"
    source.write_bytes(onnx.shape_inference.infer_shapes(float_model()).SerializeToString())
    data = [{"x": np.random.default_rng(i).standard_normal((1, 3, 16, 16)).astype(np.float32)} for i in range(16)]
    files = {recipe: tmp_path / f"{recipe}.tflite" for recipe in ("float32", "static_wi8_ai8")}
    reports = list(convert_all(source, files, calibration=data, timing=False, workers=workers))
    assert all(report.verified for report in reports)
    assert reports[1].summary.ops["int8"] > 5
