"""What all errors share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class EdgeSdkError(Exception):
    """Base of all expected failures.

    Args:
        message: what failed, where, what was expected and what was found; one line, lower case.
        hint: the next thing to try, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def as_json(self) -> dict[str, Any]:
        """The error as plain data: class name, message, hint, and what a subclass adds."""
        return {"error": type(self).__name__, "message": str(self), "hint": self.hint}


def nearest(word: str, known: Iterable[str]) -> str:
    """``, did you mean `x`?`` for the closest known word, or an empty string."""
    import difflib  # only where something is wrong

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f", did you mean `{close[0]}`?" if close else ""
