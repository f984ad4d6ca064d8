"""Two models side by side on the same samples: any source against any other, most often against a .tflite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.artifact.indices import free_integers, index_bounds
from edge_sdk.artifact.model import read_artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters.calls import compare_calls
from edge_sdk.converters.layout import Axes
from edge_sdk.converters.options import Options, source_options_from
from edge_sdk.converters.proving.details import details_of, with_op_times
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import HAS_SIGNATURES, SourceOptions, front_end_name, read_outputs
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import ImageOptions, check_samples, open_data, seeded_samples, spool
from edge_sdk.data.checks import DataFacts
from edge_sdk.data.opening import DataSource
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import SignatureError
from edge_sdk.findings import Finding
from edge_sdk.parity import Bound, OutputParity, ParityMeter, float_bound
from edge_sdk.progress import Progress, Silent
from edge_sdk.rows import Tabular
from edge_sdk.signature import TensorSpec, shape_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

_PERMUTATIONS = ((0, 2, 3, 1), (0, 3, 1, 2))


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """What two models gave on the same samples.

    ``tensors`` are intermediate results that two .tflite files hold under the same name, and ``details`` what a page
    shows of them, where asked for.
    """

    reference: str
    candidate: str
    data: DataFacts
    outputs: tuple[OutputParity, ...]
    findings: tuple[Finding, ...]
    tensors: tuple[dict[str, Any], ...] = ()
    details: Details | None = None

    @property
    def ok(self) -> bool:
        """Every output is within its bound, or none was asked for."""
        return all(row.ok for row in self.outputs)

    def headline(self) -> str:
        """Which two, and whether bounds hold."""
        asked = any(row.bound for row in self.outputs)
        verdict = ("within bounds" if self.ok else "BEYOND") if asked else "compared, no bound asked for"
        return f"{self.candidate} against {self.reference}: {verdict}"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each output."""
        return [{"output": row.name, **row.figures()} for row in self.outputs]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "reference": self.reference,
            "candidate": self.candidate,
            "ok": self.ok,
            "data": self.data.as_json(),
            "outputs": [row.as_json() for row in self.outputs],
            "tensors": list(self.tensors),
            "details": self.details.as_json() if self.details else None,
            "findings": [finding.as_json() for finding in self.findings],
        }


