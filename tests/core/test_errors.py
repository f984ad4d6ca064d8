"""The exception tree: drawn, whole, and able to cross a process boundary."""

from __future__ import annotations

import inspect

import pytest

from edge_sdk import errors
from edge_sdk.errors import (
    AccuracyError,
    ConversionError,
    EdgeSdkError,
    MissingDependencyError,
    ParityError,
    SlowError,
    UnsupportedOpError,
    error_from_json,
    nearest,
)

CLASSES = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, EdgeSdkError)]
SPECIAL = {
    MissingDependencyError: MissingDependencyError("torch", extra="torch", why="reading model.pt2"),
    UnsupportedOpError: UnsupportedOpError("2 ops", ops=[("Erf", "n", "why")], hint="replace them"),
    ConversionError: ConversionError("it failed", tool="onnx2tf", version="1", log_tail="last line", hint="try"),
    AccuracyError: AccuracyError("beyond", report={"parity": []}, hint="accept"),
    ParityError: ParityError("beyond", report={"parity": []}, hint="accept"),
    SlowError: SlowError("slow", ratio=38.1, hint="allow"),
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_error_crosses_a_process_boundary(kind: type[EdgeSdkError]) -> None:
    error = SPECIAL.get(kind) or kind("what, where", hint="do this")
    again = error_from_json(error.as_json())
    assert type(again) is kind
    assert again.as_json() == error.as_json()


def test_tree_in_the_docstring_names_every_class() -> None:
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in CLASSES if kind.__name__ not in drawn] == []


def test_missing_dependency_names_the_pip_command() -> None:
    error = MissingDependencyError("torch", extra="torch", why="reading model.pt2")
    assert str(error) == "reading model.pt2 needs torch, which is not installed"
    assert error.hint == "pip install 'edge-sdk[torch]'"


def test_nearest_says_nothing_when_nothing_is_near() -> None:
    assert nearest("int9", ["int8", "float"]) == ", did you mean `int8`?"
    assert nearest("zzz", ["int8"]) == ""
