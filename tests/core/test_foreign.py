"""A model in a format that is not read is named for what it is, with the way from it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from edge_sdk.converters.sources.source import front_end_name
from edge_sdk.errors import ModelError, UntrustedSourceError


def _told(path: Path) -> tuple[str, str]:
    with pytest.raises(ModelError) as caught:
        front_end_name(str(path))
    return str(caught.value), str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "what", "way"),
    [
        (
            {"format": "layers-model", "modelTopology": {}, "weightsManifest": []},
            "a layers model of T",
            "keras_saved_model",
        ),
        ({"modelTopology": {"node": []}, "weightsManifest": []}, "a graph model of T", "the SavedModel"),
        ({"modelTopology": {"model_config": {}}, "weightsManifest": []}, "a layers model of T", "keras_saved_model"),
        ({"name": "x"}, "unknown kind of model `.json`", ".onnx"),
        ([1], "unknown kind of model `.json`", ".onnx"),
    ],
)
def test_json_of_tensorflow_js_is_told_from_other_json(tmp_path: Path, content: object, what: str, way: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    text, hint = _told(path)
    assert what in text
    assert way in hint


@pytest.mark.parametrize(
    ("names", "what", "way"),
    [
        (["m/code/__torch__.py", "m/constants.pkl", "m/data.pkl"], "a TorchScript program", "torch.onnx.export"),
        (["p/.data/extern_modules", "p/.data/version"], "a torch.package", "PackageImporter"),
        (["a/data.pkl", "a/version"], "pickles, and loading a pickle runs the code", "weights_only=True"),
    ],
)
def test_archives_of_torch_are_told_apart(tmp_path: Path, names: list[str], what: str, way: str) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    with pytest.raises(UntrustedSourceError, match=what) as caught:
        front_end_name(str(path))
    assert way in str(caught.value.hint)


def test_weights_without_a_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\0" * 16)
    text, hint = _told(path)
    assert "holds weights but no model" in text
    assert "file.py:function" in hint
