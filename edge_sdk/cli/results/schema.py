"""JSON Schema (draft 2020-12) of a type: dataclasses and TypedDicts, with what their docstrings say of each key."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from edge_sdk.cli.results.changes import CHANGES, FORWARD, INLINED, LEFT_OUT, NAMES, SPARSE, Optional

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", Path: "string", type(None): "null"}


class Schemas:
    """Makes schemas that share their definitions.

    Attributes:
        definitions: by the name of the type, to lie in ``$defs``.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self._names: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type; of a record a reference to its definition.

        Raises:
            TypeError: a kind of type that JSON has no form for.
        """
        if is_dataclass(kind) or is_typeddict(kind):
            return {"$ref": f"#/$defs/{self._defined(kind)}"}
        if kind in _SIMPLE:
            return {"type": _SIMPLE[kind]}
        if kind in (Any, object):
            return {}
        return self._composed(kind, get_origin(kind), get_args(kind))

    def _composed(self, kind: Any, origin: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
        if origin is Annotated:
            return {**self.of(arguments[0]), "description": arguments[1]}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return _any_of([self.of(one) for one in arguments])
        if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
            row = [self.of(one) for one in arguments]
            return {"type": "array", "prefixItems": row, "minItems": len(row), "maxItems": len(row)}
        if inspect.isclass(origin) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(arguments[0])}
        if inspect.isclass(origin) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        raise TypeError(f"{kind}: no form in JSON is known for it")

    def _defined(self, record: Any) -> str:
        name: str = NAMES.get(record, record.__name__)
        if self._names.setdefault(name, record) is not record:
            raise TypeError(f"{record}: another record of the result is called {name}; give it a name in NAMES")
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._record(record)
        return name

    def _record(self, record: Any) -> dict[str, Any]:
        summary, said = told(record)
        hints, optional = keys_of(record)
        properties = {key: self.of(hint) for key, hint in hints.items()}
        for key, text in said.items():
            if key in properties:
                properties[key].setdefault("description", text)
        return {
            "type": "object",
            "description": summary,
            "properties": properties,
            "required": [key for key in hints if key not in optional],
        }


def keys_of(record: Any) -> tuple[dict[str, Any], set[str]]:
    """Keys of a record's JSON with their types, and those that may be absent.

    They are its fields, but for what its ``as_json`` adds, names anew or leaves out.
    """
    hints = get_type_hints(record, localns=FORWARD, include_extras=True)
    optional = set(getattr(record, "__optional_keys__", ()))
    if is_dataclass(record):
        hints = {field.name: hints[field.name] for field in fields(record)}
        if record.__module__ in SPARSE:
            optional = {key for key, hint in hints.items() if type(None) in get_args(hint)}
    for name in INLINED.get(record, ()):
        inner, absent = keys_of(hints.pop(name))
        hints, optional = {**hints, **inner}, optional | absent
    for key, hint in CHANGES.get(record, {}).items():
        if isinstance(hint, Optional):
            optional.add(key)
        hints[key] = hint.kind if isinstance(hint, Optional) else hint
    return {key: hint for key, hint in hints.items() if hint is not LEFT_OUT}, optional


def told(record: Any) -> tuple[str, dict[str, str]]:
    """What a docstring says: of the record, and of each of its keys."""
    summary, _, attributes = (inspect.getdoc(record) or "").partition("Attributes:")
    found = re.split(r"^ {4}(\w+): ", attributes, flags=re.MULTILINE)
    said = {name: " ".join(text.split()) for name, text in zip(found[1::2], found[2::2], strict=True)}
    return " ".join(summary.split()), said


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Simple types as a list of names, which is how people read it."""
    if all(set(one) == {"type"} for one in schemas):
        return {"type": [one["type"] for one in schemas]}
    return {"anyOf": schemas}
