"""Keras to int8 by TFLiteConverter: ``keras_int8.py MODEL.keras CALIBRATION.npy OUT.tflite``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

model_path, calibration_path, output_path = sys.argv[1:]
samples = np.load(calibration_path)


def representative_dataset() -> Iterator[list[Any]]:
    """One batch of one sample at a time."""
    for sample in samples:
        yield [sample[np.newaxis]]


converter = tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(model_path))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = representative_dataset
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
Path(output_path).write_bytes(converter.convert())
