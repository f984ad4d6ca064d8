"""What tuning did, as it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge_sdk.converters.quantize.tuning.budget import Ended
from edge_sdk.converters.quantize.tuning.learning import Learning


@dataclass(frozen=True)
class Tuning:
    """What tuning did.

    Attributes:
        layers: with int8 weights of their own.
        rounded: those whose weights were rounded anew.
        too_wide: left as they were, with more weights to a result than are worth the time.
        samples: of calibration data that layers were rounded on.
        held_out: of calibration data that the sqnr was taken on.
        sqnr_db: of the outputs against the float file's, before and after, on those held out.
        kept: whether a tuned file was taken: not where none is surely nearer.
        learned: what learning the whole file did; None where it was left out.
        not_learned: why it was; empty where it was not.
        ended: in what time, and how far each stage came.
    """

    layers: int
    rounded: int
    too_wide: int
    samples: int
    held_out: int
    sqnr_db: tuple[float, float]
    kept: bool
    ended: Ended
    learned: Learning | None = None
    not_learned: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {
            "sqnr_db": list(self.sqnr_db),
            "learned": self.learned.as_json() if self.learned else None,
            "ended": self.ended.as_json(),
        }