def compare(
    reference: object,
    candidate: object,
    *,
    max_abs_error: float | None = None,
    tensors: bool = False,
    calls: Sequence[str] = (),
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Comparison:
    """Runs both models on the same samples and compares their outputs by name.

    Args:
        reference: any source that ``convert`` takes; samples are in its layout.
        candidate: likewise; a .tflite that edge-sdk made says how its layout differs.
        max_abs_error: bound on every output; with neither this nor ``min_sqnr_db`` a float .tflite candidate is held
            to float32 rounding, and others to nothing.
        tensors: compare intermediate results of two .tflite files too.
        calls: keys of signatures of two .tflite files, called in order on each sample; state is set back before the
            first and kept in between, and outputs are handed to later inputs of the same name. ``signature``: one call.
        progress: hears how far the work is.
        options: ``data``, ``samples``, ``seed``, ``images``, ``min_sqnr_db``, and how to open the reference.

    Raises:
        SignatureError: inputs or outputs do not correspond.
        EdgeSdkError: a model cannot be opened or run.
    """
    progress = progress or Silent()
    signature = options.get("signature")
    if signature is not None and not calls and _is_tflite(reference) and _is_tflite(candidate):
        calls = (signature,)
    if calls:
        if tensors or not (_is_tflite(reference) and _is_tflite(candidate)):
            raise SignatureError(
                "calls are compared of two .tflite files, by their outputs",
                hint="leave --tensors out, and convert the source first",
            )
        files = Path(str(reference)), Path(str(candidate))
        meter, check = compare_calls(*files, calls, options, progress)
        rows = meter.report(_bounds(meter, candidate, max_abs_error, options.get("min_sqnr_db")))
        told = (*check_samples(check, purpose="comparison"), *_powerless(rows))
        return Comparison(str(reference), str(candidate), check.facts, rows, told)
    work_dir = options.get("work_dir")
    with Workshop(Path(work_dir) if work_dir else None, options.get("workers")) as shop:
        progress.stage("load both models")
        left = OpenSource(shop, reference, source_options_from(options), role="reference")
        left.refuse_text()
        given = {spec.name: spec.static_shape for spec in left.description.inputs}
        right = OpenSource(shop, candidate, _candidate_options(candidate, given, options), role="candidate")
        pairing = _Pairing(left, right, reference, candidate)
        progress.stage("run both models")
        store, check = spool(
            _samples(candidate, left.description.inputs, options),
            left.description.inputs,
            shop.path("samples"),
            limit=options.get("samples", 32),
            seed=options.get("seed", 0),
        )
        findings = check_samples(check, purpose="comparison")
        expected = shop.path("expected")
        count = left.run(store.folder, expected)
        meter = ParityMeter()
        got = pairing.run(shop, store.folder, count)
        for wanted, found in zip(read_outputs(expected, left.description.outputs, count), got, strict=True):
            pairing.check(wanted, found)
            meter.add(wanted, found)
        rows = meter.report(_bounds(meter, candidate, max_abs_error, options.get("min_sqnr_db")))
        details = pairing.details(shop, reference, store, expected) if tensors else None
    powerless = (*_powerless(rows), *_same_file(reference, candidate, rows))
    blamed = tuple(dict(row) for row in details.tensors) if details else ()
    return Comparison(
        str(reference), str(candidate), check.facts, rows, (*findings, *pairing.findings, *powerless), blamed, details
    )


def _powerless(rows: Sequence[OutputParity]) -> list[Finding]:
    return [
        Finding("parity-no-power", "warning", "hardly changes between samples: agreement proves nothing", row.name)
        for row in rows
        if not row.has_power
    ]


def _same_file(reference: object, candidate: object, rows: Sequence[OutputParity]) -> list[Finding]:
    """Why a file differs from itself: two engines ran it."""
    if not (_is_tflite(reference) and _is_tflite(candidate)) or all(row.max_abs_error == 0 for row in rows):
        return []
    if read_artifact(str(reference)).sha256 != read_artifact(str(candidate)).sha256:
        return []
    message = (
        "both are one file, by SHA-256: what differs is the engine; REFERENCE ran by its own kernels without a "
        "delegate, CANDIDATE by XNNPACK, as a device runs it"
    )
    return [Finding("same-file-other-kernels", "info", message, str(candidate))]


class _Pairing:
    """Which input and output of the candidate stands for which of the reference, and in which layout."""

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

    def run(self, shop: Workshop, samples: Path, count: int) -> Any:
        """The candidate's outputs in the reference's layout, one run at a time."""
        outputs = shop.path("got")
        if _is_tflite(self._candidate):
            shop.worker("engine").function(
                "edge_sdk.converters.proving.candidate:run",
                "running the candidate",
                path=str(Path(str(self._candidate)).absolute()),
                samples=str(samples),
                outputs=str(outputs),
                input_axes=dict(self.input_axes),
                output_axes=dict(self.output_axes),
            )
            return read_outputs(outputs, self._right.outputs, count)
        if any(axes is not None for axes in self.input_axes.values()):
            raise SignatureError("both models are sources, but their inputs differ in layout")
        self._source.run(samples, outputs)
        return read_outputs(outputs, self._right.outputs, count)

    def check(self, expected: Any, got: Any) -> None:
        """Shapes of outputs must agree; images may come channels-last."""
        for name, values in expected.items():
            if values.shape != got[name].shape:
                raise SignatureError(
                    f"output `{name}` has shape {shape_text(values.shape)} in the reference, "
                    f"{shape_text(got[name].shape)} in the candidate"
                )

    def details(self, shop: Workshop, reference: object, samples: SampleStore, expected: Path) -> Details:
        """Intermediate results, for two .tflite files, after :meth:`run`."""
        if not (_is_tflite(reference) and _is_tflite(self._candidate)):
            raise SignatureError(
                "intermediate results can be compared between two .tflite files only",
                hint="convert the source to float32 first and compare with that",
            )
        count = samples.count
        wanted = read_outputs(expected, self._left.outputs, count)
        got = read_outputs(shop.path("got"), self._right.outputs, count)
        files = Path(str(reference)), Path(str(self._candidate))
        found = details_of(shop, *files, samples, zip(wanted, got, strict=True), self.input_axes)
        return with_op_times(found, shop, files[1])


def _is_tflite(source: object) -> bool:
    return isinstance(source, str | Path) and Path(source).suffix == ".tflite"


def _noted_axes(source: object) -> dict[str, list[int] | None]:
    """How a file that edge-sdk made is laid out against its own source, by input and output name."""
    note = (note_of(read_artifact(str(source))) if _is_tflite(source) else None) or {}
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


def _candidate_options(candidate: object, given: dict[str, tuple[int, ...]], options: Options) -> SourceOptions:
    """A candidate that is a source itself is opened for the reference's shapes; a file has its own."""
    if _is_tflite(candidate):
        return SourceOptions()
    wanted = replace(source_options_from(options), shapes=given, batch=None)
    return wanted if front_end_name(candidate) in HAS_SIGNATURES else replace(wanted, signature=None)


def _samples(candidate: object, specs: tuple[TensorSpec, ...], options: Options) -> DataSource:
    data, images = options.get("data"), options.get("images", ImageOptions())
    if data is not None:
        return open_data(data, specs, images=images)
    seed, count = options.get("seed", 0), options.get("samples", 32)
    artifact = read_artifact(str(candidate)) if _is_tflite(candidate) else None
    bounds, free = (index_bounds(artifact), free_integers(artifact)) if artifact else ({}, frozenset[str]())
    return DataSource(
        f"seeded data (seed {seed})",
        count,
        lambda: seeded_samples(specs, count=count, seed=seed, index_bounds=bounds, free=free),
    )


def _bounds(
    meter: ParityMeter, candidate: object, max_abs_error: float | None, min_sqnr_db: float | None
) -> dict[str, Bound]:
    largest = meter.max_abs_reference()
    if max_abs_error is not None:
        return dict.fromkeys(largest, Bound("max_abs_error", max_abs_error, "asked for with --max-abs-error"))
    if min_sqnr_db is not None:
        return dict.fromkeys(largest, Bound("sqnr_db", min_sqnr_db, "asked for with --min-sqnr-db"))
    if _is_tflite(candidate):
        artifact = read_artifact(str(candidate))
        if _is_plain_float(artifact):
            return {name: float_bound(artifact, value, output=name) for name, value in largest.items()}
    return {}


def _is_plain_float(artifact: Any) -> bool:
    constants = {t.dtype for graph in artifact.subgraphs for t in graph.tensors if t.constant is not None}
    return bool(float_ops(artifact)) and not constants & {"int8", "uint8", "int16", "float16"}
