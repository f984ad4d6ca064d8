"""The TFLite schema as data, read from ``tflite.schema`` beside this file."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType


@dataclass(frozen=True)
class Field:
    """One slot of a table.

    ``kind`` is a scalar type (``int32``), ``string``, a table name, ``union`` (then ``union`` names it; its type
    byte is the slot before) or ``deprecated``; ``vector`` says that the slot holds many of them.
    """

    name: str
    kind: str
    vector: bool = False
    default: float = 0
    union: str = ""


@dataclass(frozen=True)
class Schema:
    """Tables (fields in slot order), unions and enums (value to name)."""

    tables: MappingProxyType[str, tuple[Field, ...]]
    enums: MappingProxyType[str, MappingProxyType[int, str]]


@cache
def schema() -> Schema:
    """The schema, parsed once."""
    # Not importlib.resources, whose import takes longer than all of this.
    data = pkgutil.get_data("edge_sdk.artifact", "tflite.schema") or b""
    return parse_schema(data.decode())


def enum_value(enum: str, name: str) -> int:
    """The number behind a name of the schema's enum or union."""
    return next(value for value, label in schema().enums[enum].items() if label == name)


def parse_schema(text: str) -> Schema:
    """Parses ``.schema`` text.

    Raises:
        ValueError: a line is neither an enum, a table nor a comment.
    """
    tables: dict[str, tuple[Field, ...]] = {}
    enums: dict[str, MappingProxyType[int, str]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        form, name, *words = line.split(" ")
        if form == "table":
            tables[name] = tuple(_field(word) for word in words)
        elif form == "enum":
            pairs = (word.split("=") for word in words)
            enums[name] = MappingProxyType({int(value): label for value, label in pairs})
        else:
            raise ValueError(f"tflite.schema: expected `enum` or `table`, got `{line}`")
    return Schema(MappingProxyType(tables), MappingProxyType(enums))


def _field(word: str) -> Field:
    name, kind, *rest = word.split(":")
    if kind == "union":
        return Field(name, kind, union=rest[0])
    kind, _, default = kind.partition("=")
    if kind.startswith("["):
        return Field(name, kind[1:-1], vector=True)
    return Field(name, kind, default=_number(default))


def _number(text: str) -> float:
    if text == "True":
        return 1
    return (float(text) if "." in text else int(text)) if text else 0
