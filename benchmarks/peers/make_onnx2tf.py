"""``make_onnx2tf.py FOLDER``: onnx2tf's own int8 of FOLDER/model.onnx, and TensorFlow's converter on its SavedModel."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx2tf
import tensorflow as tf

folder = Path(sys.argv[1]).resolve()
work = folder / "onnx2tf"
work.mkdir(exist_ok=True)
with np.load(folder / "calibration.npz") as arrays:
    ((name, values),) = ((name, arrays[name]) for name in arrays.files)
image = values.ndim == 4
last = values.transpose(0, 2, 3, 1) if image else values
np.save(work / "calibration.npy", last)
channels = last.shape[-1]
ends = [[[[0.0] * channels]]] if image else [[[0.0] * channels]]
ones = [[[[1.0] * channels]]] if image else [[[1.0] * channels]]
# onnx2tf writes what it simplified over the file that it was given.
shutil.copy(folder / "model.onnx", work / "model.onnx")
os.chdir(work)
# onnx2tf downloads 20 photographs to the working directory unless they are there; noise does as well.
noise = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
np.save("calibration_image_sample_data_20x128x128x3_float32.npy", noise)
onnx2tf.convert(
    input_onnx_file_path=str(work / "model.onnx"),
    output_folder_path=str(work),
    output_integer_quantized_tflite=True,
    output_signaturedefs=True,
    keep_shape_absolutely_input_names=None if image else [name],
    # TFLite has no Erf: without this the files hold an op that LiteRT refuses.
    replace_to_pseudo_operators=["erf"],
    custom_input_op_name_np_data_path=[[name, str(work / "calibration.npy"), ends, ones]],
    non_verbose=True,
)
(own,) = [path for path in work.glob("*_integer_quant.tflite") if "_full_" not in path.name]
shutil.copy(own, folder / "onnx2tf_int8.tflite")

converter = tf.lite.TFLiteConverter.from_saved_model(str(work))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in last)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
(folder / "tensorflow_int8.tflite").write_bytes(converter.convert())
