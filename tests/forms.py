"""What commands print, held against its published form: JSON Schema, by the validator of that name."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import click

from edge_sdk.cli.results import schema_of
from edge_sdk.cli.screen import command_of


def check_form(command: str, told: Any, *, closed: bool = False) -> None:
    """Fails where an object is not in the form of the command's results and failures.

    Args:
        command: its words.
        told: the object, as read from JSON.
        closed: keys that the form does not name are faults too.
    """
    # Here, since environments without the extra `dev` import this module too.
    from jsonschema.exceptions import best_match

    error = best_match(_validator(command, closed=closed).iter_errors(told))
    assert error is None, f"edge-sdk {command} --json: {error.json_path}: {error.message[:400]}"


def check_printed(told: dict[str, Any], *, closed: bool = False) -> None:
    """The same of what the command that now runs is about to print; NaN and infinities are no JSON."""
    text = json.dumps(told, default=str, allow_nan=False)
    check_form(command_of(click.get_current_context()), json.loads(text), closed=closed)


@cache
def _validator(command: str, *, closed: bool) -> Any:
    from jsonschema import Draft202012Validator

    schema = schema_of(command)
    if closed:
        for definition in schema["$defs"].values():
            definition.setdefault("additionalProperties", False)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
