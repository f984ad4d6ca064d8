"""PyTorch to int8 by torch.onnx.export and onnx2tf: ``torch_int8.py MODEL.pt2 CALIBRATION.npy OUT_FOLDER``.

``CALIBRATION.npy`` is ``(count, height, width, 3)``, normalised.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx2tf
import torch

model_path, calibration_path, output_folder = sys.argv[1:]
folder = Path(output_folder)
folder.mkdir(parents=True, exist_ok=True)
program = torch.export.load(model_path)
torch.onnx.export(program, (), str(folder / "model.onnx"), external_data=False, input_names=["image"])
onnx2tf.convert(
    input_onnx_file_path=str(folder / "model.onnx"),
    output_folder_path=str(folder),
    output_integer_quantized_tflite=True,
    custom_input_op_name_np_data_path=[["image", calibration_path, [[[[0.0, 0.0, 0.0]]]], [[[[1.0, 1.0, 1.0]]]]]],
    non_verbose=True,
)
