"""Each op of a quantized model on ONNX Runtime's own operands: over whole networks single steps meet and grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.direct.test_quantizers import SHAPE, float_model, quantized_model, squeezing_model

pytestmark = pytest.mark.onnx
FORMS: dict[str, dict[str, Any]] = {
    "int8 per channel": {"quant_format": "QDQ", "activation_type": "QInt8", "per_channel": True},
    "uint8": {"quant_format": "QDQ", "activation_type": "QUInt8"},
    "uint8 weights": {"quant_format": "QDQ", "activation_type": "QUInt8", "weight_type": "QUInt8"},
    "QOperator": {"quant_format": "QOperator", "activation_type": "QUInt8"},
}


@pytest.mark.parametrize("source", [float_model, squeezing_model])
@pytest.mark.parametrize("form", FORMS)
def test_no_op_is_further_than_one_step(tmp_path: Path, source: Callable[[], Any], form: str) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType

    from benchmarks.corpus import op_by_op

    settings = {"weight_type": "QInt8", "per_channel": False, **FORMS[form]}
    settings["quant_format"] = QuantFormat[settings["quant_format"]]
    settings |= {key: QuantType[settings[key]] for key in ("activation_type", "weight_type")}
    proto = quantized_model(tmp_path, source, **settings)
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    found = list(op_by_op.held(proto, feeds))
    kinds = {kind.removeprefix("Q").removeprefix("Linear") for one in found for kind in one.group.kinds.split("+")}
    assert {"Conv", "MaxPool", "Mul", "Gemm"} <= kinds
    # A tie of two roundings is one step; the rest is float32's part of it.
    assert {one.group.name: one.steps for one in found if one.steps > 1.001} == {}
