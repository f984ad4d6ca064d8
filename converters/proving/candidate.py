"""Work on candidate files that must not take the caller's process down: engines have crashed on bad files.

All functions run in a worker. Arrays come and go in the source's layout.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from edge_sdk.converters.layout import Axes, laid_out, undone
from edge_sdk.converters.sources.source import write_outputs
from edge_sdk.engines.observe import observe
from edge_sdk.engines.runner import Runner
from edge_sdk.measure.side_by_side import time_side_by_side
from edge_sdk.parity.localize import compare_tensors


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


def tensor_power(path: str, samples: str, input_axes: Axes, limit: int) -> dict[str, float]:
    """Mean square of each float tensor of a float file, by name, over the first ``limit`` samples."""
    seen = observe(path, islice(laid_out(samples, input_axes), limit))
    tensors = Runner(path).artifact.main.tensors
    return {tensors[index].name: one.mean_square for index, one in seen.items()}


def blame(reference: str, candidate: str, samples: str, input_axes: Axes, limit: int) -> list[dict[str, Any]]:
    """Results of a candidate against the float file's, one by one; see :func:`compare_tensors`."""
    rows = compare_tensors(reference, candidate, islice(laid_out(samples, input_axes), limit))
    return [row.as_json() for row in rows]


def timings(paths: list[str], seconds: float) -> list[dict[str, Any]]:
    """Latency of files side by side; the first is the base of the ratios."""
    return [timing.as_json() for timing in time_side_by_side(paths, seconds=seconds)]
