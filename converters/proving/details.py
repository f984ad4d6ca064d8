"""What a page shows of a file beyond its numbers."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import read_artifact
from edge_sdk.checks.timeline import timeline
from edge_sdk.converters.reports.details import Details, Flip, OpAlone
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data.png import picture_of, png_bytes
from edge_sdk.data.store import SampleStore
from edge_sdk.parity.alone import BEST_DB, by_module
from edge_sdk.parity.classes import is_class_like
from edge_sdk.signature import Arrays

SAMPLES = 8
# A few samples tell by decibels what an op costs, and each trial opens a file.
ALONE_OPS, ALONE_MODULES, ALONE_SAMPLES = 32, 16, 4
TIMED_OPS = 64
_FLIPS = 12
_PIXELS = 72


def details_of(
    shop: Workshop,
    reference: Path | None,
    candidate: Path,
    samples: SampleStore,
    outputs: Iterable[tuple[Arrays, Arrays]],
    input_axes: Mapping[str, Any],
) -> Details:
    """Looks at a file once more.

    Args:
        shop: with the worker that runs files.
        reference: the float file; None where there is none.
        candidate: the file.
        samples: inputs, in the source's layout.
        outputs: of each sample: the source's, and the file's.
        input_axes: how inputs are transposed for both files.
    """
    flips = sorted(_flips(outputs), key=lambda flip: (-flip.lost, flip.sample))
    shown = _with_pictures(flips[:_FLIPS], samples)
    course = timeline(read_artifact(candidate))
    if reference is None:
        return Details(course, flips=shown, flipped=len(flips))
    found = shop.worker("engine").function(
        "edge_sdk.converters.proving.candidate:look_closer",
        "looking at every result",
        reference=str(reference.absolute()),
        candidate=str(candidate.absolute()),
        samples=str(samples.folder),
        input_axes=dict(input_axes),
        limit=SAMPLES,
    )
    count = min(SAMPLES, samples.count - len(samples.held_out))
    return Details(course, tuple(found["tensors"]), count, tuple(found["histograms"]), shown, len(flips))


def with_op_times(details: Details, shop: Workshop, path: Path) -> Details:
    """The same with times of the file's costliest ops, each alone."""
    found = shop.worker("engine").function(
        "edge_sdk.converters.proving.candidate:op_times",
        "timing ops",
        path=str(path.absolute()),
        folder=str(shop.path("ops")),
        most=TIMED_OPS,
    )
    return replace(details, op_times=tuple(OpAlone(**one) for one in found))


def with_losses_alone(
    details: Details,
    shop: Workshop,
    reference: Path,
    candidate: Path,
    samples: SampleStore,
    input_axes: Mapping[str, Any],
) -> Details:
    """The same with what the noisiest results, and their modules, cost at the outputs when each alone is rounded."""
    noisy = sorted(details.tensors, key=lambda row: -row["added_noise"])
    tried = list(dict.fromkeys(row["op_index"] for row in noisy if row["added_noise"] > 0))[:ALONE_OPS]
    grouped = by_module({row["op_index"]: row["tensor"] for row in details.tensors})
    module = {index: name for name, ops in grouped.items() for index in ops}
    named = [name for name in dict.fromkeys(module[index] for index in tried) if len(grouped[name]) > 1]
    losses: list[float | None] = shop.worker("engine").function(
        "edge_sdk.converters.proving.candidate:alone",
        "rounding one op at a time",
        reference=str(reference.absolute()),
        candidate=str(candidate.absolute()),
        samples=str(samples.folder),
        input_axes=dict(input_axes),
        limit=ALONE_SAMPLES,
        groups=[[index] for index in tried] + [grouped[name] for name in named[:ALONE_MODULES]],
    )
    costs = dict(zip(tried, losses, strict=False))
    rows = tuple({**row, "module": module[row["op_index"]], "alone_db": costs.get(row["op_index"])} for row in noisy)
    modules = [
        {"module": name, "ops": len(grouped[name]), "alone_db": loss}
        for name, loss in zip(named, losses[len(tried) :], strict=False)
        if loss is not None
    ]
    worst = sorted(rows, key=lambda row: BEST_DB + 1 if row["alone_db"] is None else row["alone_db"])
    return replace(details, tensors=tuple(worst), modules=tuple(sorted(modules, key=lambda one: one["alone_db"])))


def _flips(outputs: Iterable[tuple[Arrays, Arrays]]) -> Iterator[Flip]:
    for sample, (expected, got) in enumerate(outputs):
        for name, values in expected.items():
            if not is_class_like(values) or values.shape[0] != 1:
                continue
            want, found = int(values[0].argmax()), int(got[name][0].argmax())
            if want != found:
                yield Flip(sample, name, want, found, float(values[0, want] - values[0, found]))


def _with_pictures(flips: list[Flip], samples: SampleStore) -> tuple[Flip, ...]:
    """Of the first input that is an image."""
    wanted = {flip.sample for flip in flips}
    pictures = {place: _picture(one) for place, one in enumerate(_up_to(samples, wanted)) if place in wanted}
    return tuple(
        Flip(flip.sample, flip.output, flip.reference, flip.candidate, flip.lost, pictures.get(flip.sample))
        for flip in flips
    )


def _up_to(samples: SampleStore, wanted: set[int]) -> Iterator[Arrays]:
    return islice(samples, max(wanted, default=-1) + 1)


def _picture(sample: Arrays) -> str | None:
    for values in sample.values():
        pixels = picture_of(np.asarray(values), most=_PIXELS)
        if pixels is not None:
            return base64.b64encode(png_bytes(pixels)).decode()
    return None
