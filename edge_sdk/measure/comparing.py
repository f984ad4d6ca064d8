"""A/B: the first subject against each other, from medians of several sittings."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.measure.records import Comparison, Reason, Validity, Verdict
from edge_sdk.measure.statistics import ratio_of_sittings
from edge_sdk.measure.taking import Taken
from edge_sdk.measure.timed import Figure


def verdict_of(ratio: Figure, margin: float) -> Verdict:
    """What an interval says against a margin within which a difference does not matter.

    Args:
        ratio: the candidate's latency over the base's.
        margin: a share.
    """
    if ratio.low is None or ratio.high is None:
        return "undecided"
    if ratio.low > 1 + margin:
        return "slower"
    if ratio.high < 1 / (1 + margin):
        return "faster"
    if ratio.low >= 1 / (1 + margin) and ratio.high <= 1 + margin:
        return "equal"
    return "undecided"


def compare(
    ids: Sequence[str], taken: Sequence[Taken], margin: float, reasons: Sequence[Sequence[Reason]]
) -> tuple[Comparison, ...]:
    """Each subject against the first.

    Args:
        ids: of the subjects.
        taken: their samples, from the same sittings.
        margin: see :func:`verdict_of`.
        reasons: against each subject's own result; those against either are against the comparison.
    """
    return tuple(_one(ids, taken, margin, reasons, other) for other in range(1, len(ids)))


def undecided(taken: Sequence[Taken], margin: float) -> bool:
    """Whether more sittings would tell something."""
    base = taken[0].medians()
    return any(verdict_of(ratio_of_sittings(base, one.medians()), margin) == "undecided" for one in taken[1:])


def _one(
    ids: Sequence[str], taken: Sequence[Taken], margin: float, reasons: Sequence[Sequence[Reason]], other: int
) -> Comparison:
    base, candidate = taken[0].medians(), taken[other].medians()
    ratio = ratio_of_sittings(base, candidate)
    against = tuple(dict.fromkeys((*reasons[0], *reasons[other])))
    return Comparison(
        base=ids[0],
        candidate=ids[other],
        ratio=ratio,
        verdict=verdict_of(ratio, margin),
        margin=margin,
        sittings=len(base),
        validity=Validity(not against, against),
    )
