"""The published JSON Schema of profile files; ``python -m edge_sdk.profile.schema`` writes it from the records."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from edge_sdk.profile.records import Device, Soc

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
FILES: dict[str, type[Any]] = {"schema.json": Device, "socs/schema.json": Soc}
"""Published file, relative to the profiles' folder, to what it describes."""


def json_schema(record: type[Any]) -> dict[str, Any]:
    """The schema (draft 2020-12) of one record's files."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": record.__name__}
    return schema | _of(record)


def schema_text(record: type[Any]) -> str:
    """The schema as it is published."""
    return json.dumps(json_schema(record), indent=2) + "\n"


def _of(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _of_record(kind)
    if kind in _SIMPLE or kind is Any:
        return {"type": _SIMPLE[kind]} if kind in _SIMPLE else {}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is Mapping or origin is typing.get_origin(Mapping[str, str]):
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    present = [argument for argument in arguments if argument is not type(None)]
    # TOML has no null: what may be None may be left out.
    return _of(present[0])


def _of_record(record: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(record)
    required = [f.name for f in fields(record) if f.default is MISSING and f.default_factory is MISSING]
    return {
        "type": "object",
        "description": " ".join((record.__doc__ or "").split()),
        "properties": {name: _of(hint) for name, hint in hints.items()},
        "required": required,
        "additionalProperties": False,
    }


if __name__ == "__main__":
    for name, record in FILES.items():
        Path("device_profiles", name).write_text(schema_text(record), encoding="utf-8")
