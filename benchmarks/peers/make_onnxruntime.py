"""``make_onnxruntime.py FOLDER``: static int8 of FOLDER/model.onnx as its documentation shows it, per channel, QDQ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

folder = Path(sys.argv[1])


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """The samples, one after the other."""

    def __init__(self) -> None:
        with np.load(folder / "calibration.npz") as arrays:
            self._samples = iter([{name: arrays[name][i : i + 1] for name in arrays.files} for i in range(32)])

    def get_next(self) -> dict[str, Any] | None:
        """The next sample, or None."""
        return next(self._samples, None)


prepared = folder / "model_prepared.onnx"
try:
    quant_pre_process(str(folder / "model.onnx"), str(prepared))
except AssertionError:
    # Its symbolic shapes fail on a transformer's RESHAPE; this leaves them out.
    quant_pre_process(str(folder / "model.onnx"), str(prepared), skip_symbolic_shape=True)
quantize_static(
    str(prepared),
    str(folder / "onnxruntime_int8.onnx"),
    Reader(),
    quant_format=QuantFormat.QDQ,
    per_channel=True,
    weight_type=QuantType.QInt8,
    activation_type=QuantType.QUInt8,
)
