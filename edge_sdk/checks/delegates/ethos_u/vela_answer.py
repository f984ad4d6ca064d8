"""What Vela says of a file, read from the files and lines that it writes, and mapped back to the file's own ops.

Vela splits, fuses and rewrites ops. Its debug database names, for every op of its own graph, the op of the file that it
came from (``ext_key``, the place in the file), so that nothing is guessed: an op of the file runs on the CPU where Vela
kept it (``Passthrough``), on the NPU where the command stream holds something of it, and is absorbed where nothing of
it is left to run (a RESHAPE between two NPU ops, an op whose result nobody reads).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_sdk.artifact.model import Artifact, Subgraph

Target = Literal["npu", "cpu", "absorbed"]
_KEPT = "Passthrough"
_TABLE = '<table name="{}">\n<![CDATA[\n'
_REFUSED = re.compile(r"^Warning \(supported operators\) operator: (?P<op>\S+), ofm: '(?P<name>.*)'$")
# A name may hold anything, quotes and new lines too: it ends where nothing but numbers follow.
_NUMBERED = re.compile(
    r'^\d+,(?P<source>\d+),\d*,"(?P<op>[^"]*)",".*?",(?P<rest>\d+(?:,\d+)*)$', re.MULTILINE | re.DOTALL
)
_KIB = 1024


@dataclass(frozen=True)
class VelaOp:
    """One op of the main subgraph: who runs it, what it costs there, and why it stays on the CPU.

    ``cycles`` and ``macs`` are Vela's estimate, over all that became of the op; None on the CPU, of which Vela knows
    nothing, and where it leaves no estimate of this subgraph (5.2 keeps that of the last one, such as what sets
    variables).
    """

    index: int
    name: str
    target: Target
    cycles: int | None
    macs: int | None
    reason: str = ""


@dataclass(frozen=True)
class VelaAnswer:
    """Vela's placement, and its *predicted* cost for a system that it assumes. Nothing was run.

    Attributes:
        version: of ethos-u-vela.
        accelerator: the configuration compiled for.
        system_config: the clock and memory speeds that Vela assumed, by name.
        memory_mode: likewise for what lies where.
        clock_mhz: of the accelerator, in that configuration.
        ops: each op of the main subgraph.
        npu_cycles: in which the NPU computes.
        total_cycles: with what it waits for memory.
        inference_ms: those at that clock; the ops on the CPU are not in it.
        macs: on the NPU.
        sram_bytes: peak in each kind of memory.
        dram_bytes: see ``sram_bytes``.
        on_chip_flash_bytes: see ``sram_bytes``.
        off_chip_flash_bytes: see ``sram_bytes``.
    """

    version: str
    accelerator: str
    system_config: str
    memory_mode: str
    clock_mhz: float
    ops: tuple[VelaOp, ...]
    npu_cycles: int
    total_cycles: int
    inference_ms: float
    macs: int
    sram_bytes: int
    dram_bytes: int
    on_chip_flash_bytes: int
    off_chip_flash_bytes: int

    @property
    def on_cpu(self) -> tuple[int, ...]:
        """Indices of the ops that stay on the CPU."""
        return tuple(op.index for op in self.ops if op.target == "cpu")

    @property
    def takes_nothing(self) -> bool:
        """Whether there is not one command for the NPU."""
        return not any(op.target == "npu" for op in self.ops)


class UnreadableAnswerError(ValueError):
    """Vela wrote something else than this was written for."""


def read_answer(
    artifact: Artifact, version: str, accelerator: str, *, said: str, database: str, summary: str
) -> VelaAnswer:
    """One answer out of what Vela left.

    Args:
        artifact: the file that it compiled.
        version: of ethos-u-vela.
        accelerator: as given to it.
        said: its output.
        database: text of the ``_debug.xml``.
        summary: text of the ``_summary_*.csv``.

    Raises:
        UnreadableAnswerError: parts are missing.
    """
    try:
        row = next(csv.DictReader(summary.splitlines()))
        return VelaAnswer(
            version=version,
            accelerator=accelerator,
            system_config=row["system_config"],
            memory_mode=row["memory_mode"],
            clock_mhz=float(row["core_clock"]) / 1e6,
            ops=tuple(_ops(artifact, said, database)),
            npu_cycles=int(row["cycles_npu"]),
            total_cycles=int(row["cycles_total"]),
            inference_ms=float(row["inference_time"]) * 1e3,
            macs=int(row["nn_macs"]),
            sram_bytes=_bytes(row["sram_memory_used"]),
            dram_bytes=_bytes(row["dram_memory_used"]),
            on_chip_flash_bytes=_bytes(row["on_chip_flash_memory_used"]),
            off_chip_flash_bytes=_bytes(row["off_chip_flash_memory_used"]),
        )
    except (LookupError, StopIteration, ValueError) as error:
        raise UnreadableAnswerError(f"{type(error).__name__}: {error}") from error


def _bytes(kib: str) -> int:
    return round(float(kib) * _KIB)


def _ops(artifact: Artifact, said: str, database: str) -> Iterator[VelaOp]:
    graph = artifact.main
    places = _places(artifact, database)
    kept, cycles, macs = _costs(places, database)
    if not kept and not cycles:
        yield from _uncosted(graph, places, said, database)
        return
    reasons = _reasons(graph, said, kept)
    for op in graph.ops:
        if op.index in kept:
            yield VelaOp(op.index, op.name, "cpu", None, None, reasons.get(op.index, ""))
        else:
            target: Target = "npu" if op.index in cycles else "absorbed"
            yield VelaOp(op.index, op.name, target, cycles.get(op.index, 0), macs.get(op.index, 0))


def _uncosted(graph: Subgraph, places: Mapping[int, int], said: str, database: str) -> Iterator[VelaOp]:
    """Without estimates, by what the command streams hold and what was passed through."""
    queued = {row["optimised_id"] for row in _rows(database, "queue")}
    rows = [row for row in _rows(database, "optimised") if int(row["source_id"]) in places]
    run = {places[int(row["source_id"])] for row in rows if row["id"] in queued}
    kept = {places[int(row["source_id"])] for row in rows if row["operator"] == _KEPT} - run
    reasons = _reasons(graph, said, kept)
    for op in graph.ops:
        target: Target = "npu" if op.index in run else "cpu" if op.index in kept else "absorbed"
        yield VelaOp(op.index, op.name, target, None, None, reasons.get(op.index, ""))


def _places(artifact: Artifact, database: str) -> dict[int, int]:
    """Vela's number of a source op to the place of the op in the main subgraph."""
    rows, ops = list(_rows(database, "source")), list(artifact.all_ops())
    if len(rows) != len(ops):
        raise ValueError(f"{len(rows)} sources for {len(ops)} ops")
    found: dict[int, int] = {}
    for row, (graph, op) in zip(rows, ops, strict=True):
        if int(row["ext_key"]) != op.index:
            raise ValueError(f"source {row['id']} is op {row['ext_key']}, expected {op.index}")
        if graph.index == 0:
            found[int(row["id"])] = op.index
    return found


