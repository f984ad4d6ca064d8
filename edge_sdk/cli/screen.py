"""What every command shares: ``--json``, ``--quiet``, progress, and the one place where an error becomes a code."""

from __future__ import annotations

import functools
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.colour import echo
from edge_sdk.cli.ending import Ended, heard
from edge_sdk.cli.grouping import GroupedCommand
from edge_sdk.cli.noise import log_path
from edge_sdk.cli.took import Took
from edge_sdk.errors import (
    AccuracyError,
    EdgeSdkError,
    MissingDependencyError,
    NothingPlacedError,
    SlowError,
    ToolError,
)
from edge_sdk.files import finished
from edge_sdk.folders import cache_folder
from edge_sdk.owners import is_folder_name

OK, FAILED, UNFIT, INTERRUPTED = 0, 1, 3, 130
# As a shell reports a signal.
SIGNALLED = 128


class Screen:
    """Where a command writes: its result to stdout, all else to stderr."""

    def __init__(self, *, as_json: bool, quiet: bool, took: Took | None = None) -> None:
        self.as_json = as_json
        self._quiet = quiet
        self._begin = time.monotonic()
        self._took = took
        self._worked = False
        self._bar: Any = None
        self._shown = 0
        self._stage = ""
        self.kept = ""
        """What is said of files where a command is ended in the middle; empty: what was written by then is named."""

    def result(self, data: dict[str, Any], text: str) -> None:
        """The command's result: JSON or text."""
        self.done()
        if self.as_json:
            click.echo(json.dumps(data, indent=2, default=str))
        else:
            echo(text)

    def say(self, text: str) -> None:
        """A remark on stderr, unless quiet."""
        if not self._quiet:
            self._close_bar()
            echo(text, err=True)

    def stage(self, name: str) -> None:
        """Progress: a stage begins; before the first of a long command, how long all will take."""
        self._close_bar()
        if self._took is not None and not self._worked:
            self.say(self._took.line())
        self._worked = True
        self._stage = name
        if not self._quiet:
            click.echo(f"[{time.monotonic() - self._begin:6.1f} s] {name}", err=True)

    def count(self, done: int, total: int | None) -> None:
        """Progress: a bar within the stage, on a terminal."""
        if self._quiet or not total or not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label="           ", show_pos=True, file=sys.stderr)
            self._bar.__enter__()
            self._shown = 0
        self._bar.update(done - self._shown)
        self._shown = done

    def done(self) -> None:
        """Progress: no more to come."""
        self._close_bar()

    def well_done(self) -> None:
        """The command came to its end; what it took is kept where it worked at all."""
        if self._took is not None and self._worked:
            self._took.keep()

    def error(self, error: EdgeSdkError) -> None:
        """One ``error:`` line and one ``hint:`` line; with ``--json`` the same as an object on stdout."""
        self._close_bar()
        echo(f"error: {_one_line(str(error))}", err=True)
        if error.hint:
            echo(f"hint: {_one_line(error.hint)}{_size_of(error)}", err=True)
        log = log_path() if self.as_json or not self._quiet else None
        if log is not None and not self._quiet:
            click.echo(f"what tools printed: {log}", err=True)
        if isinstance(error, ToolError) and error.log_tail and not self._quiet:
            click.echo("the tool's last lines:", err=True)
            click.echo("\n".join(f"  | {line}" for line in error.log_tail.splitlines()), err=True)
        if self.as_json:
            told = error.as_json() | ({"log": str(log)} if log else {})
            click.echo(json.dumps(told, indent=2, default=str))

    def last_words(self, ended_by: BaseException) -> int:
        """Says what ended the command: an error, a signal or Ctrl-C; its exit code."""
        if isinstance(ended_by, EdgeSdkError):
            self.error(ended_by)
            # Wrong is a failure; right and too inaccurate, slow, or without the NPU, was checked and found not to fit.
            return UNFIT if isinstance(ended_by, AccuracyError | NothingPlacedError | SlowError) else FAILED
        if isinstance(ended_by, Ended):
            self._ended("Terminated", f"ended by {ended_by.signal.name}; {self._left()}")
            return SIGNALLED + ended_by.signal
        self._ended("Interrupted", str(ended_by) or f"interrupted; {self._left()}")
        return INTERRUPTED

    def _left(self) -> str:
        """What a command says of its files; where it says nothing, those that were finished by then."""
        if self.kept:
            return self.kept
        # What is cached, or in a folder of ours that goes, is nobody's result.
        ours = cache_folder("")
        there = [path for path in finished() if path.is_file() and not _is_ours(path, ours)]
        return f"written by then: {', '.join(map(str, there))}" if there else "nothing was written"

    def _ended(self, how: str, message: str) -> None:
        """Told that the command was ended from outside; with ``--json`` as an object too."""
        self._close_bar()
        echo(message, err=True)
        if self.as_json:
            click.echo(json.dumps({"error": how, "message": message, "hint": None}, indent=2))

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def command(*, long: bool = False, **settings: Any) -> Callable[[Callable[..., int | None]], click.Command]:
    """A click command whose function takes a :class:`Screen` first and returns an exit code (None for 0).

    Args:
        long: it may take minutes, so that it says at first what it took the last time.
        settings: click's.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @functools.wraps(function)
        def guarded(*, as_json: bool, quiet: bool, **arguments: Any) -> None:
            screen = Screen(as_json=as_json, quiet=quiet, took=Took(click.get_current_context()) if long else None)
            _refuse_nan(arguments)
            try:
                with heard(screen.last_words):
                    code = function(screen, **arguments)
                    screen.well_done()
            except (EdgeSdkError, Ended, KeyboardInterrupt) as error:
                code = screen.last_words(error)
            sys.exit(code or OK)

        guarded = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")(guarded)
        guarded = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(guarded)
        made: click.Command = click.command(cls=GroupedCommand, **settings)(_schema_option(guarded))
        return made

    return decorate


def _refuse_nan(arguments: Mapping[str, Any]) -> None:
    """Click's ranges let it pass, for it is neither below nor above."""
    for parameter in click.get_current_context().command.params:
        value = arguments.get(parameter.name or "")
        if isinstance(value, float) and math.isnan(value):
            raise click.UsageError(f"{parameter.opts[0]}: expected a number, got nan")


def _schema_option(function: Callable[..., Any]) -> Callable[..., Any]:
    def show(context: click.Context, _: click.Parameter, asked: bool) -> None:
        if not asked:
            return
        from edge_sdk.cli.results import schema_of

        click.echo(json.dumps(schema_of(command_of(context)), indent=2))
        context.exit()

    settings: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False, "callback": show}
    text = "Print the JSON Schema of that object, and end."
    return click.option("--json-schema", "json_schema", help=text, **settings)(function)


def command_of(context: click.Context) -> str:
    """The words of the command that runs, without the program's name."""
    return " ".join(context.command_path.split(" ")[1:])


def _size_of(error: EdgeSdkError) -> str:
    """How large what is to be installed is, where that was measured."""
    if not isinstance(error, MissingDependencyError):
        return ""
    from edge_sdk.doctor import added_text

    size = added_text(error.extra)
    return f" (adds {size} on disk)" if size else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_ours(path: Path, cache: Path) -> bool:
    return path.is_relative_to(cache) or any(is_folder_name(part) for part in path.parts)
