"""Files that are almost right: one to four changes to a file's tree, or to the bytes of its offsets and lengths."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.schema import Field, schema
from edge_sdk.artifact.tree import pack_tree, parse_tree

_LIMITS = {"bool": (0, 1), "float32": (-3.4e38, 3.4e38), "float64": (-1e308, 1e308)} | {
    f"{sign}int{bits}": ((0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
_NUMBERS = (0, 1, -1, 2, 3, 4, 7, 8, 127, 255, 256, 65535, 65536, 1 << 28, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
_FLOATS = (0.0, -1.0, 1e-45, 1e38, -1e38, float("inf"), float("-inf"), float("nan"), 0.5)
_STRINGS = ("", "\udcff\udcfe", "x" * 5000, "../../etc", "a\0b", "serving_default", "état")
_DEEPEST = 6


def mutant(base: bytes, seed: int) -> bytes:
    """A file with a few faults; the same for the same seed."""
    generator = np.random.default_rng(seed)
    if generator.random() < 0.3:
        return _bytes_changed(base, generator)
    root, _ = parse_tree(base)
    for _ in range(int(generator.integers(1, 5))):
        _change(root, generator)
    try:
        return pack_tree(root)
    except (struct.error, OverflowError, TypeError, ValueError, AttributeError):
        # What cannot be written cannot be read either.
        return _bytes_changed(base, generator)


def _bytes_changed(base: bytes, generator: np.random.Generator) -> bytes:
    """Offsets, lengths and field tables are words of two or four bytes; strings and the end of the file likewise."""
    data = bytearray(base)
    for _ in range(int(generator.integers(1, 4))):
        place = 4 * int(generator.integers(0, len(data) // 4))
        form, number = [("<I", 0), ("<H", 0), ("<B", 0)][int(generator.integers(0, 3))][0], _pick(_NUMBERS, generator)
        size = struct.calcsize(form)
        if generator.random() < 0.5:
            number = int.from_bytes(data[place : place + size], "little") + int(generator.integers(-64, 65))
        struct.pack_into(form, data, place, number % (1 << 8 * size))
    return bytes(data[: int(generator.integers(0, len(data)))]) if generator.random() < 0.1 else bytes(data)


def _change(root: Node, generator: np.random.Generator) -> None:
    nodes = list(_nodes(root, 0))
    node = _pick(nodes, generator)
    field = _pick(schema().tables[node.kind], generator) if schema().tables[node.kind] else None
    if field is None or field.kind == "deprecated":
        return
    value = getattr(node, field.name)
    if field.vector:
        setattr(node, field.name, _vector(value, field, generator, nodes))
    elif field.kind in _LIMITS:
        setattr(node, field.name, _number(field.kind, generator))
    elif field.kind == "string":
        setattr(node, field.name, _pick((None, *_STRINGS), generator))
    elif field.kind != "union":
        setattr(node, field.name, _pick((None, new_node(schema(), field.kind)), generator))
    else:
        _swap_options(node, field, generator)


def _swap_options(node: Node, field: Field, generator: np.random.Generator) -> None:
    number, kind = _pick(list(schema().enums[field.union].items()), generator)
    setattr(node, f"{field.name}_type", number)
    setattr(node, field.name, new_node(schema(), kind) if kind in schema().tables else None)


def _vector(value: Any, field: Field, generator: np.random.Generator, nodes: list[Node]) -> Any:
    items = [] if value is None else list(value)
    changes: tuple[Callable[[], Any], ...] = (
        lambda: None,
        list,
        lambda: items[:-1],
        lambda: items[1:] + items[:1],
        lambda: items + items[:1],
        lambda: items * int(generator.integers(2, 5)),
        lambda: _one_changed(items, field, generator, nodes),
        lambda: _one_changed(items, field, generator, nodes),
        lambda: _one_changed(items, field, generator, nodes),
    )
    return _pick(changes, generator)()


def _one_changed(items: list[Any], field: Field, generator: np.random.Generator, nodes: list[Node]) -> list[Any]:
    place = int(generator.integers(0, len(items))) if items else 0
    if field.kind in _LIMITS:
        small = generator.random() < 0.4
        made = int(generator.integers(0, 20)) if small else _number(field.kind, generator)
    elif field.kind == "string":
        made = _pick(_STRINGS, generator)
    else:
        made = _pick([node for node in nodes if node.kind == field.kind] or [new_node(schema(), field.kind)], generator)
    return [*items[:place], made, *items[place + 1 :]]


def _number(kind: str, generator: np.random.Generator) -> Any:
    if kind.startswith("float"):
        return _pick(_FLOATS, generator)
    low, high = _LIMITS[kind]
    return bool(generator.random() < 0.5) if kind == "bool" else int(min(max(_pick(_NUMBERS, generator), low), high))


def _nodes(node: Node, depth: int) -> Iterator[Node]:
    yield node
    for value in vars(node).values():
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, Node) and depth < _DEEPEST:
                yield from _nodes(child, depth + 1)


def _pick(choices: Any, generator: np.random.Generator) -> Any:
    return choices[int(generator.integers(0, len(choices)))]
