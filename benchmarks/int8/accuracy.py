"""What int8 leaves of trained networks on photographs and sounds, made in several ways from the same float weights.

``python -m benchmarks int8-accuracy --packages FOLDER``; what FOLDER holds is said in :mod:`benchmarks.int8.cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8.cases import CASES, Case, Sample
from benchmarks.int8.ways import WAYS, floats, outputs_of, run_tflite


def rows(
    folder: Path, nncf: Path, names: Sequence[str], calibration: int, compared: int, say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """One for each network and way, as it is done; a file that an interrupted run left is not made again.

    Args:
        folder: for files.
        nncf: interpreter of an environment with NNCF.
        names: networks; all of them if empty.
        calibration: samples to calibrate on.
        compared: samples to compare on.
        say: hears each row.
    """
    for case in CASES:
        if names and case.name not in names:
            continue
        word = case.name.split(",")[0].replace(" ", "_")
        source = floats(case.source(), folder, word, nncf)
        seen, shown = case.samples(calibration, 0), case.samples(compared, 1)
        want = run_tflite(source.tflite, shown)
        for way in WAYS:
            target = folder / f"{word}_{calibration}_{way.replace(' ', '_')}"
            try:
                found = figures(case, want, outputs_of(way, source, target, seen, shown))
            except Exception as error:  # a peer's tool may raise anything: that is its row
                found = {"error": str(error).splitlines()[0]}
            row = {"model": case.name, "way": way, **found}
            say(str(row))
            yield row


def figures(case: Case, want: Sequence[Sample], got: Sequence[Sample]) -> dict[str, Any]:
    """SQNR of each output, agreement of what is chosen, and that where float is sure of one of many."""
    columns = [
        [_as(one[place], like[place]) for one, like in zip(got, want, strict=True)] for place in range(len(want[0]))
    ]
    mended = list(zip(*columns, strict=True))
    same = [np.equal(case.chosen(one), case.chosen(other)) for one, other in zip(want, mended, strict=True)]
    sure = [case.sure is not None and case.sure(one) for one in want]
    agree = [float(np.mean(one)) for one, is_sure in zip(same, sure, strict=True) if is_sure]
    return {
        "sqnr_db": [_sqnr_db([one[place] for one in want], column) for place, column in enumerate(columns)],
        "top1": round(float(np.mean(np.concatenate([np.ravel(one) for one in same]))), 4),
        "top1_sure": round(float(np.mean(agree)), 4) if agree else None,
        "sure": len(agree),
    }


def _as(values: Any, like: Any) -> Any:
    """In the layout of our float file: images of a peer come channels first."""
    return values if values.shape == like.shape else values.transpose(0, 2, 3, 1)


def _sqnr_db(want: Sequence[Any], got: Sequence[Any]) -> float:
    signal, noise = np.sum(np.square(want)), np.sum(np.square(np.subtract(want, got)))
    return round(float(10 * np.log10(signal / noise)), 2)


def table(result: Mapping[str, Any]) -> str:
    """A line for each network and way, and what it was measured with."""
    if not result["rows"] or "model" not in result["rows"][0]:
        return ""
    lines = [
        "| network | way | SQNR of its outputs, dB | chosen as float | where float is surer than 0.5 |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {row['model']} | {row['way']} | {_cells(row)} |" for row in result["rows"]),
    ]
    versions = ", ".join(f"{tool} {version}" for tool, version in result["versions"].items())
    counts = f"{result['calibration']} samples to calibrate on, {result['compared']} to compare on"
    cpu = f"{result['machine']['cpu']}, {result['machine']['cores']} cores"
    return "\n".join([*lines, "", f"{counts}. Measured on {cpu}; {versions}, nncf {result['nncf']}."])


def _cells(row: Mapping[str, Any]) -> str:
    if "error" in row:
        return f"no file: {row['error']} | |"
    sure = "" if row["top1_sure"] is None else f"{row['top1_sure']:.1%} of {row['sure']}"
    return f"{', '.join(f'{one:.1f}' for one in row['sqnr_db'])} | {row['top1']:.1%} | {sure}"
