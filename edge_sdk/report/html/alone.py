"""What ops and modules cost at the outputs, each alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.report.html.markup import Data, code, decibels, folded, paragraph, plural, short, table

_WORST = 10
_BEST_DB = 100.0
_WORDS = (
    "SQNR of the outputs when one op alone is rounded as in the candidate and all else stays in float; emulated, on a "
    "few samples, for the ops that add most noise."
)


def losses_alone(details: Data) -> Iterator[str]:
    """The ten worst results, the rest on demand, and the modules; nothing where one at a time was not rounded."""
    rows = [row for row in details["tensors"] if row.get("alone_db") is not None]
    if not rows:
        return
    yield paragraph(_WORDS)
    yield _results(rows[:_WORST])
    if rest := rows[_WORST:]:
        yield folded(plural(len(rest), "more result"), _results(rest))
    if modules := details.get("modules", ()):
        body = ((code(short(one["module"])), one["ops"], _level(one["alone_db"])) for one in modules)
        yield table(("module of the source", "ops", "alone"), body)


def _results(rows: Sequence[Data]) -> str:
    body = (
        (
            row["op_index"],
            row["op"],
            code(short(row["tensor"])),
            code(short(row["module"])),
            decibels(row["sqnr_db"] + row["loss_db"]),
            decibels(row["sqnr_db"]),
            _level(row["alone_db"]),
        )
        for row in rows
    )
    return table(("#", "op", "result", "module of the source", "operands", "result is", "alone"), body, words=(1, 2, 3))


def _level(loss: float) -> str:
    return "exact" if loss >= _BEST_DB else decibels(loss)
