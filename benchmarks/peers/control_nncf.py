"""``control_nncf.py FOLDER``: NNCF's ``quantize_with_accuracy_control`` on FOLDER/model.tflite, as JSON on stdout.

FOLDER has ``search.npz``, ``confirm.npz`` and ``calibration.npz`` in the file's layout (``x``, and ``y`` where there
are labels) and ``asked.json``: ``max_drop`` as a share, ``parts``, where outputs are cut for the kept power, or null
for classes, and ``minutes``, after which it is stopped: its next validation ends it.
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


class _StoppedError(Exception):
    """Its time is over."""


class _Bench:
    """Samples, the metric of each, and what was run of them."""

    def __init__(self, folder: Path, asked: dict[str, Any], float_: Any, part: str) -> None:
        with np.load(folder / f"{part}.npz") as arrays:
            self._samples, labels = arrays["x"], arrays["y"] if "y" in arrays.files else None
        self._each = _each(asked, labels)
        self._reference = _run(float_, self._samples)
        self._end = time.perf_counter() + 60 * asked["minutes"]
        self.count, self.ran, self.full = len(self._samples), list[int](), list[float]()

    def values(self, compiled: Any, places: Iterable[int]) -> Any:
        """The metric of samples."""
        at = np.array(list(places))
        return self._each(_run(compiled, self._samples[at]), [part[at] for part in self._reference], at)

    def mean(self, compiled: Any) -> float:
        """Of all of them, in per cent."""
        return 100 * float(self.values(compiled, range(self.count)).mean())

    def validate(self, compiled: Any, places: Iterable[int]) -> tuple[float, list[float]]:
        """As NNCF asks for it."""
        if time.perf_counter() > self._end:
            raise _StoppedError
        found = self.values(compiled, places)
        self.ran.append(len(found))
        if len(found) == self.count:
            self.full.append(100 * float(found.mean()))
        return float(found.mean()), [float(value) for value in found]

    def effort(self, begin: float) -> dict[str, Any]:
        """What it took; the metric of every file that it validated in full, the float file first."""
        of_parts = sum(count < self.count for count in self.ran)
        minutes = (time.perf_counter() - begin) / 60
        return {"minutes": minutes, "samples": sum(self.ran), "full": self.full, "of_parts": of_parts}


def main(folder: Path) -> None:
    """See the module."""
    asked = json.loads((folder / "asked.json").read_text())
    calibration = np.load(folder / "calibration.npz")["x"]
    model = ov.Core().read_model(folder / "model.tflite")
    float_ = _compiled(model)
    bench, unseen = (_Bench(folder, asked, float_, part) for part in ("search", "confirm"))
    data = nncf.Dataset(list(calibration))
    begin = time.perf_counter()
    try:
        made = nncf.quantize_with_accuracy_control(
            model,
            data,
            nncf.Dataset(list(range(bench.count))),
            validation_fn=bench.validate,
            max_drop=asked["max_drop"],
            drop_type=nncf.DropType.ABSOLUTE,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(ranking_subset_size=_RANKED),
        )
    except _StoppedError:
        made = None
    effort = bench.effort(begin)
    plain = nncf.quantize(model, data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(calibration))
    files = {"float": float_, "int8": _compiled(plain)}
    if made is not None:
        ov.save_model(made, folder / "controlled.xml", compress_to_fp16=False)
        # What a user opens, not what the search held.
        files["controlled"] = _compiled(ov.Core().read_model(folder / "controlled.xml"))
    metric, later = ({name: one.mean(compiled) for name, compiled in files.items()} for one in (bench, unseen))
    sample = calibration[0]
    print(json.dumps({**effort, "metric": metric, "unseen": later, "ms": _times(files, sample)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
