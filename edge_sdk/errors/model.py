"""The model, or what it is fed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edge_sdk.errors.base import EdgeSdkError


class ModelError(EdgeSdkError):
    """The model cannot be read, converted or run."""


class UnsupportedOpError(ModelError):
    """The model holds ops that the target format has no form for.

    Args:
        message: what cannot be converted.
        ops: one ``(op type, node name, reason)`` for every op, in graph order.
        hint: the next thing to try.
        final: no other way to lower has a form for them either.
    """

    def __init__(
        self,
        message: str,
        *,
        ops: Iterable[tuple[str, str, str]] = (),
        hint: str | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.ops = tuple(tuple(op) for op in ops)
        self.final = final

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "ops": [list(op) for op in self.ops], "final": self.final}


class SignatureError(ModelError):
    """An input is missing, misnamed, or of another shape or dtype than the signature says."""


class UntrustedSourceError(ModelError):
    """Loading the file could run code that it carries, and the user has not said to trust it."""


class CalibrationError(EdgeSdkError):
    """Calibration or evaluation data is absent, unreadable, or does not match the signature."""
