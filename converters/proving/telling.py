"""What a comparison of outputs has to say beside its figures."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.findings import Finding
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.verdict import KEPT_DB
from edge_sdk.recipe import Recipe

# Fewer may well be of one class.
_ROWS = 8
# Every file of 4 bits that was measured below it won by tuning or, with few samples to round by, lost nothing.
_POOR_DB = 20.0


def findings_of(rows: Sequence[OutputParity], *, drawn: bool) -> list[Finding]:
    """What the comparison itself could not tell, or had to count as equal, and what few samples decide.

    Args:
        rows: of the outputs.
        drawn: whether the samples were made up by a seed.
    """
    odd = [
        Finding(
            "source-not-finite",
            "warning",
            f"{row.not_finite} values of the source are NaN or infinite over {row.samples} samples; where the file "
            "has the same they count as equal",
            f"output `{row.name}`",
            "look for NaN in weights and inputs, and for logarithms and divisions by zero",
        )
        for row in rows
        if row.not_finite
    ]
    odd += other_orders(rows)
    odd += few_carriers(rows)
    odd += faint_answers(rows, drawn=drawn)
    return odd + [
        Finding(
            "parity-no-power",
            "warning",
            f"changes by only {row.relative_variation:.1e} of its size between samples: agreement proves nothing",
            f"output `{row.name}`",
            "compare a trained model on real data (--data)",
        )
        for row in rows
        if not row.has_power
    ]


def untuned(rows: Sequence[OutputParity], recipe: Recipe) -> list[Finding]:
    """Outputs that weights of 4 bits leave poor where they were rounded to the nearest, which is not the best way."""
    if recipe.weights.dtype != "int4" or recipe.tune:
        return []
    return [
        Finding(
            "int4-untuned",
            "info",
            f"has {row.sqnr_db:.1f} dB with weights rounded to the nearest of 15 values",
            f"output `{row.name}`",
            "--tune with --calibration rounds them so that errors cancel, in minutes",
        )
        for row in rows
        if row.has_power and row.sqnr_db < _POOR_DB
    ]


def other_orders(rows: Sequence[OutputParity]) -> list[Finding]:
    """Outputs of a sort whose rows were put in the reference's order before they were compared."""
    return [
        Finding(
            "rows-in-another-order",
            "info",
            f"{row.ranks.moved} of {row.ranks.rows} rows stand in another place than the source's, beside rows of the "
            f"same score within the bound, and {row.ranks.others} at the cut-off, or kept by a suppression among equal "
            "scores, are others of that score: each other row was compared with the one that it is",
            f"output `{row.name}`",
            "look at scores that differ: on data with something to find few rows are so near each other (--data)",
        )
        for row in rows
        if row.ranks
    ]


def faint_answers(rows: Sequence[OutputParity], *, drawn: bool) -> list[Finding]:
    """Outputs whose agreement is that of what all samples share, that are tiny, or that name one class for each."""
    where = "the samples were drawn by a seed: " if drawn else ""
    remedy = f"{where}give real ones with --data" if drawn else "give samples that the model answers to, with --data"
    found = []
    for row in rows:
        if row.is_faint:
            what = f"of what differs between samples ({row.relative_variation:.1%} of its size) the file keeps "
            what += f"{row.varied_db or 0:.0f} dB, though {row.sqnr_db:.0f} dB of the whole: agreement tells little"
            found.append(Finding("faint-answers", "warning", what, f"output `{row.name}`", remedy))
        if row.is_drowned:
            what = f"float rounding may move it by {row.rounding_share or 0:.0%} of its largest value "
            what += f"({row.max_abs_reference:.2g}): it agrees to {row.sqnr_db:.0f} dB, and that tells little"
            found.append(Finding("faint-answers", "warning", what, f"output `{row.name}`", remedy))
        if row.winners == 1 and row.rows >= _ROWS and row.has_power:
            what = f"all {row.rows} rows of the source have the same best class: top-1 agreement tells nothing"
            found.append(Finding("one-class", "info", what, f"output `{row.name}`", remedy))
    return found


def few_carriers(rows: Sequence[OutputParity]) -> list[Finding]:
    """Outputs whose rounding costs accuracy on a few samples above all; not of those that are all but equal anyway."""
    found = []
    for row in rows:
        few = row.carriers
        if few is None or row.sqnr_db >= KEPT_DB or (row.bound and row.bound.kind != "sqnr_db"):
            continue
        listing = ", ".join(map(str, few.samples))
        others = "the others are equal" if few.sqnr_db is None else f"the others have {few.sqnr_db:.1f} dB"
        found.append(
            Finding(
                "few-samples-lose",
                "warning",
                f"{few.share:.0%} of the error is in {len(few.samples)} of {row.samples} samples ({listing}): {others}",
                f"output `{row.name}`",
                "look at these samples; where they are usual in use, calibrate on more of their kind",
            )
        )
    return found
