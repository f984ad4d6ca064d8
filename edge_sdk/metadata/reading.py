"""Reads TFLite Metadata of a .tflite file, whoever wrote it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

from edge_sdk.artifact import flatbuffer
from edge_sdk.artifact.flatbuffer import FlatbufferError, Node
from edge_sdk.artifact.model import Artifact
from edge_sdk.metadata.records import IDENTIFIER, MIN_RUNTIME_VERSION, NAME, MetadataError, Normalization
from edge_sdk.metadata.schema import metadata_schema

_MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class TensorFacts:
    """What the metadata say of one tensor."""

    name: str
    description: str
    content: str
    color_space: str | None
    normalization: Normalization | None
    score_threshold: float | None
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TfliteMetadata:
    """What the metadata say; ``inputs`` and ``outputs`` are those of the first subgraph."""

    name: str
    description: str
    version: str
    author: str
    license: str
    min_parser_version: str
    min_runtime_version: str
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]


@dataclass(frozen=True)
class PackedFile:
    """A file behind the model."""

    name: str
    content: bytes


def read_metadata(artifact: Artifact) -> TfliteMetadata | None:
    """The metadata, or None where there are none.

    Raises:
        MetadataError: they are damaged.
    """
    raw = artifact.metadata.get(NAME)
    if raw is None:
        return None
    try:
        root, _ = flatbuffer.read(raw, metadata_schema(), "ModelMetadata", IDENTIFIER)
    except FlatbufferError as error:
        raise MetadataError(f"{artifact.path or 'model'}: its TFLite Metadata are damaged: {error}") from error
    graph = (root.subgraph_metadata or [None])[0]
    return TfliteMetadata(
        **{key: getattr(root, key) or "" for key in ("name", "description", "version", "author", "license")},
        min_parser_version=root.min_parser_version or "",
        min_runtime_version=stated_min_runtime(artifact),
        inputs=_tensors(graph.input_tensor_metadata if graph else None),
        outputs=_tensors(graph.output_tensor_metadata if graph else None),
    )


def stated_min_runtime(artifact: Artifact) -> str:
    """What the file says is the oldest runtime for it; empty where it says nothing."""
    return artifact.metadata.get(MIN_RUNTIME_VERSION, b"").split(b"\0")[0].decode("ascii", "replace")


def packed_files(data: bytes) -> tuple[PackedFile, ...]:
    """The files behind a model; none where nothing is appended.

    Raises:
        MetadataError: what is appended cannot be read, or a file in it is larger than 64 MiB.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return ()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if any(info.file_size > _MAX_FILE_BYTES for info in infos):
                raise MetadataError(f"an associated file is larger than {_MAX_FILE_BYTES} bytes")
            return tuple(PackedFile(info.filename, archive.read(info)) for info in infos)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise MetadataError(f"the files packed behind the model are damaged: {error}") from error


def _tensors(nodes: list[Node] | None) -> tuple[TensorFacts, ...]:
    return tuple(_tensor(node) for node in nodes or [])


def _tensor(node: Node) -> TensorFacts:
    options = {unit.options.kind: unit.options for unit in node.process_units or [] if unit.options is not None}
    content = node.content.content_properties if node.content else None
    normalization = options.get("NormalizationOptions")
    threshold = options.get("ScoreThresholdingOptions")
    return TensorFacts(
        name=node.name or "",
        description=node.description or "",
        content=content.kind if content else "",
        color_space=_label("ColorSpaceType", content.color_space)
        if content and content.kind == "ImageProperties"
        else None,
        normalization=Normalization(_floats(normalization.mean), _floats(normalization.std)) if normalization else None,
        score_threshold=float(threshold.global_score_threshold) if threshold else None,
        files=tuple((file.name or "", _label("AssociatedFileType", file.type)) for file in node.associated_files or []),
    )


def _floats(values: Any) -> tuple[float, ...]:
    return () if values is None else tuple(float(value) for value in values)


def _label(enum: str, value: int) -> str:
    return metadata_schema().enums[enum].get(value, f"unknown {value}")
