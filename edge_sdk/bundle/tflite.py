"""The part of a bundle's processing that TFLite Metadata have words for, written into a variant's own file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from edge_sdk.bundle.asked import label_file
from edge_sdk.bundle.steps import Channels, InputProcessing, Normalize, OutputProcessing, Processing, TopK
from edge_sdk.metadata import AssociatedFile, ModelFacts, Normalization, TensorNotes, write_metadata


def describe_file(data: bytes, processing: Processing, labels: Mapping[str, Sequence[str]], *, name: str) -> bytes:
    """The file with metadata; errors as :func:`edge_sdk.metadata.write_metadata`.

    Args:
        data: the .tflite file.
        processing: of its inputs and outputs.
        labels: output name to a name for each index.
        name: of the model.
    """
    names = dict.fromkeys([*(one.name for one in processing.outputs), *labels])
    facts = ModelFacts(
        name=name,
        inputs={one.name: _input(one) for one in processing.inputs},
        outputs={output: _output(processing.output(output), labels.get(output), output) for output in names},
    )
    return write_metadata(data, facts)


def _input(processing: InputProcessing) -> TensorNotes:
    gray = any(isinstance(step, Channels) and step.order == "gray" for step in processing.steps)
    normalize = next((step for step in processing.steps if isinstance(step, Normalize)), None)
    return TensorNotes(
        image=None if processing.kind != "image" else "grayscale" if gray else "rgb",
        normalization=None if normalize is None else _normalization(normalize),
    )


def _normalization(step: Normalize) -> Normalization:
    """``(pixel * scale - mean) / std`` is ``(pixel - mean / scale) / (std / scale)``."""
    return Normalization(
        tuple(value / step.scale for value in step.mean), tuple(value / step.scale for value in step.std)
    )


def _output(processing: OutputProcessing | None, labels: Sequence[str] | None, name: str) -> TensorNotes:
    steps = processing.steps if processing else ()
    ranking = next((step for step in steps if isinstance(step, TopK)), None)
    files = () if labels is None else (_label_file(name, labels),)
    return TensorNotes(score_threshold=ranking.min_score if ranking and ranking.min_score > 0 else None, files=files)


def _label_file(output: str, labels: Sequence[str]) -> AssociatedFile:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"labels_{output}.txt")
    return AssociatedFile(name, label_file(labels), "TENSOR_AXIS_LABELS", "a name for each index, a line each")
