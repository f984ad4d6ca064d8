"""``make_openvino.py FOLDER``: FOLDER/model.onnx quantized by NNCF with its defaults."""

from __future__ import annotations

import sys
from pathlib import Path

import nncf
import numpy as np
import openvino as ov

folder = Path(sys.argv[1])
model = ov.convert_model(folder / "model.onnx")
with np.load(folder / "calibration.npz") as arrays:
    (values,) = (arrays[name] for name in arrays.files)
data = nncf.Dataset([values[i : i + 1] for i in range(len(values))])
ov.save_model(nncf.quantize(model, data, subset_size=len(values)), folder / "openvino_int8.xml")
