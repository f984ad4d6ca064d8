"""Which input and output of one model stands for which of another, and in which layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import read_artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.converters.layout import Axes
from edge_sdk.converters.proving.details import details_of, with_losses_alone, with_op_times
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import read_outputs
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import SignatureError
from edge_sdk.findings import Finding
from edge_sdk.parity.boxes import check_told
from edge_sdk.parity.compare import ParityMeter
from edge_sdk.parity.scores import check_told_classes
from edge_sdk.parity.slices import parts_of, step_of
from edge_sdk.signature import Arrays, TensorSpec, shape_text

_PERMUTATIONS = ((0, 2, 3, 1), (0, 3, 1, 2))


class Pairing:
    """Two open models side by side.

    Args:
        left: the reference.
        right: the candidate.
        reference: what it was opened from.
        candidate: likewise.

    Raises:
        SignatureError: inputs or outputs do not correspond.
    """

    def __init__(self, left: OpenSource, right: OpenSource, reference: object, candidate: object) -> None:
        self._left, self._right = left.description, right.description
        self._source = right
        self._candidate = candidate
        self.findings: list[Finding] = []
        noted = _relative(_noted_axes(reference), _noted_axes(candidate))
        _same_names("input", [s.name for s in self._left.inputs], [s.name for s in self._right.inputs])
        _same_names("output", list(self._left.outputs), list(self._right.outputs))
        theirs = {spec.name: spec for spec in self._right.inputs}
        self.input_axes: Axes = {s.name: self._axes(s, theirs[s.name], noted) for s in self._left.inputs}
        self.output_axes: Axes = {name: noted.get(name) for name in self._left.outputs}

    def _axes(self, own: TensorSpec, other: TensorSpec, noted: Axes) -> Sequence[int] | None:
        axes = noted.get(own.name)
        if axes is not None and _moved(own.static_shape, axes) == other.static_shape:
            return axes
        if own.static_shape == other.static_shape:
            return None
        for candidate in _PERMUTATIONS:
            if len(own.shape) == 4 and _moved(own.static_shape, candidate) == other.static_shape:
                words = (
                    f"{shape_text(own.shape)} in the reference, {shape_text(other.shape)} in the candidate: transposed"
                )
                self.findings.append(Finding("layout-differs", "info", words, f"input `{own.name}`"))
                return candidate
        raise SignatureError(
            f"input `{own.name}` has shape {shape_text(own.shape)} in the reference, "
            f"{shape_text(other.shape)} in the candidate",
            hint="choose open dimensions with --batch or --input NAME=SHAPE",
        )

    def run(self, shop: Workshop, samples: Path) -> None:
        """Runs the candidate on samples in the reference's layout."""
        outputs = shop.path("got")
        if is_tflite(self._candidate):
            shop.worker("engine").function(
                "edge_sdk.converters.proving.candidate:run",
                "running the candidate",
                path=str(Path(str(self._candidate)).absolute()),
                samples=str(samples),
                outputs=str(outputs),
                input_axes=dict(self.input_axes),
                output_axes=dict(self.output_axes),
            )
            return
        if any(axes is not None for axes in self.input_axes.values()):
            raise SignatureError("both models are sources, but their inputs differ in layout")
        self._source.run(samples, outputs)

    def pairs(self, shop: Workshop, expected: Path, count: int) -> Iterator[tuple[Arrays, Arrays]]:
        """Both sides' outputs in the reference's layout, one run at a time, after :meth:`run`."""
        wanted = read_outputs(expected, self._left.outputs, count)
        return zip(wanted, read_outputs(shop.path("got"), self._right.outputs, count), strict=True)

    def meter(self, boxes: Mapping[str, str], classes: Mapping[str, str]) -> ParityMeter:
        """For outputs in the reference's layout; parts and steps are those of a .tflite candidate.

        Args:
            boxes: output name to a form of boxes, from the user.
            classes: output name to the axis of its classes, likewise.

        Raises:
            SignatureError: there is no such output.
        """
        names = self._left.outputs
        check_told(boxes, names)
        check_told_classes(classes, names)
        if not is_tflite(self._candidate):
            return ParityMeter(boxes=boxes, classes=classes)
        artifact = read_artifact(str(self._candidate))
        parts = {name: parts_of(artifact, name, self.output_axes[name]) for name in names}
        return ParityMeter(parts, {name: step_of(artifact, name) for name in names}, boxes, classes)

    def check(self, expected: Any, got: Any) -> None:
        """Shapes of outputs must agree; images may come channels-last."""
        for name, values in expected.items():
            if values.shape != got[name].shape:
                raise SignatureError(
                    f"output `{name}` has shape {shape_text(values.shape)} in the reference, "
                    f"{shape_text(got[name].shape)} in the candidate"
                )

    def details(self, shop: Workshop, reference: Path, samples: SampleStore, expected: Path) -> Details:
        """Intermediate results of a .tflite candidate, after :meth:`run`.

        Args:
            shop: workers and folder.
            reference: the reference as a float .tflite file, laid out as the candidate.
            samples: that both ran on.
            expected: folder of the reference's outputs.

        Raises:
            SignatureError: the reference's file has its inputs in another layout.
        """
        files = reference, Path(str(self._candidate))
        shapes = [{name: t.shape for name, t in read_artifact(one).signature.inputs.items()} for one in files]
        if shapes[0] != shapes[1]:
            what = f"{self._candidate} has inputs {shapes[1]}, the reference's float32 file {shapes[0]}"
            raise SignatureError(f"{what}: their results differ in layout", hint="compare files of one conversion")
        found = details_of(shop, *files, samples, self.pairs(shop, expected, samples.count), self.input_axes)
        found = with_losses_alone(found, shop, *files, samples, self.input_axes)
        return with_op_times(found, shop, files[1])


def is_tflite(source: object) -> bool:
    """Whether a source is a .tflite file, by its name."""
    return isinstance(source, str | Path) and Path(source).suffix == ".tflite"


def _noted_axes(source: object) -> dict[str, list[int] | None]:
    """How a file that edge-sdk made is laid out against its own source, by input and output name."""
    note = (note_of(read_artifact(str(source))) if is_tflite(source) else None) or {}
    return {port["name"]: port["axes"] for port in (*note.get("inputs", ()), *note.get("outputs", ()))}


def _relative(
    reference: Mapping[str, Sequence[int] | None], candidate: Mapping[str, Sequence[int] | None]
) -> dict[str, Sequence[int] | None]:
    """From the reference's layout to the candidate's, where both may differ from a common source."""
    found: dict[str, Sequence[int] | None] = {}
    for name in {**reference, **candidate}:
        back, forth = reference.get(name), candidate.get(name)
        if back is None:
            found[name] = forth
            continue
        inverse = [back.index(axis) for axis in range(len(back))]
        steps = [inverse[axis] for axis in forth] if forth is not None else inverse
        found[name] = None if steps == sorted(steps) else steps
    return found


def _moved(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in axes)


def _same_names(what: str, own: list[str], other: list[str]) -> None:
    if sorted(own) != sorted(other):
        raise SignatureError(
            f"the {what}s differ: {', '.join(own)} in the reference, {', '.join(other)} in the candidate",
            hint="edge-sdk keeps names; a file of another tool may have lost them",
        )
