"""The metadata's schema as data, read from ``metadata.schema`` beside this file."""

from __future__ import annotations

from functools import cache
from importlib import resources

from edge_sdk.artifact.schema import Schema, parse_schema


@cache
def metadata_schema() -> Schema:
    """The schema, parsed once."""
    return parse_schema(resources.files(__package__).joinpath("metadata.schema").read_text(encoding="utf-8"))


def enum_value(enum: str, name: str) -> int:
    """The number behind a name of an enum or union."""
    return next(value for value, label in metadata_schema().enums[enum].items() if label == name)
