"""How many of the rows that a suppression keeps are found again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class KeptRows:
    """Over all samples.

    Attributes:
        wanted: rows of the reference that count.
        found: those of them that the candidate has.
        got: rows of the candidate that count.
        back: those of them that the reference has.
    """

    wanted: int = 0
    found: int = 0
    got: int = 0
    back: int = 0

    def __add__(self, other: KeptRows) -> KeptRows:
        return KeptRows(
            self.wanted + other.wanted, self.found + other.found, self.got + other.got, self.back + other.back
        )

    @property
    def share(self) -> float:
        """Harmonic mean of the shares that are found on either side (F1); 1 where neither side keeps any."""
        if not self.wanted and not self.got:
            return 1.0
        recall = self.found / self.wanted if self.wanted else 0.0
        precision = self.back / self.got if self.got else 0.0
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.found} of {self.wanted} kept rows found again, {self.got - self.back} others"
