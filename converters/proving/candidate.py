"""Work on candidate files that must not take the caller's process down: engines have crashed on bad files.

All functions run in a worker. Arrays come and go in the source's layout.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import parse_artifact, read_artifact
from edge_sdk.converters.layout import Axes, laid_out, undone
from edge_sdk.converters.proving.alone import each_us, times_alone
from edge_sdk.converters.sources.source import write_outputs
from edge_sdk.engines.runner import Runner
from edge_sdk.folders import temporary_folder
from edge_sdk.measure.side_by_side import time_side_by_side
from edge_sdk.parity.alone import losses_alone, roundings
from edge_sdk.parity.constants import constant_faults
from edge_sdk.parity.histograms import worst_histograms
from edge_sdk.parity.localize import compare_tensors
from edge_sdk.parity.ops import check_ops
from edge_sdk.parity.wiring import wiring_faults
from edge_sdk.signature import Arrays


def run(path: str, samples: str, outputs: str, input_axes: Axes, output_axes: Axes) -> int:
    """Runs a file on every sample and writes the outputs; real values on both sides.

    Args:
        path: the .tflite file.
        samples: folder of a :class:`~edge_sdk.data.SampleStore` in the source's layout.
        outputs: folder for :func:`~edge_sdk.converters.sources.source.write_outputs`.
        input_axes: how the source's arrays are transposed to the file's, by input name.
        output_axes: likewise for outputs; undone here.
    """
    runner = Runner(path)
    results = (
        {name: undone(values, output_axes.get(name)) for name, values in runner.run_real(sample).items()}
        for sample in laid_out(samples, input_axes)
    )
    return write_outputs(results, [spec.name for spec in runner.outputs], outputs)


def check(
    reference: str | None, candidate: str, samples: str, input_axes: Axes, limit: int, *, constants: bool
) -> dict[str, Any]:
    """Whether a file is right: what it stores against its float file, and its ops on its own inputs.

    Args:
        reference: the float file it was made from; None where there is none that explains its constants.
        candidate: the file.
        samples: folder of samples in the source's layout.
        input_axes: how they are transposed for the file.
        limit: so many samples.
        constants: whether the two files' constants are to agree.
    """
    begin = time.perf_counter()
    data = Path(candidate).read_bytes()
    ops = check_ops(data, islice(laid_out(samples, input_axes), limit))
    faults = [fault.as_json() for fault in ops.faults]
    if constants and reference is not None:
        files = read_artifact(reference), read_artifact(candidate)
        wired = [fault.as_json() for fault in wiring_faults(*files)]
        faults = [*(fault.as_json() for fault in constant_faults(*files)), *wired, *faults]
    return {
        "faults": faults,
        "ops_checked": ops.checked,
        "ops_unchecked": dict(ops.unchecked),
        "seconds": time.perf_counter() - begin,
    }


def blame(reference: str, candidate: str, samples: str, input_axes: Axes, limit: int) -> list[dict[str, Any]]:
    """Results of a candidate against the float file's, one by one; see :func:`compare_tensors`."""
    rows = compare_tensors(reference, candidate, islice(laid_out(samples, input_axes), limit))
    return [row.as_json() for row in rows]


def look_closer(reference: str, candidate: str, samples: str, input_axes: Axes, limit: int) -> dict[str, Any]:
    """As :func:`blame`, and the values of the worst results; see :func:`worst_histograms`."""
    rows = compare_tensors(reference, candidate, islice(laid_out(samples, input_axes), limit))
    histograms = worst_histograms(reference, candidate, lambda: islice(laid_out(samples, input_axes), limit), rows)
    return {"tensors": [row.as_json() for row in rows], "histograms": [one.as_json() for one in histograms]}


def alone(
    reference: str, candidate: str, samples: str, input_axes: Axes, limit: int, groups: list[list[int]]
) -> list[float | None]:
    """What rounding each group of the candidate's ops alone costs; see :func:`losses_alone`.

    None for a group of which the candidate rounds nothing that the float file has, too.
    """
    data = Path(reference).read_bytes(), Path(candidate).read_bytes()
    known = roundings(*map(parse_artifact, data))
    wanted = [[known[index] for index in group if index in known] for group in groups]

    def some() -> Iterator[Arrays]:
        return islice(laid_out(samples, input_axes), limit)

    with temporary_folder("alone") as folder:
        some_groups = (group for group in wanted if group)
        found = losses_alone(*data, some_groups, some, Path(folder), threads=os.cpu_count() or 1)
        return [next(found) if group else None for group in wanted]


def op_times(path: str, folder: str, most: int) -> list[dict[str, Any]]:
    """See :func:`times_alone`."""
    return [{"op": op, "us": taken} for op, taken in times_alone(path, Path(folder), most).items()]


def times_of(path: str, folder: str, ops: list[int]) -> dict[str, float]:
    """Microseconds of some ops of the main subgraph, each alone, by index; see :func:`each_us`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    graph = read_artifact(path).main
    return {str(op.index): taken for op, taken in each_us(path, [graph.ops[index] for index in ops], Path(folder))}


def timings(paths: list[str], seconds: float) -> list[dict[str, Any]]:
    """Latency of files side by side; the first is the base of the ratios."""
    return [timing.as_json() for timing in time_side_by_side(paths, seconds=seconds)]
