"""NNCF's accuracy control on what ``optimize`` searched with: the same float file, samples, calibration and metric."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.environments import python_of
from benchmarks.searching.search import PEER, Case
from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.search.eval_data import split

_SCRIPT = Path(__file__).parents[1] / "peers" / "control_nncf.py"


def row(case: Case, folder: Path, minutes: float, python: Path | None = None) -> dict[str, Any]:
    """What NNCF does and returns; the search of ``optimize`` in ``folder`` is read, see ``search`` beside this.

    Args:
        case: model, data and what may be lost.
        folder: of the searches.
        minutes: after which it is stopped; what it had done by then is told.
        python: an interpreter with OpenVINO and NNCF; without it an environment is made.
    """
    place = folder / f"{case.name}_{PEER}"
    place.mkdir(parents=True, exist_ok=True)
    _write(case, folder / f"{case.name}_spare", place, minutes)
    done = subprocess.run([python or python_of("openvino"), _SCRIPT, place], check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout.splitlines()[-1])
    return {"model": case.name, "way": PEER, **found}


def _write(case: Case, searched: Path, place: Path, minutes: float) -> None:
    front = json.loads((searched / "front.json").read_text())
    shutil.copy(searched / "points" / f"{front['reference']['file']['key']}.tflite", place / "model.tflite")
    (spec,) = read_artifact(place / "model.tflite").signature.inputs.values()
    with np.load(case.data) as arrays:
        (name,) = set(arrays.files) - {"labels"}
        samples, labels = arrays[name], arrays["labels"] if "labels" in arrays.files else None
    parts = split(len(samples), 0, calibrate=case.calibration is None)
    ranges = samples[parts.calibrate] if case.calibration is None else np.load(case.calibration)[name]
    shape = tuple(spec.shape)
    np.savez(place / "calibration.npz", x=_laid_out(ranges, shape))
    for name, chosen in (("search", parts.search), ("confirm", parts.confirm)):
        targets = {} if labels is None else {"y": labels[chosen]}
        np.savez(place / f"{name}.npz", x=_laid_out(samples[chosen], shape), **targets)
    asked = {"max_drop": case.max_drop / 100, "parts": case.parts, "minutes": minutes}
    (place / "asked.json").write_text(json.dumps(asked))


def _laid_out(samples: Any, shape: tuple[int, ...]) -> Any:
    """``[count, *shape]``, channels last as the file has them."""
    whole = samples.reshape(len(samples), 1, *samples.shape[-len(shape) + 1 :])
    return whole if whole.shape[1:] == shape else np.ascontiguousarray(np.moveaxis(whole, 2, -1))
