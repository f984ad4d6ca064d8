"""ONNX's own backend cases, which the ``onnx`` package carries with inputs and outputs, through the direct lowering.

A case is ``equal`` where the file gives what ONNX expects; ``equal, parameters known`` where it does so once the
operands that decide shapes (axes, sizes, pads) are constants, as they are in models, and not inputs of the graph;
``equal, padded`` where it gives those rows, and rows of -1 behind them, with a count (NonMaxSuppression);
``no form`` with the reason that a user would read; ``differs`` or ``fails`` where the lowering errs.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus.forked import ChildError, forked

KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
EQUAL, KNOWN, PADDED = "equal", "equal, parameters known", "equal, padded"
NO_FORM, DIFFERS, FAILS = "no form", "differs", "fails"
_SECONDS, _MEMORY_BYTES = 60, 8 << 30
# Of float32 over the few terms that the cases sum; halves are as coarse as they are.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-5
_RELATIVE_HALF, _ABSOLUTE_HALF = 2e-2, 1e-2


def folder() -> Path:
    """Where the cases lie."""
    import onnx

    return Path(onnx.__file__).parent / "backend" / "test" / "data"


def cases(kinds: Sequence[str] = KINDS, part: str = "") -> Iterator[Path]:
    """Folders of cases, in order; those whose name holds ``part``."""
    for kind in kinds:
        yield from sorted(path.parent for path in (folder() / kind).glob(f"*{part}*/model.onnx"))


def row(case: Path) -> dict[str, str]:
    """The outcome of one case, in a process of its own: an engine may die of a file."""
    # What every child needs is imported here, once.
    for module in ("ai_edge_litert.interpreter", "edge_sdk.converters.lower.direct.lowering", "onnx.reference"):
        importlib.import_module(module)
    try:
        outcome, why = forked(lambda: _outcome(case), seconds=_SECONDS, memory_bytes=_MEMORY_BYTES)
    except ChildError as error:
        outcome, why = FAILS, str(error)
    return {"case": case.name, "outcome": outcome, "why": why}


def summary(rows: Sequence[dict[str, str]]) -> dict[str, int]:
    """How many cases have each outcome."""
    return dict(Counter(one["outcome"] for one in rows))


def reasons(rows: Sequence[dict[str, str]]) -> dict[str, int]:
    """Kinds of reasons of what has no form, most frequent first."""
    return dict(Counter(_kind(one["why"]) for one in rows if one["outcome"] == NO_FORM).most_common())


def table(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """What is kept: counts of outcomes, of reasons, and each case that differs or fails."""
    counted = [{"outcome": outcome, "cases": count} for outcome, count in summary(rows).items()]
    without = [{"outcome": NO_FORM, "why": why, "cases": count} for why, count in reasons(rows).items()]
    return [*counted, *without, *(one for one in rows if one["outcome"] in (DIFFERS, FAILS))]


def _kind(why: str) -> str:
    kinds = {
        "depend on data": "shapes that depend on data",
        "depends on data": "shapes that depend on data",
        "no CAST for": "a dtype that TFLite has no kernel for",
        "text": "strings",
        "strings": "strings",
        "random": "random numbers",
        "sequence": "sequences and optionals",
        "type": "sequences and optionals",
        "training": "training",
        "domain": "ops of other domains",
        "no elements": "results without elements",
        "uint64": "a dtype that TFLite has no kernel for",
        "peephole": "an LSTM with peepholes",
        "image file": "an image file to decode",
    }
    return next((label for words, label in kinds.items() if words in why), why[:80])


def _outcome(case: Path) -> tuple[str, str]:
    from edge_sdk.errors import UnsupportedOpError

    try:
        model, feeds, wants = read(case)
    except NoTensorError as error:
        return NO_FORM, str(error)
    try:
        return _compared(model, feeds, wants)
    except UnsupportedOpError as error:
        if "depend" not in str(error) or len(feeds) < 2:
            return NO_FORM, str(error)
    try:
        outcome, why = _compared(*with_known_parameters(model, feeds), wants)
    except UnsupportedOpError as error:
        return NO_FORM, str(error)
    padded = any(node.op_type == "NonMaxSuppression" for node in model.graph.node)
    return ((PADDED if padded else KNOWN) if outcome == EQUAL else outcome), why


class NoTensorError(Exception):
    """An end of the case is no tensor of numbers."""


def read(case: Path) -> tuple[Any, dict[str, Any], list[Any]]:
    """The model, its inputs by name, and what ONNX expects."""
    import onnx

    model = onnx.load(str(case / "model.onnx"))
    constants = {weight.name for weight in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    data = case / "test_data_set_0"
    feeds = {value.name: _tensor(data / f"input_{i}.pb", value) for i, value in enumerate(inputs)}
    return model, feeds, [_tensor(data / f"output_{i}.pb", value) for i, value in enumerate(model.graph.output)]


def _tensor(path: Path, value: Any) -> Any:
    import onnx

    if value.type.WhichOneof("value") != "tensor_type":
        raise NoTensorError(f"an end of type {value.type.WhichOneof('value')}: TFLite has tensors only")
    proto = onnx.TensorProto()
    proto.ParseFromString(path.read_bytes())
    values = onnx.numpy_helper.to_array(proto)
    if values.dtype.kind in "OSU":
        raise NoTensorError("strings")
    return values


def with_known_parameters(model: Any, feeds: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model with all operands but the first as constants, and the first."""
    import onnx

    data, *known = feeds
    for name in known:
        model.graph.initializer.append(onnx.numpy_helper.from_array(feeds[name], name))
    return model, {data: feeds[data]}


def _compared(model: Any, feeds: dict[str, Any], wants: list[Any]) -> tuple[str, str]:
    from ai_edge_litert.interpreter import Interpreter

    from edge_sdk.converters.lower.direct.lowering import lower
    from edge_sdk.converters.lower.direct.writing import write
    from edge_sdk.signature import TensorSpec

    specs = [TensorSpec(name, values.shape, values.dtype.name, None) for name, values in feeds.items()]
    lowered = lower(model, specs, "source")
    interpreter = Interpreter(model_content=write(lowered.graph))
    interpreter.allocate_tensors()
    for port, values in zip(interpreter.get_input_details(), feeds.values(), strict=True):
        interpreter.set_tensor(port["index"], values.astype(port["dtype"]))
    interpreter.invoke()
    results = [interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()]
    names = [value.name for value in model.graph.output]
    by_name = dict(zip((*names, *lowered.counts), results, strict=True))
    for end in lowered.padded:
        by_name[end.name] = by_name[end.name].take(range(int(by_name[end.count])), end.axis)
    results = [by_name[name] for name in names]
    faults = [found for result, want in zip(results, wants, strict=True) if (found := fault(result, want))]
    return (DIFFERS, "; ".join(faults)) if faults else (EQUAL, "")


def fault(result: Any, want: Any) -> str:
    """What is wrong with a result; empty where nothing is."""
    if result.shape != want.shape:
        return f"shape {list(result.shape)}, expected {list(want.shape)}"
    if want.dtype.kind in "biu":
        differing = int((result != want).sum())
        return f"{differing} of {want.size} integers differ" if differing else ""
    half = want.dtype.itemsize == 2
    close = np.allclose(
        result.astype(np.float64),
        want.astype(np.float64),
        rtol=_RELATIVE_HALF if half else _RELATIVE,
        atol=_ABSOLUTE_HALF if half else _ABSOLUTE,
        equal_nan=True,
    )
    return "" if close else "values differ"
