"""What tensors inside a file hold while it is run as users run it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edge_sdk.artifact.apart import index_of, leading_to
from edge_sdk.artifact.model import Tensor, parse_artifact
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import to_raw
from edge_sdk.folders import temporary_folder
from edge_sdk.signature import Arrays


def inner_values(
    data: bytes, wanted: Collection[int], samples: Iterable[Arrays]
) -> Iterator[dict[int, tuple[Tensor, npt.NDArray[Any]]]]:
    """What some tensors of a file hold, sample by sample, as it is run: with its delegate.

    Yields tensor to its description and its values as stored.
    """
    artifact = parse_artifact(data)
    inputs, tensors = artifact.signature.inputs, artifact.main.tensors
    made = sorted(set(wanted) - {tensor.index for tensor in inputs.values()})
    with temporary_folder("tuning") as name:
        path = Path(name) / "leading.tflite"
        path.write_bytes(leading_to(data, made))
        runner = Runner(path, threads=os.cpu_count() or 1) if made else None
        for sample in samples:
            raw = {key: to_raw(values, inputs[key]) for key, values in sample.items()}
            held = {inputs[key].index: values for key, values in raw.items()}
            held |= {index_of(key): values for key, values in (runner.run(raw) if runner else {}).items()}
            yield {index: (tensors[index], held[index]) for index in wanted}
