"""A .tflite with float16 weights becomes whatever a float32 one becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters import Workers, convert
from edge_sdk.runtime import Runner
from tests.graphs import conv_model

pytestmark = pytest.mark.keras


def test_it_is_quantized_from_what_it_stores(tmp_path: Path, workers: Workers) -> None:
    whole, half = tmp_path / "whole.tflite", tmp_path / "half.tflite"
    whole.write_bytes(conv_model(side=8))
    convert(str(whole), half, recipe="float16", workers=workers, timing=False)
    assert "DEQUANTIZE" in {op.name for op in read_artifact(half).main.ops}
    name, port = next(iter(read_artifact(half).signature.inputs.items()))
    rows = np.random.default_rng(0).standard_normal((64, *port.shape[1:])).astype(np.float32)
    wanted = Runner(str(half)).run({name: rows[:1]})
    for recipe in ("float32", "dynamic", "int8"):
        target = tmp_path / f"{recipe}.tflite"
        report = convert(
            str(half), target, recipe=recipe, workers=workers, calibration={name: rows}, data={name: rows}, timing=False
        )
        assert report.verified
        assert "weights-in-float16" in {finding.rule for finding in report.findings}
        got = Runner(str(target)).run({name: rows[:1]})
        for output, values in wanted.items():
            # 16 bits of weights in the float file; 8 and those of activations in the others.
            off = (1e-6 if recipe == "float32" else 0.05) * np.ptp(values)
            np.testing.assert_allclose(got[output], values, atol=off)
    assert "float16" not in {tensor.dtype for tensor in read_artifact(tmp_path / "float32.tflite").main.tensors}
    # The halves are gone, not beside the whole numbers.
    assert (tmp_path / "float32.tflite").stat().st_size < 1.2 * whole.stat().st_size + 2048
