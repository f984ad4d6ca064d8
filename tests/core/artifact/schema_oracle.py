"""Reads the TFLite schema's facts out of the accessor module that ai-edge-litert ships.

The tests compare ``edge_sdk/artifact/tflite.schema`` with it. After a schema grows, write the new facts with

    python tests/core/artifact/schema_oracle.py path/to/ai_edge_litert/schema_py_generated.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_SCALARS = {
    "Bool": "bool",
    "Int8": "int8",
    "Uint8": "uint8",
    "Int16": "int16",
    "Uint16": "uint16",
    "Int32": "int32",
    "Uint32": "uint32",
    "Int64": "int64",
    "Uint64": "uint64",
    "Float32": "float32",
    "Float64": "float64",
}
_UNIONS = {
    ("Operator", "builtin_options"): "BuiltinOptions",
    ("Operator", "builtin_options_2"): "BuiltinOptions2",
    ("QuantizationParameters", "details"): "QuantizationDetails",
    ("DimensionMetadata", "array_segments"): "SparseIndexVector",
    ("DimensionMetadata", "array_indices"): "SparseIndexVector",
}


def schema_lines(source: str) -> list[str]:
    """The lines of a ``.schema`` file: unions and enums first, then tables with fields in slot order."""
    classes = dict(re.findall(r"^class (\w+)\(object\):\n(.*?)(?=^class |^def |\Z)", source, re.DOTALL | re.MULTILINE))
    lines = []
    for name, body in classes.items():
        members = re.findall(r"^    (\w+) = (-?\d+)$", body, re.MULTILINE)
        if members:
            lines.append(f"enum {name} " + " ".join(f"{value}={key}" for key, value in members))
    for name, body in classes.items():
        if "self._tab.Offset" in body or f"def {name}Start" in source:
            if name.endswith("T") and name[:-1] in classes:
                continue
            fields = _fields(name, body)
            lines.append(" ".join(("table", name, *fields)))
    return lines


def _fields(table: str, body: str) -> list[str]:
    slots: dict[int, str] = {}
    for method, text in re.findall(r"    def (\w+)\(self(?:, j)?\):\n(.*?)(?=\n    # |\n    def |\Z)", body, re.DOTALL):
        offset = re.search(r"self\._tab\.Offset\((\d+)\)", text)
        if offset is None or method.endswith(("AsNumpy", "Length", "IsNone")):
            continue
        slots[(int(offset[1]) - 4) // 2] = _field(table, _snake(method), text)
    count = max(slots, default=-1) + 1
    return [slots.get(index, f"slot_{index}:deprecated") for index in range(count)]


def _field(table: str, name: str, text: str) -> str:
    if (table, name) in _UNIONS:
        return f"{name}:union:{_UNIONS[table, name]}"
    kind = _kind(text)
    default = re.search(r"\n        return ([-\w.]+)\s*$", text)
    if default and kind in _SCALARS.values() and default[1] not in ("0", "0.0", "False"):
        return f"{name}:{kind}={default[1]}"
    return f"{name}:{kind}"


def _kind(text: str) -> str:
    vector = "self._tab.Vector(" in text
    if made := re.search(r"obj = (\w+)\(\)", text):
        kind = made[1]
    elif "self._tab.String(" in text:
        kind = "string"
    else:
        flags = re.search(r"number_types\.(\w+)Flags, (?:o|a) \+", text)
        assert flags is not None, text
        kind = _SCALARS[flags[1]]
    return f"[{kind}]" if vector else kind


def _snake(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Z])", "_", name)
    return spaced.lower().replace("int_16", "int16")


if __name__ == "__main__":
    print("\n".join(schema_lines(Path(sys.argv[1]).read_text())))
