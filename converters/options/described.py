"""``help(convert)`` tells every option: its type and what it means, as written where the options are."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from edge_sdk.converters.options.data import DataOptions
from edge_sdk.converters.options.recipe import RecipeOptions
from edge_sdk.converters.options.source import OpeningOptions
from edge_sdk.converters.options.training import TrainingOptions

PARTS: tuple[Any, ...] = (OpeningOptions, DataOptions, RecipeOptions, TrainingOptions)
"""What the options of a conversion are put together from; its own come last."""


class _LeftOut:
    """As in stubs: an option may be left out, and what then holds is told beside it."""

    def __repr__(self) -> str:
        return "..."


_LEFT_OUT = _LeftOut()
Function = TypeVar("Function", bound=Callable[..., Any])


def tells_options(options: Any) -> Callable[[Function], Function]:
    """A function that takes ``**options`` shows each of them in its signature and in its help."""

    def decorate(function: Function) -> Function:
        found = descriptions(options)
        own = [one for one in inspect.signature(function).parameters.values() if one.kind is not one.VAR_KEYWORD]
        kind = inspect.Parameter.KEYWORD_ONLY
        more = [inspect.Parameter(name, kind, default=_LEFT_OUT, annotation=said[0]) for name, said in found.items()]
        told = "\n".join(f"    {name}: {text}" for name, (_, text) in found.items())
        described: Any = function
        described.__signature__ = inspect.signature(function).replace(parameters=[*own, *more])
        described.__doc__ = f"{inspect.getdoc(function)}\n\nOptions:\n{told}\n"
        return function

    return decorate


@cache
def descriptions(options: Any) -> dict[str, tuple[str, str]]:
    """Option to its type and its text, in the order of the classes."""
    return {name: said for part in (*PARTS, options) for name, said in _of_class(part)}


def _of_class(part: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """A field and the string below it; a class has no such strings when it runs."""
    body = ast.parse(inspect.getsource(part)).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            yield field.target.id, (ast.unparse(field.annotation), " ".join(ast.literal_eval(text.value).split()))