def _costs(places: Mapping[int, int], database: str) -> tuple[set[int], Counter[int], Counter[int]]:
    """Ops that were kept for the CPU, and cycles and MACs of all others that have a command."""
    header = _section(database, "perf").partition("\n")[0].replace('"', "").split(",")
    if header[:9] != _PERF:
        raise ValueError(f"perf table has columns {header[:9]}")
    kept: set[int] = set()
    cycles: Counter[int] = Counter()
    macs: Counter[int] = Counter()
    for row in _NUMBERED.finditer(_section(database, "perf")):
        place = places.get(int(row["source"]))
        if place is None:
            continue
        if row["op"] == _KEPT:
            kept.add(place)
        _, op_cycles, _, op_macs, *_ = map(int, row["rest"].split(","))
        cycles[place] += op_cycles
        macs[place] += op_macs
    return kept, cycles, macs


_PERF = [
    "id", "source_id", "optimised_id", "operator", "name", "staging_usage", "op_cycles", "npu_cycles", "mac_count",
]  # fmt: skip


def _reasons(graph: Subgraph, said: str, kept: set[int]) -> dict[int, str]:
    """Vela's words for each op that it refused, told apart by the name of the result.

    Where results share a name, or have none, Vela does not say which it means: then nobody gets the words.
    """
    makers: dict[str, list[int]] = {}
    for op in graph.ops:
        for name in {graph.tensors[index].name for index in op.outputs if index >= 0}:
            makers.setdefault(name, []).append(op.index)
    found = {}
    for name, words in _refusals(said.splitlines()):
        (*others, last) = makers.get(name, [-1])
        if not others and last in kept:
            found[last] = words
    return found


def _refusals(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name of the result, and the reason with the constraint behind it, for each warning."""
    for place, line in enumerate(lines):
        if match := _REFUSED.match(line):
            after = lines[place + 1 : place + 3]
            words = [after[0].removeprefix("Reason: ")] if after and after[0].startswith("Reason: ") else []
            # Of a constraint in several lines only the first is read, and it says nothing.
            if len(after) > 1 and not after[1].startswith(("Warning", "Network summary")) and after[1][-1:] != ":":
                words.append(after[1])
            yield match["name"], "; ".join(word.strip().rstrip(".") for word in words if word.strip())


def _rows(database: str, table: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(_section(database, table).splitlines())


def _section(database: str, table: str) -> str:
    """A table's text. Names in other tables may hold anything, so nothing here parses the whole as XML."""
    _, found, rest = database.partition(_TABLE.format(table))
    if not found:
        raise ValueError(f"no table `{table}`")
    return rest.partition("]]>\n</table>")[0]
