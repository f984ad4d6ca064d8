"""Writes TFLite Metadata into a .tflite file: a flatbuffer in its metadata table, associated files behind it as a ZIP.

The official writer (tflite-support) ended in 2023 and installs on no Python above 3.11; this one needs `flatbuffers`
and nothing else. The schema is public: ``metadata.schema`` beside this file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edge_sdk.artifact import flatbuffer
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact, Tensor, parse_artifact
from edge_sdk.artifact.note import set_metadata
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.metadata.min_runtime import min_runtime_version
from edge_sdk.metadata.records import (
    IDENTIFIER,
    MIN_RUNTIME_VERSION,
    NAME,
    AssociatedFile,
    MetadataError,
    ModelFacts,
    Normalization,
    TensorNotes,
)
from edge_sdk.metadata.schema import enum_value, metadata_schema

_VERSION_BYTES = 16
_ALIGNED = {"CustomMetadata.data": 16}
# The parser that knows every field written here: the first schema had them all.
_MIN_PARSER_VERSION = "1.0.0"
_COLOUR = {"rgb": "RGB", "grayscale": "GRAYSCALE"}


def write_metadata(data: bytes, facts: ModelFacts) -> bytes:
    """A .tflite file with metadata, in place of any that it had; what it computes is unchanged.

    ``min_runtime_version`` is written too, where every op's is known. The same input makes the same bytes.

    Args:
        data: a .tflite file.
        facts: what is said of it, by the names of the default signature.

    Raises:
        ModelError: not a TFLite file.
        MetadataError: it has fields that this schema does not know, or two associated files share a name.
    """
    artifact = parse_artifact(data)
    root, _ = parse_tree(data)
    _check_can_be_packed(artifact)
    files = list(_files(facts))
    set_metadata(root, NAME, _metadata(artifact, facts))
    version = min_runtime_version(artifact)
    if version is not None:
        set_metadata(root, MIN_RUNTIME_VERSION, version.encode().ljust(_VERSION_BYTES, b"\0"))
    return _append(pack_tree(root), files)


def _check_can_be_packed(artifact: Artifact) -> None:
    if artifact.unknown:
        raise MetadataError(f"the file has fields that this schema does not know ({artifact.unknown[0]})")


def _files(facts: ModelFacts) -> Iterator[AssociatedFile]:
    """Each packed file once; tensors may share one."""
    seen: dict[str, bytes] = {}
    for notes in (*facts.inputs.values(), *facts.outputs.values()):
        for file in notes.files:
            if seen.setdefault(file.name, file.content) != file.content:
                raise MetadataError(f"two associated files are called `{file.name}`")
            if file.content is seen[file.name]:
                yield file


def _metadata(artifact: Artifact, facts: ModelFacts) -> bytes:
    signature, graph = artifact.signature, artifact.subgraphs[artifact.signature.subgraph]
    subgraph = _node(
        "SubGraphMetadata",
        input_tensor_metadata=_tensors(signature.inputs, graph.inputs, facts.inputs),
        output_tensor_metadata=_tensors(signature.outputs, graph.outputs, facts.outputs),
    )
    words = {key: getattr(facts, key) or None for key in ("name", "description", "version", "author", "license")}
    root = _node("ModelMetadata", subgraph_metadata=[subgraph], min_parser_version=_MIN_PARSER_VERSION, **words)
    return flatbuffer.write(root, metadata_schema(), IDENTIFIER, aligned=_ALIGNED)


def _tensors(named: Mapping[str, Tensor], order: Sequence[int], notes: Mapping[str, TensorNotes]) -> list[Node]:
    """One for each input or output of the subgraph, in its order: readers go by place."""
    for name in notes:
        if name not in named:
            raise MetadataError(f"metadata for `{name}`, which the file does not have")
    by_index = {tensor.index: name for name, tensor in named.items()}
    names = [by_index.get(index, "") for index in order]
    return [_tensor(name, notes.get(name, TensorNotes())) for name in names]


def _tensor(name: str, notes: TensorNotes) -> Node:
    units = []
    if notes.normalization is not None:
        units.append(_unit("NormalizationOptions", **_numbers(notes.normalization)))
    if notes.score_threshold is not None:
        units.append(_unit("ScoreThresholdingOptions", global_score_threshold=notes.score_threshold))
    return _node(
        "TensorMetadata",
        name=name or None,
        description=notes.description or None,
        content=_content(notes),
        process_units=units or None,
        associated_files=[_file(file) for file in notes.files] or None,
    )


def _content(notes: TensorNotes) -> Node:
    if notes.image is None:
        kind, properties = "FeatureProperties", _node("FeatureProperties")
    else:
        kind = "ImageProperties"
        properties = _node(kind, color_space=enum_value("ColorSpaceType", _COLOUR[notes.image]))
    return _node(
        "Content", content_properties_type=enum_value("ContentProperties", kind), content_properties=properties
    )


def _unit(kind: str, **fields: Any) -> Node:
    return _node("ProcessUnit", options_type=enum_value("ProcessUnitOptions", kind), options=_node(kind, **fields))


def _numbers(normalization: Normalization) -> dict[str, Any]:
    return {"mean": np.array(normalization.mean, np.float32), "std": np.array(normalization.std, np.float32)}


def _file(file: AssociatedFile) -> Node:
    kind = enum_value("AssociatedFileType", file.kind)
    return _node("AssociatedFile", name=file.name, description=file.description or None, type=kind)


def _node(kind: str, **fields: Any) -> Node:
    return new_node(metadata_schema(), kind, **fields)


def _append(model: bytes, files: Sequence[AssociatedFile]) -> bytes:
    """As the official tools do: a ZIP of stored files behind the flatbuffer, offsets counted from the file's start."""
    if not files:
        return model
    whole = io.BytesIO()
    whole.write(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for file in files:
            info = zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, file.content)
    return whole.getvalue()
