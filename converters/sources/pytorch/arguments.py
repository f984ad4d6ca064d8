"""Arguments of a call with their tensors taken out: what is nested has flat names, what is no tensor stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Leaf:
    """Where a tensor was."""

    name: str


@dataclass(frozen=True)
class Arguments:
    """Positional and keyword arguments; tensors in them, also in tuples, lists and dicts, are :class:`Leaf`."""

    positional: tuple[Any, ...]
    keyword: Mapping[str, Any]

    def leaves(self, positional: tuple[Any, ...], keyword: Mapping[str, Any]) -> dict[str, Any]:
        """The tensors of a call of this form, by name, in its order."""
        import torch

        pairs = [*zip(self.positional, positional, strict=True), *((self.keyword[n], v) for n, v in keyword.items())]
        found = (pair for template, value in pairs for pair in _leaves(template, value))
        return {name: torch.as_tensor(value) for name, value in found}

    def filled(self, tensors: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """A call of this form with other tensors."""
        return [_filled(a, tensors) for a in self.positional], {n: _filled(a, tensors) for n, a in self.keyword.items()}


def template(name: str, value: Any) -> Any:
    """An argument with a :class:`Leaf` for each tensor: ``name``, or ``name_key`` and ``name_0`` where it is nested."""
    if isinstance(value, Mapping):
        return {key: template(f"{name}_{key}", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        made = [template(f"{name}_{i}", inner) for i, inner in enumerate(value)]
        return made if isinstance(value, list) else _like(value, made)
    return Leaf(name) if hasattr(value, "__array__") else value


def _like(value: tuple[Any, ...], items: list[Any]) -> Any:
    """A tuple, or the named tuple that it was."""
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def _leaves(form: Any, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(form, Leaf):
        yield form.name, value
    elif isinstance(form, Mapping):
        for key, inner in form.items():
            yield from _leaves(inner, value[key])
    elif isinstance(form, list | tuple):
        for inner, part in zip(form, value, strict=True):
            yield from _leaves(inner, part)


def _filled(form: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(form, Leaf):
        return tensors[form.name]
    if isinstance(form, Mapping):
        return {key: _filled(inner, tensors) for key, inner in form.items()}
    if isinstance(form, list):
        return [_filled(inner, tensors) for inner in form]
    return _like(form, [_filled(inner, tensors) for inner in form]) if isinstance(form, tuple) else form
