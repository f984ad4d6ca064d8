"""onnx2tf called as its documentation says, in a folder of its own and without a network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

_PHOTOGRAPHS = "calibration_image_sample_data_20x128x128x3_float32.npy"


def float_file(model: Any, **options: Any) -> bytes:
    """The float32 file of an ``onnx.ModelProto``; moves the process to another folder, so call it in a child.

    Args:
        model: copied, for onnx2tf writes what it simplified over the file that it was given.
        options: of ``onnx2tf.convert``.

    Raises:
        Exception: what onnx2tf raises.
    """
    import onnx
    import onnx2tf

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        onnx.save(model, "model.onnx")
        # It downloads 20 photographs to the working directory unless they are there; noise does as well.
        np.save(_PHOTOGRAPHS, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
        onnx2tf.convert(input_onnx_file_path="model.onnx", output_folder_path="out", non_verbose=True, **options)
        made = Path("out/model_float32.tflite").read_bytes()
        os.chdir("/")
    return made
