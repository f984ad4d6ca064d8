"""TFLite Metadata: what Android Studio, the Task Library and MediaPipe read off a bare .tflite file."""

from edge_sdk.metadata.reading import PackedFile, TensorFacts, TfliteMetadata, read_metadata
from edge_sdk.metadata.records import AssociatedFile, MetadataError, ModelFacts, Normalization, TensorNotes
from edge_sdk.metadata.writing import write_metadata

__all__ = [
    "AssociatedFile",
    "MetadataError",
    "ModelFacts",
    "Normalization",
    "PackedFile",
    "TensorFacts",
    "TensorNotes",
    "TfliteMetadata",
    "read_metadata",
    "write_metadata",
]
