"""Whether a source may be quantized already, by a quick look that loads no framework."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from edge_sdk.data.functions import is_function_reference

# What stands in the file, or in a layer's class name, where a model rounds to ranges of its own.
_MARKS = (
    *(b"QuantizeLinear", b"QLinear", b"QGemm", b"FakeQuantWithMinMax", b"QuantizeWrapper", b"QuantizeLayer"),
    *(b"FakeQuantize", b"torch.ao.nn.quantized", b"quantized_decomposed"),
)


def may_be_quantized(source: object) -> bool:
    """Whether ranges may come with the source, so that only loading it tells whether calibration data is needed."""
    if not isinstance(source, str | Path):
        return any(mark.decode() in _words(source) for mark in _MARKS)
    if is_function_reference(str(source)):
        return True
    try:
        data = _content(Path(source))
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False  # the front end that opens it says what is wrong
    return any(mark in data for mark in _MARKS)


def _content(given: Path) -> bytes:
    path = given / "saved_model.pb" if given.is_dir() else given
    if path.suffix not in (".onnx", ".pb", ".keras", ".h5", ".hdf5", ".pt2") or not path.is_file():
        return b""
    if path.suffix == ".keras" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json") if "config.json" in archive.namelist() else b""
    if path.suffix == ".pt2" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".json"))
    return path.read_bytes()


def _words(source: object) -> str:
    """Class names of a Keras model's layers, ops of a graph, or classes of a PyTorch module's parts."""
    module = source[0] if isinstance(source, tuple) and source else source
    if callable(parts := getattr(module, "modules", None)):
        return " ".join(f"{type(part).__module__}.{type(part).__name__}" for part in parts())
    layers = getattr(source, "layers", None)
    if isinstance(layers, list):
        return " ".join(type(layer).__name__ for layer in layers)
    graph = getattr(module, "graph", None)
    if (calls := getattr(graph, "nodes", None)) is not None:
        return " ".join(str(node.target) for node in calls)
    nodes = getattr(graph, "node", None)
    return " ".join(node.op_type for node in nodes) if nodes is not None else ""
