"""What all tables of README.md are written with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of a page."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def versions(result: dict[str, Any]) -> str:
    """What a result was measured on, and with."""
    if "machine" not in result:
        return "Not measured yet."
    machine = result["machine"]
    tools = ", ".join(f"{tool} {version}" for tool, version in result["versions"].items())
    return f"Measured on {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; {tools}."
