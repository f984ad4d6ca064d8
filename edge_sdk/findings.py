"""A finding: one thing a user should know, with the rule that saw it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """``rule`` is a stable kebab-case id; ``where`` names the input, op or file; ``hint`` says what to do."""

    rule: str
    severity: Severity
    message: str
    where: str = ""
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.severity}: {where}{self.message}{hint} [{self.rule}]"


def has_error(findings: Iterable[Finding]) -> bool:
    """Whether one of them is an error."""
    return any(finding.severity == "error" for finding in findings)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once: errors, then warnings, then what is good to know."""
    order = {"error": 0, "warning": 1, "info": 2}
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order[finding.severity]))
