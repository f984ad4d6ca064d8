"""Outputs that hold what another one should."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.signature import Arrays

# An output below the first, beside another that is above the second in its place, was swapped with it; and so were two
# of which each is better in the other's place by the third, however much their precision costs.
_POOR_DB, _MATCHES_DB, _BETTER_DB = 10.0, 15.0, 3.0


def swapped_outputs(rows: Sequence[OutputParity], runs: Iterable[tuple[Arrays, Arrays]]) -> list[dict[str, Any]]:
    """Faults of kind ``output``, one for each output that another one matches far better.

    Args:
        rows: parity of each output with its namesake.
        runs: outputs of reference and candidate, run by run; read only where two outputs or more are poor.
    """
    poor = {row.name: row.sqnr_db for row in rows if row.sqnr_db < _POOR_DB}
    if len(poor) < 2:
        return []
    meters = {(one, other): ParityMeter() for one in poor for other in poor if one != other}
    for wanted, got in runs:
        for (one, other), meter in meters.items():
            if wanted[one].shape == got[other].shape:
                meter.add({one: wanted[one]}, {one: got[other]})
    crossed = {pair: row.sqnr_db for pair, meter in meters.items() for row in meter.report()}
    better = {(one, other) for (one, other), db in crossed.items() if db > max(0.0, poor[one] + _BETTER_DB)}
    pairs = [(one, o) for (one, o), db in crossed.items() if db > _MATCHES_DB or {(one, o), (o, one)} <= better]
    return [
        {"kind": "output", "output": one, "text": f"output `{other}` holds what output `{one}` should: swapped"}
        for one, other in pairs
    ]
