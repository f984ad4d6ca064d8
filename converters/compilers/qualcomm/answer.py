"""What the compiler did with each op, read from the file that it left and from what it printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from edge_sdk.artifact.excerpt import own_name
from edge_sdk.artifact.model import Artifact, Op, Subgraph, parse_artifact
from edge_sdk.checks.placement.site import Reason
from edge_sdk.checks.verdict import OpPlace

_DISPATCH = "CUSTOM:DISPATCH_OP"
_SELECTED = re.compile(r"Partitioned subgraph<(\d+)>, selected (\d+) ops, from a total of (\d+) ops")
_SDK = re.compile(r"SDK version: v(\S+)")
_ARCHITECTURE = re.compile(r"requested arch is v(\d+)")
_BYTES = re.compile(r"\b(spill|fill)_bytes=(\d+)")
# QNN's own words come on lines of its log, the plugin's on LiteRT's; what follows says no more than that it failed.
_QNN = re.compile(r"\[ ERROR \]\s+(?:<E>)?\s*(.+)")
_PLUGIN = re.compile(r"ERROR: \[Qnn\]\s+(.+)")
# Words of LiteRT itself, which stand alone where it refuses a file before it asks QNN.
_LITERT = re.compile(r"ERROR: \[[\w./]+:\d+\] (?!ERROR)(.+)")
_REQUESTED = re.compile(r"Requested I/O datatype set:\s*((?:(?:in|out)\[\d+\]:\w+\s*)+)")
_EMPTY = re.compile(
    r"validateOpConfig failed|Failed to validate op|master op validator|not well formed|Op specific validation failed"
    r"|datatype set|GraphHtpSettings|Unsupported input/output datatypes"
)


class UnreadableAnswerError(ValueError):
    """The compiler left something else than this was written for."""


def sdk_version(said: str) -> str:
    """QNN's version by its own word; empty where it does not say."""
    found = _SDK.search(said)
    return found[1].split(" ")[0] if found else ""


def architecture(said: str) -> int | None:
    """The generation of the NPU that was compiled for, such as 75 for v75."""
    found = _ARCHITECTURE.search(said)
    return int(found[1]) if found else None


def spilled(said: str) -> dict[str, int]:
    """Bytes that go to main memory and come back in one run, because they do not fit in the NPU's own."""
    total = {"spill_bytes": 0, "fill_bytes": 0}
    for what, count in _BYTES.findall(said):
        total[f"{what}_bytes"] += int(count)
    return total


def reason_in(said: str) -> str:
    """Why an op was refused, in the vendor's words, from what was printed on it alone; empty where it is silent."""
    types = _REQUESTED.search(said)
    if "Unsupported input/output datatypes" in said and types:
        return f"no kernel for the types {_types(types[1])}"
    words = [*_PLUGIN.findall(said), *(text for text in _QNN.findall(said) if not _EMPTY.search(text))]
    return "; ".join(dict.fromkeys(word.strip() for word in words or _LITERT.findall(said)))


def _types(listed: str) -> str:
    return ", ".join(word.replace("QNN_DATATYPE_", "").replace(":", " ") for word in listed.split())


def taken_ops(original: Artifact, compiled: bytes, said: str) -> Mapping[int, Mapping[int, int | None]]:
    """For each subgraph, the ops that the NPU takes with the partition of each, None for one that nobody reads.

    Args:
        original: the file as it was given.
        compiled: what came out for a copy whose tensors have names of their own; what it adds comes last.
        said: what was printed.

    Raises:
        UnreadableAnswerError: the two do not go together.
    """
    made = parse_artifact(compiled)
    found = {graph.index: _taken(graph, made.subgraphs[graph.index]) for graph in original.subgraphs}
    for index, count, total in _SELECTED.findall(said):
        graph = original.subgraphs[int(index)]
        if (len(found[graph.index]), len(graph.ops)) != (int(count), int(total)):
            raise UnreadableAnswerError(
                f"it says {count} of {total} ops of subgraph {index}, its file shows {len(found[graph.index])}"
            )
    return found


def _taken(before: Subgraph, after: Subgraph) -> dict[int, int | None]:
    left = {tensor.name for op in after.ops if op.name != _DISPATCH for tensor in after.results(op)}
    taken: dict[int, int | None] = {
        op.index: None for op in before.ops if not left.intersection(_names(before, op.outputs))
    }
    for number, dispatch in enumerate(op for op in after.ops if op.name == _DISPATCH):
        start = {tensor.name for tensor in after.results(dispatch)}
        for op in _behind(before, start, {tensor.name for tensor in after.operands(dispatch)}, taken):
            taken[op] = number
    return taken


def _behind(graph: Subgraph, start: set[str], stop: set[str], taken: Mapping[int, object]) -> Iterator[int]:
    """The taken ops from which values reach some tensors without going through others."""
    wanted = set(start)
    for op in reversed(graph.ops):
        if op.index in taken and wanted.intersection(_names(graph, op.outputs)):
            yield op.index
            wanted |= set(_names(graph, op.inputs)) - stop


def _names(graph: Subgraph, indices: tuple[int, ...]) -> list[str]:
    return [own_name(graph.index, index) for index in indices if index >= 0]


def places(
    original: Artifact, taken: Mapping[int, Mapping[int, int | None]], reasons: Mapping[tuple[int, int], str]
) -> Iterator[OpPlace]:
    """Every op with its partition, or with the vendor's reason."""
    for graph in original.subgraphs:
        inside = taken[graph.index]
        for op in graph.ops:
            result = next((tensor.name for tensor in graph.results(op)), "")
            refused = None if op.index in inside else _reason(op, reasons.get((graph.index, op.index), ""))
            yield OpPlace(graph.index, op.index, op.name, result, inside.get(op.index), refused)


def _reason(op: Op, words: str) -> Reason:
    message = f"QNN refuses it: {words}" if words else "QNN refuses it and does not say why"
    return Reason("qnn-refuses", message, op.index, op.name, "CPU", "NPU")
