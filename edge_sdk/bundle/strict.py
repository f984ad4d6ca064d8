"""Strict reading of JSON into frozen dataclasses with nothing but the standard library.

``edge_sdk.records`` does the same with cattrs for profiles and recipes; on a device its import alone takes longer than
opening a bundle, and the runtime imports numpy and one engine, nothing else. A reader is made once for each type, so
that a manifest is read in a fraction of the time that its model takes.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from edge_sdk.errors import nearest

T = TypeVar("T")
Reader = Callable[[Any], Any]


class StrictError(ValueError):
    """What is wrong and where: ``path`` leads to it, keys and places from the inside out."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str | int] = []

    def under(self, step: str | int) -> StrictError:
        """The same, one level further out."""
        self.path.append(step)
        return self

    def __str__(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(self.path))
        where = "".join(steps).lstrip(".")
        return f"{where}: {self.what}" if where else self.what


def load(data: bytes | memoryview) -> Any:
    """JSON in UTF-8, without doubled keys and without what JSON has no word for.

    Raises:
        StrictError: not JSON, a key twice, NaN or an infinity, or nested without end.
    """
    try:
        text = str(data, "utf-8")
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise StrictError(f"not well-formed JSON: {str(error) or type(error).__name__}") from error


def read(kind: type[T], value: Any) -> T:
    """A value of the type, with nothing converted but a whole number to a float.

    Args:
        kind: a dataclass whose module does not postpone its annotations, or what fields are made of: ``str``, ``int``,
            ``float``, ``bool``, ``Any``, ``Literal``, ``X | None``, ``tuple[X, ...]``, ``Mapping[str, X]``, a union of
            dataclasses told apart by their field ``op``.
        value: what :func:`load` gave.

    Raises:
        StrictError: the first fault, with its path.
    """
    reader: Reader = _reader(kind)  # type: ignore[arg-type] # a class can be hashed
    made: T = reader(value)
    return made


def dump(value: Any) -> bytes:
    """The one form in which records are written: keys sorted, one blank of indent, a newline at the end."""
    return (json.dumps(plain(value), indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n").encode()


def plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(f"a key is there twice among {sorted(key for key, _ in pairs)}")
    return made


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond a double")
    return value


@cache
def _reader(kind: Any) -> Reader:
    if kind is Any:
        return lambda value: value
    if is_dataclass(kind):
        return _record(kind)
    return _of_origin(get_origin(kind), get_args(kind)) or (_number if kind is float else _exactly(kind))


def _of_origin(origin: Any, parts: tuple[Any, ...]) -> Reader | None:
    """For a type made of others; None for a plain one."""
    if origin in (Union, types.UnionType):
        return _union(parts)
    if origin is tuple:
        return _tuple(_reader(parts[0]))
    if origin is Literal:
        return _literal(parts)
    return _mapping(_reader(parts[1])) if isinstance(origin, type) and issubclass(origin, Mapping) else None


def _exactly(kind: type[Any]) -> Reader:
    def read_one(value: Any) -> Any:
        if type(value) is not kind:
            raise StrictError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return read_one


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is not int:
        raise StrictError(f"expected a number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError as error:
        raise StrictError("the number is beyond a double") from error


def _literal(allowed: tuple[Any, ...]) -> Reader:
    def read_one(value: Any) -> Any:
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise StrictError(f"expected one of {', '.join(map(str, allowed))}, got {str(value)[:80]!r}")
        return value

    return read_one


def _tuple(reader: Reader) -> Reader:
    of_list = _exactly(list)

    def read_one(value: Any) -> Any:
        return tuple(_each(enumerate(of_list(value)), reader))

    return read_one


def _mapping(reader: Reader) -> Reader:
    of_dict = _exactly(dict)

    def read_one(value: Any) -> Any:
        return types.MappingProxyType(dict(zip(of_dict(value), _each(value.items(), reader), strict=True)))

    return read_one


def _each(items: Iterable[tuple[Any, Any]], reader: Reader) -> list[Any]:
    made = []
    for place, item in items:
        try:
            made.append(reader(item))
        except StrictError as error:
            raise error.under(place) from None
    return made


def _union(kinds: tuple[Any, ...]) -> Reader:
    rest = [kind for kind in kinds if kind is not types.NoneType]
    inner = _reader(rest[0]) if len(rest) == 1 else _tagged(rest)
    if len(rest) == len(kinds):
        return inner
    return lambda value: None if value is None else inner(value)


def _tagged(kinds: list[Any]) -> Reader:
    """Dataclasses told apart by the one word that their field ``op`` may be."""
    tags = {get_args(next(f.type for f in fields(kind) if f.name == "op"))[0]: _reader(kind) for kind in kinds}
    of_dict, of_tag = _exactly(dict), _literal(tuple(tags))

    def read_one(value: Any) -> Any:
        try:
            tag = of_tag(of_dict(value).get("op"))
        except StrictError as error:
            raise error.under("op") from None
        return tags[tag](value)

    return read_one


def _record(kind: Any) -> Reader:
    hints: dict[str, Any] = {field.name: field.type for field in fields(kind)}
    readers = {name: _reader(hint) for name, hint in hints.items()}
    of_dict = _exactly(dict)

    def read_one(value: Any) -> Any:
        if of_dict(value).keys() != readers.keys():
            raise _other_keys(value, readers)
        return kind(*_each_field(value, readers))

    return read_one


def _each_field(value: dict[str, Any], readers: dict[str, Reader]) -> list[Any]:
    made = []
    for name, reader in readers.items():
        try:
            made.append(reader(value[name]))
        except StrictError as error:
            raise error.under(name) from None
    return made


def _other_keys(value: dict[str, Any], readers: dict[str, Reader]) -> StrictError:
    for key in value:
        if key not in readers:
            return StrictError(f"unknown key{nearest(key[:80], readers)}").under(key[:80])
    return StrictError("missing").under(next(name for name in readers if name not in value))
