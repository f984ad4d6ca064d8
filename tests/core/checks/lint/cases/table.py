"""Where the cases of all rules are kept."""

from __future__ import annotations

from collections.abc import Callable

CASES: dict[str, tuple[Callable[[], bytes], Callable[[], bytes]]] = {}
"""Rule to a file with the mistake and one without."""


def case(rule: str) -> Callable[[Callable[..., bytes]], Callable[..., bytes]]:
    """A function of one truth value: whether the file has the mistake."""

    def keep(build: Callable[..., bytes]) -> Callable[..., bytes]:
        CASES[rule] = (lambda: build(True), lambda: build(False))
        return build

    return keep
