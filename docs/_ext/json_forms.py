"""What commands print under ``--json``: a table for each, and for each record that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from escaping import cell

from edge_sdk.cli.results import RESULTS, failure_schema, schema_of

_HEAD = """# JSON

With `--json` every command prints one JSON object on stdout, however it ends; all else goes to stderr.
`edge-sdk COMMAND --json-schema` prints the JSON Schema (draft 2020-12) of that object, failures included; this page is
written from the same. Keys may be added in later versions: programs pass over what they do not know.
"""
_REF = "#/$defs/"


def page() -> str:
    """Failures, commands in their order, then records by name."""
    found: dict[str, Mapping[str, Any]] = {}
    lines = [_HEAD, "## Failures\n", *_definition(failure_schema()), "## Commands\n"]
    for command in RESULTS:
        schema = schema_of(command)
        found |= schema["$defs"]
        forms = [_type(one) for one in schema["anyOf"][:-1]]
        lines.append(f"`{command}`\n: {' or '.join(forms)}\n")
    lines.append("## Records\n")
    for name in sorted(set(found) - {"Failure"}):
        lines += [f"### {name}\n", *_definition(found[name])]
    return "\n".join(lines)


def _definition(schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"{cell(schema['description'])}\n"
    yield "| key | type | meaning |\n|---|---|---|"
    for name, inner in schema["properties"].items():
        absent = "" if name in schema["required"] else "may be absent. "
        yield f"| `{name}` | {_type(inner)} | {absent}{cell(inner.get('description', ''))} |"
    yield ""


def _type(schema: Mapping[str, Any]) -> str:
    """In words; a record as a link to its table."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else _composed(schema, kind)


def _composed(schema: Mapping[str, Any], kind: str) -> str:
    if "prefixItems" in schema:
        return f"row of {', '.join(map(_type, schema['prefixItems']))}"
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and "additionalProperties" in schema:
        return f"table of {_type(schema['additionalProperties'])}"
    return kind
