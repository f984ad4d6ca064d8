"""Files run over chosen samples, in a worker; results go through a folder of arrays, not through pipes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.converters.layout import Axes, applied, undone
from edge_sdk.converters.workers.child import report_progress
from edge_sdk.data.store import SampleStore
from edge_sdk.engines.runner import Runner


def run_rows(
    path: str, samples: str, places: Sequence[int], outputs: str, input_axes: Axes, output_axes: Axes
) -> list[str]:
    """Runs a file on the samples at some places and writes ``<number of output>.npy``, rows along the first axis.

    Args:
        path: the .tflite file.
        samples: folder of a store, in the source's layout.
        places: of the samples.
        outputs: folder to write to; made if absent.
        input_axes: how the source's arrays are transposed to the file's, by input name.
        output_axes: likewise for outputs; undone here.

    Returns:
        Names of the outputs, in the order of the files.
    """
    runner, store = Runner(path), SampleStore.open(samples)
    columns = {spec.name: store.column(spec.name) for spec in store.specs}
    batch = max((spec.static_shape[0] for spec in store.specs if spec.static_shape), default=1)
    target = Path(outputs)
    target.mkdir(parents=True, exist_ok=True)
    names = [spec.name for spec in runner.outputs]
    rows: dict[str, Any] = {}
    for done, place in enumerate(places):
        found = runner.run_real({n: applied(np.array(v[place]), input_axes.get(n)) for n, v in columns.items()})
        for number, name in enumerate(names):
            values = undone(found[name], output_axes.get(name))
            batched = values.ndim > 0 and values.shape[0] == batch
            each, whole = (batch, values) if batched else (1, values[np.newaxis])
            if name not in rows:
                shape = (each * len(places), *whole.shape[1:])
                rows[name] = _new(target / f"{number}.npy", whole.dtype, shape)
            rows[name][done * each : (done + 1) * each] = whole
        report_progress(done + 1)
    for values in rows.values():
        values.flush()
    return names


def _new(path: Path, dtype: Any, shape: tuple[int, ...]) -> Any:
    return np.lib.format.open_memmap(path, "w+", dtype, shape)  # type: ignore[no-untyped-call]
