"""Which page a result gets, told by the keys that only its command writes."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge_sdk.errors import EdgeSdkError
from edge_sdk.files import write_bytes
from edge_sdk.report.html.diff import diff_page
from edge_sdk.report.html.markup import Data
from edge_sdk.report.html.page import Page

_HERE = "edge_sdk.report.html"
KINDS: MappingProxyType[str, tuple[frozenset[str], str]] = MappingProxyType(
    {
        "conversion": (frozenset({"recipe", "parity", "attempts"}), f"{_HERE}.conversion:conversion_page"),
        "conversions": (frozenset({"conversions"}), f"{_HERE}.conversion:conversion_page"),
        "refused conversion": (frozenset({"error", "report", "message"}), f"{_HERE}.conversion:refused_page"),
        "benchmark": (frozenset({"results", "environment_info"}), f"{_HERE}.benchmark:benchmark_page"),
        "optimization": (frozenset({"points", "objective", "chosen"}), f"{_HERE}.optimization:optimization_page"),
        "sweep": (frozenset({"schema", "rows"}), f"{_HERE}.sweep:sweep_page"),
        "check": (frozenset({"profile", "delegates", "memory", "runtimes"}), f"{_HERE}.check:check_page"),
        "check of a bundle": (frozenset({"bundle", "profile", "variants"}), f"{_HERE}.check:bundle_check_page"),
        "comparison": (frozenset({"reference", "candidate", "outputs"}), f"{_HERE}.comparison:comparison_page"),
    }
)
"""Kind of result to the keys that tell it, and its page; the first that fits is taken."""


def page_of(data: Data, name: str = "the result") -> Page:
    """The page of a command's JSON.

    Raises:
        EdgeSdkError: it is no result of a command that has a page, or of another version of edge-sdk.
    """
    for keys, reference in KINDS.values():
        if keys <= data.keys() and data.get("report", data) is not None:
            make: Callable[[Data], Page] = pkgutil.resolve_name(reference)
            with whole(name):
                return make(data)
    if "error" in data and "message" in data:
        raise EdgeSdkError(f"{name}: tells of a failure and no more: {data['message']}", hint=data.get("hint"))
    raise EdgeSdkError(
        f"{name}: no result that a page is made of",
        hint=f"what a command writes with --json: {', '.join(KINDS)}",
    )


def page_of_both(before: Data, after: Data, names: tuple[str, str]) -> Page:
    """What changed from one result to another of the same kind.

    Raises:
        EdgeSdkError: see :func:`page_of`; or they have nothing in common.
    """
    for data, name in zip((before, after), names, strict=True):
        page_of(data, name)
    with whole(" and ".join(names)):
        return diff_page(before, after, names)


@contextmanager
def whole(name: str) -> Iterator[None]:
    """Makes one error of whatever a result that is not whole leads to."""
    try:
        yield
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"not as it was written: {error}"
        raise EdgeSdkError(
            f"{name}: not whole: {what}", hint="make it again with this edge-sdk: the command with --json"
        ) from error


def read_result(path: Path) -> dict[str, Any]:
    """A command's JSON from a file.

    Raises:
        EdgeSdkError: there is no such file, or it is no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgeSdkError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise EdgeSdkError(f"{path}: no JSON: {error}", hint="write it with --json > FILE.json") from error
    if not isinstance(data, dict):
        raise EdgeSdkError(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data


def write_page(data: Data, path: Path) -> None:
    """Writes the page of a result, whole or not at all; the same bytes for the same result.

    Args:
        data: as a command's ``as_json`` gives it; it is taken through JSON, as ``edge-sdk report`` would read it.
        path: the page.

    Raises:
        EdgeSdkError: see :func:`page_of`.
        OutputError: it cannot be written.
    """
    plain = json.loads(json.dumps(data, default=str))
    write_bytes(path, page_of(plain).html().encode())
