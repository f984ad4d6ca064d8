"""The part of a bundle's processing that TFLite Metadata have words for, written into a variant's own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_sdk.bundle.steps import Channels, InputProcessing, Normalize, OutputProcessing, TopK
from edge_sdk.metadata import AssociatedFile, ModelFacts, Normalization, TensorNotes, write_metadata


def describe_file(
    data: bytes,
    inputs: Sequence[InputProcessing],
    outputs: Sequence[OutputProcessing],
    labels: Mapping[str, bytes],
    *,
    name: str,
) -> bytes:
    """The file with metadata; errors as :func:`edge_sdk.metadata.write_metadata`.

    Args:
        data: the .tflite file.
        inputs: processing of each input.
        outputs: likewise.
        labels: contents of the label members.
        name: of the model.
    """
    facts = ModelFacts(
        name=name,
        inputs={one.name: _input(one) for one in inputs},
        outputs={one.name: _output(one, labels) for one in outputs},
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


def _output(processing: OutputProcessing, labels: Mapping[str, bytes]) -> TensorNotes:
    ranking = next((step for step in processing.steps if isinstance(step, TopK)), None)
    member = processing.labels
    files = () if member is None else (_label_file(member, labels[member]),)
    return TensorNotes(score_threshold=ranking.min_score if ranking and ranking.min_score > 0 else None, files=files)


def _label_file(member: str, content: bytes) -> AssociatedFile:
    return AssociatedFile(member.replace("/", "_"), content, "TENSOR_AXIS_LABELS", "a name for each index, a line each")
