"""What the official reader (tflite-support 0.4.4, the last) makes of our metadata: `make test-metadata`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_sdk.metadata import write_metadata
from tests.core.metadata.test_metadata import FACTS, LABELS
from tests.graphs import conv_model

pytestmark = pytest.mark.metadata_reader
_NATIVE = "tensorflow_lite_support.metadata.cc.python._pywrap_metadata_version"


@pytest.fixture(scope="module")
def official() -> Any:
    """Its Python reader. The two native modules want libusb; where it is absent they are left out."""
    try:
        from tensorflow_lite_support.metadata.python import metadata
    except ImportError:
        import tensorflow_lite_support.metadata.cc.python as versions
        import tensorflow_lite_support.metadata.flatbuffers_lib as library

        for parent, name in ((versions, "_pywrap_metadata_version"), (library, "_pywrap_flatbuffers")):
            module = ModuleType(name)
            sys.modules[f"{parent.__name__}.{name}"] = module
            setattr(parent, name, module)
        from tensorflow_lite_support.metadata.python import metadata
    return metadata


def test_generated_classes_read_every_field() -> None:
    """flatc's own classes."""
    from tensorflow_lite_support.metadata import metadata_schema_py_generated as generated
    from tensorflow_lite_support.metadata import schema_py_generated as file_schema

    data = write_metadata(conv_model(), FACTS)
    model = file_schema.Model.GetRootAsModel(data, 0)
    entries = {model.Metadata(i).Name(): model.Metadata(i).Buffer() for i in range(model.MetadataLength())}
    raw = model.Buffers(entries[b"TFLITE_METADATA"]).DataAsNumpy().tobytes()
    version = model.Buffers(entries[b"min_runtime_version"]).DataAsNumpy().tobytes()
    assert version == b"1.6.0".ljust(16, b"\0")
    facts = generated.ModelMetadataT.InitFromObj(generated.ModelMetadata.GetRootAsModelMetadata(raw, 0))
    assert (facts.name, facts.minParserVersion) == (b"digits", b"1.0.0")
    (graph,) = facts.subgraphMetadata
    (image,), (scores,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    assert isinstance(image.content.contentProperties, generated.ImagePropertiesT)
    assert image.content.contentProperties.colorSpace == generated.ColorSpaceType.RGB
    (unit,) = image.processUnits
    assert (list(unit.options.mean), list(unit.options.std)) == ([127.5], [63.75])
    (file,) = scores.associatedFiles
    assert (file.name, file.type) == (b"labels.txt", generated.AssociatedFileType.TENSOR_AXIS_LABELS)


def test_displayer_opens_the_file_and_its_labels(official: Any, tmp_path: Path) -> None:
    path = tmp_path / "told.tflite"
    path.write_bytes(write_metadata(conv_model(), FACTS))
    displayer = official.MetadataDisplayer.with_model_file(str(path))
    assert displayer.get_packed_associated_file_list() == ["labels.txt"]
    assert displayer.get_associated_file_buffer("labels.txt") == LABELS.content


def test_its_own_verifier_and_json(official: Any, tmp_path: Path) -> None:
    """flatbuffers' C++ verifier accepts the buffer, finds the same parser version, and prints it as JSON."""
    if not hasattr(sys.modules[_NATIVE], "GetMinimumMetadataParserVersion"):
        pytest.skip("tflite-support's native modules want libusb-1.0")
    path = tmp_path / "told.tflite"
    path.write_bytes(write_metadata(conv_model(), FACTS))
    displayer = official.MetadataDisplayer.with_model_file(str(path))
    native: Any = sys.modules[_NATIVE]
    assert native.GetMinimumMetadataParserVersion(bytes(displayer.get_metadata_buffer())) == "1.0.0"
    shown = json.loads(displayer.get_metadata_json())
    assert shown["subgraph_metadata"][0]["input_tensor_metadata"][0]["process_units"] == [
        {"options_type": "NormalizationOptions", "options": {"mean": [127.5], "std": [63.75]}}
    ]
