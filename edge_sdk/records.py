"""Strict reading of a table (from TOML or JSON) into a frozen dataclass: every error at once, each with its path.

cattrs does the work; what is added here is no coercion, ``did you mean``, and messages in the user's terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from cattrs import Converter, transform_error
from cattrs.errors import ClassValidationError
from cattrs.v import format_exception

from edge_sdk.errors import nearest

T = TypeVar("T")


class RecordError(ValueError):
    """A table does not fit its record. ``problems`` holds one line for each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_record(kind: type[T], table: Mapping[str, Any]) -> T:
    """The table as a value of the dataclass ``kind``.

    Raises:
        RecordError: unknown keys (with the nearest), missing keys, wrong types, values outside the allowed ones.
    """
    try:
        return _converter().structure(dict(table), kind)
    except ClassValidationError as error:
        lines = transform_error(error, path="", format_exception=_format)
        raise RecordError([_in_words(line, kind) for line in lines]) from error


@cache
def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True)
    for exact in (int, str, bool):
        made.register_structure_hook(exact, _exactly(exact))
    made.register_structure_hook(float, _number)
    return made


def _exactly(kind: type[Any]) -> Any:
    def check(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, got {value!r}")
        return value

    return check


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def _format(error: BaseException, kind: Any) -> str:
    """Our own hooks' words, which say what was got; cattrs' for all else."""
    return str(error) if isinstance(error, TypeError) else format_exception(error, kind)


def _in_words(line: str, kind: type[Any]) -> str:
    message, _, path = line.rpartition(" @ ")
    path = path.lstrip("$.") or "the top level"
    if extra := re.fullmatch(r"extra fields found \((.*)\)", message):
        known = _keys_at(kind, path)
        return "; ".join(
            f"{path}: unknown key `{name.strip()}`{nearest(name.strip(), known)}" for name in extra[1].split(",")
        )
    if literal := re.search(r"\((.*) not in literal typing\.Literal\[(.*)\]", message):
        return f"{path}: `{literal[1]}` is not one of {literal[2]}"
    return f"{path}: {message}"


def _keys_at(kind: Any, path: str) -> list[str]:
    """Field names of the dataclass that a path leads to."""
    for step in [] if path == "the top level" else re.findall(r"[^.\[\]]+", path):
        kind = next(_dataclasses_in(kind, step), None)
    return [field.name for field in fields(kind)] if is_dataclass(kind) else []


def _dataclasses_in(kind: Any, step: str) -> Iterator[Any]:
    import typing

    hints = typing.get_type_hints(kind) if is_dataclass(kind) else {}
    return _dataclasses_of(hints.get(step, kind))


def _dataclasses_of(kind: Any) -> Iterator[Any]:
    """Those that a type is made of: ``Mapping[str, tuple[Form, ...]]`` holds ``Form``."""
    if get_origin(kind):
        for part in get_args(kind):
            yield from _dataclasses_of(part)
    elif is_dataclass(kind):
        yield kind
