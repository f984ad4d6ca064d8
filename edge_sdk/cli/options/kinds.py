"""How the text of an option is read, and how a list of options becomes a decorator."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


_INPUT = re.compile(r"(?P<name>.+)=(?P<shape>\d+(?:[,x]\d+)*|)(?::(?P<dtype>\w+))?")


# Of edge_sdk.parity.boxes, which needs numpy: a command line is read without it.
_FORMS = ("corners", "centres", "none")
_TRUTH = {"true": 1.0, "false": 0.0}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smh]?)")


class InputShape(click.ParamType):  # type: ignore[type-arg] # generic since click 8.2 only
    """``NAME=1,224,224,3`` or ``NAME=1,16:int64``."""

    name = "NAME=SHAPE[:DTYPE]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, tuple[int, ...], str | None]:
        match = _INPUT.fullmatch(value)
        if match is None:
            self.fail(f"`{value}`: expected NAME=1,224,224,3 or NAME=1,16:int64", param, ctx)
        extents = [part for part in re.split("[,x]", match["shape"]) if part]
        return match["name"], tuple(int(extent) for extent in extents), match["dtype"]


class FixedInput(click.ParamType):  # type: ignore[type-arg]
    """``NAME=16000``, ``NAME=1,0,1`` or ``NAME=true``."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, tuple[float, ...]]:
        if isinstance(value, tuple):
            return value
        name, separator, text = value.rpartition("=")
        try:
            numbers = tuple(_number(part.strip().lower()) for part in text.split(","))
        except ValueError:
            numbers = ()
        if not separator or not name or not numbers:
            self.fail(f"`{value}`: expected NAME=16000, NAME=1,0,1 or NAME=true", param, ctx)
        return name, numbers


def _number(text: str) -> float:
    return _TRUTH[text] if text in _TRUTH else float(text)


class NamedFile(click.ParamType):  # type: ignore[type-arg]
    """``FILE``, or ``OUTPUT=FILE``."""

    name = "[OUTPUT=]FILE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, separator, file = value.partition("=")
        return (name, Path(file)) if separator else ("", Path(value))


class _OfOutput(click.ParamType):  # type: ignore[type-arg]
    """``OUTPUT=WORD``, of words that ``taken`` matches."""

    taken: str
    expected: str

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, _, word = value.rpartition("=")
        if not name or re.fullmatch(self.taken, word) is None:
            self.fail(f"`{value}`: expected {self.expected}", param, ctx)
        return name, word


class NamedForm(_OfOutput):
    """``OUTPUT=corners``, ``OUTPUT=centres`` or ``OUTPUT=none``."""

    name = "OUTPUT=FORM"
    taken = "|".join(_FORMS)
    expected = f"OUTPUT={', OUTPUT='.join(_FORMS)}"


class NamedAxis(_OfOutput):
    """``OUTPUT=1``, ``OUTPUT=-1`` or ``OUTPUT=none``."""

    name = "OUTPUT=AXIS"
    taken = r"none|-?\d+"
    expected = "OUTPUT=1, OUTPUT=-1 or OUTPUT=none"


class Threads(click.ParamType):  # type: ignore[type-arg]
    """``4``, or ``auto``."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        try:
            count = int(value)
        except ValueError:
            count = 0
        if count < 1:
            self.fail(f"`{value}`: expected a number above 0, or auto", param, ctx)
        return count


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """``0.485,0.456,0.406``; each may be a fraction such as 1/255."""

    name = "NUMBERS"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(_fraction(part) for part in value.split(","))
        except (ValueError, ZeroDivisionError):
            self.fail(f"`{value}`: expected numbers separated by commas", param, ctx)


class Duration(click.ParamType):  # type: ignore[type-arg]
    """``90s``, ``30m``, ``2h`` or plain seconds; the value is in seconds."""

    name = "TIME"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        match = _DURATION.fullmatch(value)
        if match is None or not float(match["number"]):
            self.fail(f"`{value}`: expected 90s, 30m or 2h", param, ctx)
        return float(match["number"]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match["unit"]]


def _fraction(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return float(numerator) / float(denominator or 1)


def apply(function: Callable[..., Any], *decorators: Decorator, group: str = "") -> Callable[..., Any]:
    """The function, with options in the order given; ``group`` is their heading in its help."""
    before = set(map(id, parameters_of(function)))
    for decorator in reversed(decorators):
        function = decorator(function)
    for parameter in parameters_of(function):
        if group and id(parameter) not in before and not hasattr(parameter, "group"):
            parameter.group = group
    return function


def parameters_of(function: Callable[..., Any]) -> Sequence[Any]:
    """What click's decorators have made so far; it keeps them there until the command is made."""
    return getattr(function, "__click_params__", ())
