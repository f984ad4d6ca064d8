"""How far each channel of a float file's tensors reaches on samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from edge_sdk.artifact.apart import leading_to
from edge_sdk.converters.quantize.weights.evened import Ends
from edge_sdk.engines.runner import Runner
from edge_sdk.folders import temporary_folder
from edge_sdk.signature import Arrays


def channel_ends(data: bytes, tensors: Iterable[int], samples: Callable[[], Iterable[Arrays]]) -> Mapping[int, Ends]:
    """The least and the largest value of each channel, the last axis, of some tensors of a float file.

    Raises:
        ModelError: the engine refuses the file.
    """
    wanted = list(tensors)
    found: dict[int, Ends] = {}
    if not wanted:
        return found
    with temporary_folder("channels") as name:
        path = Path(name) / "float.tflite"
        path.write_bytes(leading_to(data, wanted))
        runner = Runner(path, threads=os.cpu_count() or 1, preserve_all_tensors=True)
        for sample in samples():
            runner.run_real(sample)
            for index in wanted:
                values = runner.tensor(index)
                if values is not None:
                    rows = values.reshape(-1, values.shape[-1])
                    low, high = found.get(index, (rows[0], rows[0]))
                    found[index] = np.minimum(low, rows.min(0)), np.maximum(high, rows.max(0))
    return found
