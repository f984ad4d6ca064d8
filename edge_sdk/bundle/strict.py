"""Strict reading of JSON into frozen dataclasses with nothing but the standard library.

``edge_sdk.records`` does the same with cattrs for profiles and recipes; on a device its import alone takes longer than
opening a bundle, and the runtime imports numpy and one engine, nothing else.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from edge_sdk.errors import nearest

T = TypeVar("T")


class StrictError(ValueError):
    """What is wrong and where."""


def load(data: bytes | memoryview) -> Any:
    """JSON in UTF-8, without doubled keys and without what JSON has no word for.

    Raises:
        StrictError: not JSON, a key twice, NaN or an infinity, or nested without end.
    """
    try:
        return json.loads(
            bytes(data).decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise StrictError(f"not well-formed JSON: {str(error) or type(error).__name__}") from error


def read(kind: type[T], value: Any, where: str = "") -> T:
    """A value of the type, with nothing converted but a whole number to a float.

    Args:
        kind: a dataclass, or what its fields are made of: ``str``, ``int``, ``float``, ``bool``, ``Literal``, ``X |
            None``, ``tuple[X, ...]``, ``Mapping[str, X]``, a union of dataclasses told apart by their field ``op``.
        value: what :func:`load` gave.
        where: path of the value, for messages.

    Raises:
        StrictError: the first fault, with its path.
    """
    made: T = _read(kind, value, where)
    return made


def dump(value: Any) -> bytes:
    """The one form in which records are written: keys sorted, two blanks of indent, a newline at the end."""
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


def _read(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _record(kind, value, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(get_args(kind), value, where)
    if origin is tuple:
        items = _of(list, value, where)
        return tuple(_read(get_args(kind)[0], item, f"{where}[{place}]") for place, item in enumerate(items))
    if origin is not None and issubclass_of_mapping(origin):
        items = _of(dict, value, where)
        return types.MappingProxyType({k: _read(get_args(kind)[1], v, f"{where}.{k}") for k, v in items.items()})
    if origin is Literal:
        return _literal(get_args(kind), value, where)
    return float(_of((int, float), value, where)) if kind is float else _of(kind, value, where)


def issubclass_of_mapping(origin: Any) -> bool:
    """Whether a generic's origin is a mapping."""
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _of(kind: Any, value: Any, where: str) -> Any:
    allowed = kind if isinstance(kind, tuple) else (kind,)
    if type(value) not in allowed:
        words = " or ".join(one.__name__ for one in allowed)
        raise StrictError(f"{where or 'the top level'}: expected {words}, got {type(value).__name__}")
    return value


def _literal(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise StrictError(f"{where}: expected one of {', '.join(map(str, allowed))}, got {str(value)[:80]!r}")
    return value


def _union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    rest = [kind for kind in kinds if kind is not types.NoneType]
    if len(rest) == 1:
        return _read(rest[0], value, where)
    tags = {get_args(_hints(kind)["op"])[0]: kind for kind in rest}
    tag = _of(dict, value, where).get("op")
    return _read(tags[_literal(tuple(tags), tag, f"{where}.op")], value, where)


def _record(kind: Any, value: Any, where: str) -> Any:
    hints = _hints(kind)
    table = _of(dict, value, where)
    prefix = f"{where}." if where else ""
    for key in table:
        if key not in hints:
            raise StrictError(f"{prefix}{key[:80]}: unknown key{nearest(key[:80], hints)}")
    for key in hints:
        if key not in table:
            raise StrictError(f"{prefix}{key}: missing")
    return kind(**{key: _read(hint, table[key], f"{prefix}{key}") for key, hint in hints.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
