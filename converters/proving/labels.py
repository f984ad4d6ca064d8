"""Names of classes, put into a file as TFLite Metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.bundle.asked import read_labels
from edge_sdk.bundle.steps import Processing
from edge_sdk.bundle.tflite import describe_file
from edge_sdk.errors import SignatureError, nearest

Labels = Mapping[str, tuple[str, ...]]


def read_all(files: Mapping[str, str | Path]) -> Labels:
    """Label files by the name of an output; the empty name stands for the only one.

    Raises:
        BundleError: a file is unreadable, not UTF-8, or a line is blank.
    """
    return {name: read_labels(Path(path)) for name, path in files.items()}


def with_labels(data: bytes, labels: Labels) -> bytes:
    """The file with a label for each index of its outputs, as readers of TFLite Metadata find them.

    Raises:
        SignatureError: there is no such output, or it has another number of values.
    """
    outputs = parse_artifact(data).signature.outputs
    named = {name or _only(list(outputs)): texts for name, texts in labels.items()}
    for name, texts in named.items():
        if name not in outputs:
            raise SignatureError(f"labels: no output `{name}`{nearest(name, outputs)}")
        shape = outputs[name].shape
        if not shape or shape[-1] != len(texts):
            count = shape[-1] if shape else 1
            raise SignatureError(
                f"{len(texts)} labels for output `{name}`, which has {count} values in its last axis",
                hint="a line for each index, in order",
            )
    return describe_file(data, Processing((), ()), named, name="")


def _only(names: list[str]) -> str:
    if len(names) != 1:
        raise SignatureError(
            f"labels: the model has {len(names)} outputs", hint=f"--labels NAME=FILE with one of {', '.join(names)}"
        )
    return names[0]
