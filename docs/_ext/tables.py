"""What is read as data: TOML of recipes and profiles from their records, all devices."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from escaping import cell

from edge_sdk.converters.search.sweep import plan
from edge_sdk.profile.reading import find_profile, profile_names
from edge_sdk.profile.records import Device, Soc
from edge_sdk.recipe import Recipe, find_recipe, recipe_names

ROOT = Path(__file__).parents[2]
_NOT_IN_FILES = {"name": {Recipe}}


def recipe_page() -> str:
    """Keys of a recipe, and the built-in ones as they are."""
    head = (
        "# Recipe TOML\n\nWritten from the records that read it; an unknown key is an error that names the nearest.\n"
    )
    parts = [head, "## Keys\n", *_record(Recipe, "", 3), "## Built-in recipes\n"]
    for name in recipe_names():
        recipe = find_recipe(name)
        text = (ROOT / "converters" / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        short = ", ".join(f"`{one}`" for one in recipe.short_names)
        parts.append(f"### {name}\n\n{'Short: ' + short if short else 'No short name.'}\n\n```toml\n{text}```\n")
    return "\n".join(parts)


def profile_page() -> str:
    """Keys of a device and of a chip."""
    head = (
        "# Profile TOML\n\nWritten from the records that read it. Every table of numbers has an entry in `sources`.\n"
    )
    chip = "## The chip: `socs/ID.toml`\n"
    return "\n".join([head, "## The device: `ID.toml`\n", *_record(Device, "", 3), chip, *_record(Soc, "", 3)])


def plan_page() -> str:
    """Keys of the plan of a sweep, and its example."""
    described = inspect.getdoc(plan) or ""
    example = textwrap.dedent(described.split("::\n", 1)[1].split("\n\nPaths")[0].strip("\n"))
    head = (
        "# Sweep TOML\n\nWritten from the records that read it; paths are relative to the file. what is left out does "
        "not multiply.\n"
    )
    return "\n".join([head, f"```toml\n{example}\n```\n", "## Keys\n", *_record(plan.Plan, "", 3)])


def devices_page() -> str:
    """All devices that come along."""
    rows = []
    for name in profile_names():
        profile = find_profile(name)
        ways = ", ".join(f"{one.rules} ({one.accelerator})" for one in profile.device.delegates)
        rows.append(f"| `{name}` | {profile.device.name} | {profile.soc.name} | {ways} |")
    head = "# Devices\n\n`edge-sdk profiles show ID` has the numbers, each with its source.\n"
    return "\n".join([head, "| id | device | chip | delegates, in order |", "|---|---|---|---|", *rows, ""])


def _record(record: Any, table: str, level: int) -> Iterator[str]:
    """A table of the keys of a dataclass, then those of the dataclasses in it."""
    doc = inspect.getdoc(record) or ""
    summary, _, attributes = doc.partition("Attributes:")
    if table:
        yield f"{'#' * level} `[{table}]`\n"
    yield f"{cell(summary)}\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    said, inner = _said(attributes), []
    hints = typing.get_type_hints(record)
    for field in dataclasses.fields(record):
        if record in _NOT_IN_FILES.get(field.name, ()):
            continue
        hint = hints[field.name]
        found = _dataclass_in(hint)
        if found:
            inner.append((f"{table}.{field.name}".lstrip("."), found))
        kind = "table" if found else _type(hint)
        yield f"| `{field.name}` | {kind} | {_default(field)} | {cell(said.get(field.name, ''))} |"
    yield ""
    for name, one in inner:
        yield from _record(one, name, level)


def _said(attributes: str) -> dict[str, str]:
    found = re.split(r"^ {4}(\w+): ", attributes, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(found[1::2], found[2::2], strict=True)}


def _dataclass_in(hint: Any) -> Any:
    for one in (hint, *typing.get_args(hint)):
        if dataclasses.is_dataclass(one):
            return one
    return None


def _type(hint: Any) -> str:
    arguments = [one for one in typing.get_args(hint) if one not in (type(None), Ellipsis)]
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is not None and issubclass(origin if isinstance(origin, type) else type, Mapping):
        return f"table of {_type(arguments[1])}"
    if arguments:
        return " or ".join(map(_type, arguments))
    return str(getattr(hint, "__name__", hint))


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "empty"
    if field.default is dataclasses.MISSING:
        return "required"
    if field.default in (None, (), ""):
        return "left out" if field.default is None else "empty"
    return "see below" if dataclasses.is_dataclass(field.default) else f"`{field.default}`"
