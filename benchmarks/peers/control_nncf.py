"""``control_nncf.py FOLDER``: NNCF's ``quantize_with_accuracy_control`` on FOLDER/model.tflite, as JSON on stdout.

FOLDER has ``search.npz`` and ``calibration.npz`` in the file's layout (``x``, and ``y`` where there are labels) and
``asked.json``: ``max_drop`` as a share, and ``parts``, where outputs are cut for the kept power, or null for classes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino as ov

_RANKED, _ROUNDS, _RUNS = 64, 15, 8
_ONE_THREAD = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}


def _compiled(model: Any) -> Any:
    return ov.Core().compile_model(model, "CPU", _ONE_THREAD)


def _run(compiled: Any, samples: Any) -> list[Any]:
    request = compiled.create_infer_request()
    rows = [[np.array(found) for found in request.infer([one]).values()] for one in samples]
    return [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def _each(asked: dict[str, Any], labels: Any) -> Callable[[list[Any], list[Any], Any], Any]:
    """The metric of ``optimize`` again: right class, the reference's class, or kept power of the worst part."""

    def classes(got: list[Any], reference: list[Any], at: Any) -> Any:
        wanted = reference[0].argmax(-1) if labels is None else labels[at]
        return (got[0].argmax(-1) == wanted).astype(float)

    def power(got: list[Any], reference: list[Any], at: Any) -> Any:  # noqa: ARG001
        kept = []
        for mine, theirs in zip(got, reference, strict=True):
            for begin, end in asked["parts"]:
                one, other = (v[:, begin:end].reshape(len(v), -1).astype(float) for v in (mine, theirs))
                kept.append(np.clip(1 - ((one - other) ** 2).sum(1) / (other**2).sum(1), 0, 1))
        return np.min(kept, axis=0)

    return classes if asked["parts"] is None else power


def _times(files: dict[str, Any], sample: Any) -> dict[str, float]:
    """Medians of runs in turn, in ms."""
    taken: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(_ROUNDS):
        for name, compiled in files.items():
            request = compiled.create_infer_request()
            for _ in range(_RUNS):
                begin = time.perf_counter()
                request.infer([sample])
                taken[name].append(1e3 * (time.perf_counter() - begin))
    return {name: float(np.median(ms)) for name, ms in taken.items()}


def main(folder: Path) -> None:
    """See the module."""
    asked = json.loads((folder / "asked.json").read_text())
    search, calibration = np.load(folder / "search.npz"), np.load(folder / "calibration.npz")["x"]
    samples, each = search["x"], _each(asked, search["y"] if "y" in search.files else None)
    model = ov.Core().read_model(folder / "model.tflite")
    reference = _run(_compiled(model), samples)
    ran: list[int] = []

    def values(compiled: Any, places: Iterable[int]) -> Any:
        at = np.array(list(places))
        ran.append(len(at))
        return each(_run(compiled, samples[at]), [part[at] for part in reference], at)

    def validate(compiled: Any, places: Iterable[int]) -> tuple[float, list[float]]:
        found = values(compiled, places)
        return float(found.mean()), [float(value) for value in found]

    data = nncf.Dataset(list(calibration))
    begin = time.perf_counter()
    made = nncf.quantize_with_accuracy_control(
        model,
        data,
        nncf.Dataset(list(range(len(samples)))),
        validation_fn=validate,
        max_drop=asked["max_drop"],
        drop_type=nncf.DropType.ABSOLUTE,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(ranking_subset_size=_RANKED),
    )
    minutes = (time.perf_counter() - begin) / 60
    evaluations = {"full": sum(n == len(samples) for n in ran), "of_parts": sum(n < len(samples) for n in ran)}
    effort = {"minutes": minutes, "samples": sum(ran), **evaluations}
    ov.save_model(made, folder / "controlled.xml", compress_to_fp16=False)
    plain = nncf.quantize(model, data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(calibration))
    files = {
        "float": _compiled(model),
        "int8": _compiled(plain),
        # What a user opens, not what the search held.
        "controlled": _compiled(ov.Core().read_model(folder / "controlled.xml")),
    }
    every = range(len(samples))
    metric = {name: 100 * float(values(compiled, every).mean()) for name, compiled in files.items()}
    print(json.dumps({**effort, "metric": metric, "ms": _times(files, samples[0])}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
