"""What a calibration table says of ops that are not in it: a fit of each kind, corrected by the small networks.

A kernel alone is timed with warm caches and its own run of the engine. What ops cost one after the other is learnt from
the networks of the table; how far such a sum is off, from those networks too, each predicted without its kind of block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge_sdk.checks.delegates.xnnpack.kernels import KERNELS, CpuKernels
from edge_sdk.checks.timing.amounts import Vector, amounts, place
from edge_sdk.checks.timing.fitting import KindFit, fit_kind, towards
from edge_sdk.checks.timing.streams import run_bytes, streams_of
from edge_sdk.checks.timing.table import Table, Timed
from edge_sdk.checks.timing.work import DEPTHWISE, PLAIN, PRODUCTS, Work
from edge_sdk.errors import MeasurementError

COVERAGE = 0.9
"""Of the intervals."""
Key = tuple[str, str, str]
_FEWEST_NETWORKS = 12
# A kind that was timed in one shape only says nothing about others.
_FEWEST_KERNELS = 2
_USUAL_ERROR = 0.05
# What the table's own networks, each predicted without its kind of block, came out nearest with.
# How far a group's times in a network may be from its kernels', what is behind products farther; overheads in us, the
# border in us a MB, and how much of its weights' longer way may be hidden behind arithmetic.
_GROUP, _BEHIND, _OVERHEAD, _BORDER, _STREAM = 0.1, 2.0, 0.5, 50.0, 0.5
_MB = 1e6
_OTHERS = 4
_BEHIND_PRODUCTS = " behind products"


@dataclass(frozen=True)
class Context:
    """What ops cost in a network.

    Attributes:
        factors: of a group of ops, its time there over the sum of its kernels'.
        op_us: added to each op of XNNPACK.
        plain_op_us: to each of the engine's own kernels.
        partition_us: to each row of ops beyond the first.
        border_us: to each byte that crosses.
        streamed: share of what weights and results cost more by their longer way that shows.
    """

    factors: Mapping[str, float]
    op_us: float
    plain_op_us: float
    partition_us: float
    border_us: float
    streamed: float


class Model:
    """A table's fits.

    Raises:
        MeasurementError: the table holds too few networks, or its kind of CPU is unknown.
    """

    def __init__(self, table: Table) -> None:
        if table.subject.kernels not in KERNELS:
            raise MeasurementError(
                f"kernels `{table.subject.kernels}` of the table are unknown: it is of a newer edge-sdk"
            )
        self.kernels: CpuKernels = KERNELS[table.subject.kernels]
        usable = [one for one in table.timed if not one.reasons]
        self.networks = [one for one in usable if one.is_network]
        if len(self.networks) < _FEWEST_NETWORKS:
            raise MeasurementError(
                f"the table holds {len(self.networks)} networks, expected {_FEWEST_NETWORKS} or more",
                hint="calibrate anew: edge-sdk devices calibrate",
            )
        self._singles = singles = [one for one in usable if not one.is_network and len(one.work) == 1]
        self.invoke_us = 0.9 * min(one.us for one in singles)
        self._streams = streams_of(usable, self.invoke_us)
        self._overheads = dict(self._cheapest(singles))
        self.kinds = dict(self._fitted(singles))
        self._alone_us: dict[Work, float] = {}
        self._contexts: dict[str, Context] = {}
        self.context = self._context(self.networks)

    def _fitted(self, singles: Sequence[Timed]) -> list[tuple[Key, KindFit]]:
        by_key: dict[Key, list[Timed]] = {}
        for one in singles:
            by_key.setdefault(one.work[0].key, []).append(one)
        return [(key, self._fit(listed)) for key, listed in by_key.items() if len(listed) >= _FEWEST_KERNELS]

    def _fit(self, listed: Sequence[Timed]) -> KindFit:
        numbers = np.array([amounts(one.work[0], self.kernels) for one in listed])
        places = np.array([place(one.work[0]) for one in listed])
        around = self.invoke_us + self._overheads[listed[0].work[0].place]
        times = np.array([max(one.us - around, 0.05 * one.us) for one in listed])
        return fit_kind(numbers, places, times)

    def _cheapest(self, singles: Sequence[Timed]) -> Iterator[tuple[str, float]]:
        """What any op of a place costs, whatever its kind: the least of all."""
        for place_of in {one.work[0].place for one in singles}:
            yield place_of, min(one.us for one in singles if one.work[0].place == place_of) - self.invoke_us

    def alone_us(self, work: Work) -> float | None:
        """Microseconds of an op by itself; None of a kind that was not timed."""
        kind = self.kinds.get(work.key)
        if kind is None:
            return None
        # The table's networks are asked again for each block that is held out.
        if work not in self._alone_us:
            self._alone_us[work] = self._once_us(kind, work)
        return self._alone_us[work]

    def _once_us(self, kind: KindFit, work: Work) -> float:
        return self._overheads[work.place] + kind.us(amounts(work, self.kernels), place(work))

    def overhead_us(self, place_of: str) -> float:
        """What any op of a place costs in a network."""
        more = self.context.plain_op_us if place_of == PLAIN else self.context.op_us
        return max(0.0, self._overheads.get(place_of, 0.0) + more)

    def op_us(self, work: Work, run: int, context: Context | None = None) -> float | None:
        """Microseconds of an op in a network, its weights' way included; None of a kind that was not timed.

        Args:
            work: of the op.
            run: bytes that one run of the network goes through, see :func:`~.streams.run_bytes`.
            context: of other networks than the table's.
        """
        alone, held = self.alone_us(work), context or self.context
        if alone is None:
            return None
        more = held.plain_op_us if work.place == PLAIN else held.op_us
        whole = held.factors.get(group(work), 1.0) * alone + more + held.streamed * self._streams.more_us(work, run)
        return max(whole, 0.2 * alone)

    def file_us(
        self, works: Sequence[Work], partitions: int, border: int, context: Context | None = None
    ) -> float | None:
        """Microseconds of a whole file; None where an op was not timed."""
        held = context or self.context
        run = run_bytes(works)
        ops = [self.op_us(work, run, held) for work in works]
        if any(one is None for one in ops):
            return None
        around = held.partition_us * max(0, partitions - 1) + held.border_us * border
        return max(self.invoke_us + around + sum(one for one in ops if one is not None), self.invoke_us)

    def least_us(self, place_of: str) -> float:
        """What an op costs at least in a network: the cheapest kernel of its place."""
        return self._least.get(place_of, self.invoke_us)

    @cached_property
    def _least(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for one in self._singles:
            us = self.op_us(one.work[0], 0)
            if us is not None:
                found[one.work[0].place] = min(us, found.get(one.work[0].place, math.inf))
        return found

    def miss(self, work: Work) -> float:
        """Log of the factor that 9 of 10 ops of this kind are within."""
        kind = self.kinds[work.key]
        missed = np.abs(kind.missed[np.isfinite(kind.missed)])
        if len(missed) < _OTHERS:
            missed = self._every_miss
        return max(_USUAL_ERROR, float(np.quantile(missed, COVERAGE)))

    @cached_property
    def _every_miss(self) -> Vector:
        every: Vector = np.concatenate([np.abs(kind.missed) for kind in self.kinds.values()])
        known: Vector = every[np.isfinite(every)]
        return known

    def context_without(self, held_out: str) -> Context:
        """As if the networks of one kind of block had not been timed."""
        if held_out not in self._contexts:
            self._contexts[held_out] = self._context([one for one in self.networks if one.group != held_out])
        return self._contexts[held_out]

    @cached_property
    def scores(self) -> Vector:
        """How far each network of the table is off, log, predicted without any network of its kind of block."""
        found = []
        for held_out in sorted({one.group for one in self.networks}):
            context = self.context_without(held_out)
            for one in self.networks:
                if one.group == held_out:
                    said = self.file_us(one.work, one.partitions, one.border_bytes, context)
                    found += [] if said is None else [math.log(one.us / said)]
        return np.array(found)

    @cached_property
    def reach(self) -> float:
        """Log of the factor that 9 of 10 new networks are within: split conformal, of :attr:`scores`."""
        ranked = np.sort(np.abs(self.scores))
        rank = min(len(ranked), math.ceil((len(ranked) + 1) * COVERAGE))
        return float(ranked[rank - 1])

    def _context(self, networks: Sequence[Timed]) -> Context:
        groups = sorted({group(work) for one in networks for work in one.work})
        rows, wanted = [], []
        for one in networks:
            alone = [(work, self.alone_us(work)) for work in one.work]
            if any(us is None for _, us in alone):
                continue
            sums = dict.fromkeys(groups, 0.0)
            for work, us in alone:
                sums[group(work)] += us or 0.0
            plain, run = sum(work.place == PLAIN for work in one.work), run_bytes(one.work)
            streamed = sum(self._streams.more_us(work, run) for work in one.work)
            around = (len(one.work) - plain, plain, max(0, one.partitions - 1), one.border_bytes / _MB, streamed)
            rows.append(np.array([*sums.values(), *around]) / one.us / _USUAL_ERROR)
            wanted.append((one.us - self.invoke_us) / one.us / _USUAL_ERROR)
        ones = np.ones(len(groups))
        prior = np.concatenate([ones, np.zeros(4), [1.0]])
        reaches = (_BEHIND if one.endswith(_BEHIND_PRODUCTS) else _GROUP for one in groups)
        extent = np.array([*reaches, _OVERHEAD, _OVERHEAD, 2 * _OVERHEAD, _BORDER, _STREAM])
        found = towards(np.array(rows), np.array(wanted), prior, extent)
        op, plain_op, partition, border, streamed = found[len(groups) :]
        return Context(
            factors=dict(zip(groups, map(float, found), strict=False)),
            op_us=float(op),
            plain_op_us=float(plain_op),
            partition_us=float(max(0.0, partition)),
            border_us=float(max(0.0, border)) / _MB,
            streamed=float(max(0.0, streamed)),
        )


def group(work: Work) -> str:
    """Ops whose times shift together between a kernel alone and a network."""
    if work.behind_product:
        return f"{work.kind} {work.arithmetic}{_BEHIND_PRODUCTS}"
    if work.kind in PRODUCTS:
        return f"products {work.arithmetic} {work.place}"
    if work.kind.startswith(DEPTHWISE):
        return f"{work.kind} {work.arithmetic} {work.place}"
    return f"others {work.place}"
