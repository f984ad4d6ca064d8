"""Recipes as TOML text that :func:`~edge_sdk.recipe.parse_recipe` reads back to the same recipe."""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from edge_sdk.recipe.reading import Recipe


def recipe_text(recipe: Recipe, *, comment: str = "") -> str:
    """The recipe as a file's content: what differs from a plain recipe, tables last.

    Args:
        recipe: what to write, its name included.
        comment: lines for the top.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    return "\n".join([*lines, *_table(recipe, "")]) + "\n"


def _table(value: Any, path: str) -> list[str]:
    plain, tables = [], []
    for field in fields(value):
        held = getattr(value, field.name)
        if held is None or (held == _default(field) and path not in {"weights", "activations"}):
            continue
        if is_dataclass(held):
            name = f"{path}.{field.name}" if path else field.name
            inner = _table(held, name)
            tables += ["", f"[{name}]", *inner]
        else:
            plain.append(f"{field.name} = {_written(held)}")
    return [*plain, *tables]


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _written(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(one) for one in value)}]"
    # TOML's basic strings, integers, floats and booleans are written as JSON's are, but for DEL.
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")
