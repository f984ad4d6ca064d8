"""``--on``: a command's own command line, rebuilt for the device that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edge_sdk.devices.link import Lines
from edge_sdk.devices.remote import Pushed

Word = str | Pushed


def options_there(context: click.Context, *, files: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> list[Word]:
    """The options that the user gave, as words of a command line.

    Args:
        context: of the command.
        files: names of parameters whose value is a path to be pushed.
        without: names of parameters that stay here.
    """
    words: list[Word] = ["--quiet"] if context.params.get("quiet") else []
    stay = {*without, "on", "as_json", "quiet"}
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if isinstance(parameter, click.Option) and given and name not in stay:
            words += _words(parameter, context.params[name], pushed=name in files)
    return words


def telling(say: Callable[[str], None], address: str) -> Lines:
    """Lines from a device, with its address before each."""
    return lambda line: say(f"{address}: {line}")


def one_device(on: tuple[str, ...]) -> str:
    """The only address of ``--on``; none is the empty string, and so is ``local``."""
    if len(on) > 1:
        raise click.UsageError("this takes one --on; `edge-sdk benchmark` takes several")
    return on[0] if on and on[0] != "local" else ""


def _words(option: click.Option, value: Any, *, pushed: bool) -> Iterator[Word]:
    if option.is_flag:
        yield (option.opts if value else option.secondary_opts or option.opts)[0]
        return
    for one in value if option.multiple else (value,):
        yield option.opts[0]
        yield Pushed(Path(one)) if pushed else _text(one)


def _text(value: Any) -> str:
    return ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def check_movable(parameters: Mapping[str, Any]) -> None:
    """What a device is to use is there, or can be brought there: a profile of edge-sdk's own, data in files."""
    if ".py:" in (parameters.get("data") or ""):
        raise click.UsageError("with --on, --input is a file or a folder: a function of yours does not run there")
    profile = parameters.get("profile")
    if profile and Path(profile).suffix == ".toml":
        raise click.UsageError(f"--profile {profile}: with --on it must be the ID of a built-in one")
