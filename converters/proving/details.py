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
from edge_sdk.parity.classes import is_class_like
from edge_sdk.signature import Arrays

SAMPLES = 8
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
