"""ONNX to int8 by NNCF as its documentation shows it: ``nncf_int8.py MODEL.onnx SAMPLES.npz OUT.onnx``."""

from __future__ import annotations

import sys

import nncf
import numpy as np
import onnx

model_path, samples_path, output_path = sys.argv[1:]
with np.load(samples_path) as arrays:
    samples = [
        dict(zip(arrays.files, one, strict=True)) for one in zip(*(arrays[n] for n in arrays.files), strict=True)
    ]
quantized = nncf.quantize(onnx.load(model_path), nncf.Dataset(samples), subset_size=len(samples))
onnx.save(quantized, output_path)
