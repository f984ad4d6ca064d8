"""A table whose times follow a law that is known: what predicts from it must find that law again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import chain

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.timing.table import SCHEMA, Subject, Table, Timed
from edge_sdk.checks.timing.work import Work, workload
from edge_sdk.measure.calibration.kernels import Kernel, kernels
from edge_sdk.measure.calibration.networks import networks

SUBJECT = Subject("planted board", "", "x86_64", 2, "ai-edge-litert", "2.1.0", 1, "x86-avx512-vnni")
INVOKE_US = 3.0
_ROOM = 128 << 20


def law_us(work: Work) -> float:
    """Overhead, arithmetic and bytes, by arithmetic and by who runs it."""
    slower = 6.0 if work.place == "cpu" else 1.0
    rate = {"float32": 50_000, "int8": 150_000, "hybrid_int8": 100_000}.get(work.arithmetic, 30_000)
    moved = work.read_bytes + work.written_bytes + work.weight_bytes
    return 0.5 + slower * (work.macs / rate + moved / 20_000)


@cache
def planted(law: Callable[[Work], float] = law_us) -> Table:
    """Every kernel and network, timed by the law, but for files that a test has no room for."""
    listed = (one for one in chain(kernels(), networks()) if one.needs_bytes <= _ROOM)
    timed = tuple(_timed(one, law) for one in listed)
    return Table(SCHEMA, SUBJECT, "2026-01-01T00:00:00+00:00", "planted", True, (), {}, timed, {}, 1.0)


def _timed(kernel: Kernel, law: Callable[[Work], float]) -> Timed:
    load = workload(parse_artifact(kernel.build()), SUBJECT.engine, SUBJECT.version, plain=kernel.plain)
    works = tuple(one.work for one in load.ops if one.work is not None)
    us = INVOKE_US + sum(map(law, works)) + 2.0 * (load.partitions - 1)
    return Timed(kernel.id, kernel.group, us, 0.001, load.partitions, load.border_bytes, works)
