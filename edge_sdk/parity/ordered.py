"""Outputs that are sorted by score, held to their bounds once more with each row beside the one that it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.parity.ranking import Ranks, in_order_of
from edge_sdk.signature import Arrays

Pairs = Callable[[], Iterable[tuple[Arrays, Arrays]]]
Report = Callable[[ParityMeter], tuple[OutputParity, ...]]


@dataclass(frozen=True)
class SecondLook:
    """What it takes to compare outputs once more in the order of the reference's rows.

    Attributes:
        ranked: outputs that are sorted by score, see :func:`~edge_sdk.parity.ranking.ranked_outputs`.
        pairs: gives both sides' outputs again, sample by sample.
        boxes: output to a form of boxes, from the user.
        classes: output to the axis of its classes, likewise.
        suppressed: those of ``ranked`` that are rows which a suppression keeps.
    """

    ranked: Collection[str]
    pairs: Pairs
    boxes: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    suppressed: Collection[str] = frozenset()

    def held(self, meter: ParityMeter, report: Report) -> tuple[OutputParity, ...]:
        """What ``report`` says of the outputs as they are, or with rows of equal scores in the reference's order.

        Rows are looked at only where a sorted output is beyond its absolute bound, and kept in another order only where
        that explains all such outputs; what is wrong is reported as it came.
        """
        rows = report(meter)
        of_size = {row.name: row.bound.value for row in rows if row.bound and row.bound.kind == "max_abs_error"}
        bounds = {name: value for name, value in of_size.items() if name in self.ranked}
        beyond = {row.name for row in rows if row.name in bounds and not row.ok}
        tables = self._tables(bounds, beyond) if beyond else None
        return rows if tables is None else self._reported(tables, report)

    def _reported(self, tables: Sequence[_Table], report: Report) -> tuple[OutputParity, ...]:
        meter, ranks = ParityMeter({}, {}, self.boxes, self.classes), dict[str, Ranks]()
        for wanted, got in self.pairs():
            mended = dict(got)
            for table in tables:
                values, found = table.in_order(wanted, got) or ({}, Ranks())
                mended |= values
                ranks |= {name: ranks.get(name, Ranks()) + found for name in values}
            meter.add(wanted, mended)
        return tuple(replace(row, ranks=ranks.get(row.name)) for row in report(meter))

    def _tables(self, bounds: Mapping[str, float], beyond: Collection[str]) -> list[_Table] | None:
        """Those that explain all outputs beyond their bounds by the order of their rows; None where none do."""
        shapes = {name: values.shape for wanted, _ in self.pairs() for name, values in wanted.items() if name in bounds}
        found: list[_Table] = []
        left, free = set(beyond), set(bounds)
        every = {rows: None for shape in shapes.values() for rows in (shape[:-1], shape) if rows and rows[-1] > 1}
        for rows in sorted(every, key=lambda r: -sum(r in (shape[:-1], shape) for shape in shapes.values())):
            names = [name for name in bounds if name in free and rows in (shapes[name][:-1], shapes[name])]
            suppressed = all(name in self.suppressed for name in names)
            table = _Table(rows, {name: bounds[name] for name in names}, suppressed)
            if left.intersection(names) and all(table.in_order(*pair) is not None for pair in self.pairs()):
                found.append(table)
                left.difference_update(names)
                free.difference_update(names)
        return None if left else found


@dataclass(frozen=True)
class _Table:
    """Outputs that are columns of the same rows: boxes of ``[1, 300, 4]``, scores of ``[1, 300]``."""

    rows: tuple[int, ...]
    bounds: Mapping[str, float]
    suppressed: bool

    def in_order(self, wanted: Arrays, got: Arrays) -> tuple[Arrays, Ranks] | None:
        return in_order_of(wanted, got, self.bounds, self.rows, suppressed=self.suppressed)
