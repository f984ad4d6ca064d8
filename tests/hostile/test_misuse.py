"""Whatever is handed to a public function, only our own errors leave it, or Python's for misuse of Python.

Walks ``edge_sdk.__all__`` and the commands as they are: what is new is walked without being named here.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

import edge_sdk
from edge_sdk import EdgeSdkError
from edge_sdk.cli import cli
from tests.graphs import conv_model

CALLABLES = [
    name
    for name in edge_sdk.__all__
    if callable(getattr(edge_sdk, name)) and not typing.is_typeddict(getattr(edge_sdk, name))
]
# A right path is not misuse, and one that is no model of a framework is for its own tests: a worker is asked.
_FILES: dict[str, bytes] = {
    "cut.tflite": conv_model()[:300],
    "empty.tflite": b"",
    "damaged.edge": b"PK\x05\x06" + bytes(18),
    "damaged.npz": b"PK\x03\x04garbage",
    "no.json": b"\xff\xfe{",
    "no.toml": b"\xff = 3",
}
_FOLDERS = ("folder.tflite", "folder.edge", "folder.toml")
_TEXTS = ("", "\0", "a\udcffb", "no such", "raspberry-pi-4", "x" * 5000)
# One odd value each, for they start workers or read with an engine at every call.
_SLOW = frozenset({"benchmark", "compare", "convert", "optimize"})
# What takes nothing by which it could be misused, or builds an APK however odd its name is.
_LEFT_OUT = frozenset({"android build", "demo", "doctor"})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in _FILES.items():
        (tmp_path / name).write_bytes(content)
    for name in _FOLDERS:
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def odd() -> Iterator[Any]:
    """What a public function may be handed by mistake."""
    yield from (None, -1, float("nan"), 10**30, object(), type)
    yield from ([], [object()], {"x": object()}, b"\xff\xfe", np.array(["a", "b"]), np.zeros((2, 0)))
    yield from _TEXTS
    yield from map(Path, (*_FILES, *_FOLDERS))


def is_allowed(error: BaseException) -> bool:
    """Ours, or what Python itself says of a wrong type, or of a path that no path can be."""
    return isinstance(error, EdgeSdkError | TypeError) or "null byte" in str(error)


def told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def raised(function: Any, given: Sequence[Any], options: dict[str, Any]) -> Exception | None:
    """What a call, and what it gives piece by piece, ends with."""
    try:
        result = function(*given, **options)
        if inspect.isgenerator(result):
            list(result)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", CALLABLES)
def test_odd_arguments(place: Path, name: str) -> None:
    function = getattr(edge_sdk, name)
    taken = inspect.signature(function).parameters.values()
    needed = [p for p in taken if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    options = {p.name: "no such" for p in taken if p.default is p.empty and p.kind == p.KEYWORD_ONLY}
    broken = [
        f"{name}({value!r}): {told(error)}"
        for value in odd()
        if (error := raised(function, [value] * len(needed), options)) is not None and not is_allowed(error)
    ]
    assert broken == []


@pytest.mark.parametrize("name", CALLABLES)
def test_misspelt_options(place: Path, name: str) -> None:
    """Never taken in silence."""
    function = getattr(edge_sdk, name)
    taken = inspect.signature(function).parameters.values()
    needed = [p for p in taken if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    error = raised(function, ["cut.tflite"] * len(needed), {"no_such_option": 1})
    assert isinstance(error, EdgeSdkError | TypeError)


def commands(group: click.Command = cli, words: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(group, click.Group):
        yield tuple(words), group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command, (*words, name))


COMMANDS = [(words, command) for words, command in commands() if " ".join(words) not in _LEFT_OUT]
_VALUES = ("", "no such", "a\udcffb", "nan", "1e400", "9" * 30, "damaged.edge", "no.toml", "folder.edge", "{", "ssh://")


def line(words: Sequence[str], command: click.Command, odd_one: click.Parameter, value: str) -> list[str]:
    """The command with what it needs, and one parameter of an odd value."""
    given: list[str] = []
    for parameter in command.params:
        if not parameter.required and parameter is not odd_one:
            continue
        content = value if parameter is odd_one else "made" if parameter.name == "output" else "cut.tflite"
        if isinstance(parameter, click.Argument):
            given.append(content)
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            given.append(parameter.opts[0])
        else:
            given += [parameter.opts[0], *[content] * max(1, parameter.nargs)]
    return [*words, *given]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(words, command, id=" ".join(words), marks=[pytest.mark.slow] if words[0] in _SLOW else [])
        for words, command in COMMANDS
    ],
)
def test_odd_options_of_a_command(place: Path, words: Sequence[str], command: click.Command) -> None:
    for parameter in command.params:
        flag = isinstance(parameter, click.Option) and parameter.is_flag
        for value in _VALUES[:1] if flag else _VALUES[2:3] if words[0] in _SLOW else _VALUES:
            given = line(words, command, parameter, value)
            done = CliRunner().invoke(cli, given)
            assert done.exception is None or isinstance(done.exception, SystemExit), f"{given}: {told(done.exception)}"
            assert done.exit_code in (0, 1, 2, 3), f"{given}: {done.exit_code}"
            assert done.exit_code == 0 or done.output, given
