"""PyTorch to int8: ``torch_int8.py MODEL.pt2 CALIBRATION.npy FOLDER [float]``.

``CALIBRATION.npy`` is ``(count, height, width, 3)``, normalised. With ``float`` only float files are made;
without it, onnx2tf makes every integer form.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx2tf
import torch

model_path, calibration_path, output_folder = map(os.path.abspath, sys.argv[1:4])
float_only = sys.argv[4:] == ["float"]
folder = Path(output_folder)
folder.mkdir(parents=True, exist_ok=True)
program = torch.export.load(model_path)
torch.onnx.export(program, (), str(folder / "model.onnx"), external_data=False, input_names=["image"])
# onnx2tf downloads 20 photographs to the working directory unless they are there; noise does as well.
os.chdir(folder)
np.save(
    "calibration_image_sample_data_20x128x128x3_float32.npy",
    np.random.default_rng(0).random((20, 128, 128, 3), np.float32),
)
onnx2tf.convert(
    input_onnx_file_path=str(folder / "model.onnx"),
    output_folder_path=str(folder),
    output_integer_quantized_tflite=not float_only,
    custom_input_op_name_np_data_path=[["image", calibration_path, [[[[0.0, 0.0, 0.0]]]], [[[[1.0, 1.0, 1.0]]]]]],
    non_verbose=True,
)
