"""Two models side by side on the same samples: any source against any other, most often against a .tflite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.artifact.indices import free_integers, index_bounds
from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.artifact.summary import float_ops
from edge_sdk.artifact.suppressions import kept_outputs, suppressed_rows
from edge_sdk.converters.calls import call_pairs, compare_calls, moved_in_calls, ranked_in_calls
from edge_sdk.converters.jobs import Job
from edge_sdk.converters.options import Options, settings_from, source_options_from
from edge_sdk.converters.pairing import Pairing, is_tflite
from edge_sdk.converters.pipeline import run_jobs
from edge_sdk.converters.pixels import Fed, feed_pixels
from edge_sdk.converters.proving.conditioning import float_rows, moved_by_last_place
from edge_sdk.converters.proving.telling import faint_answers, few_carriers, other_orders
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.samples import SAMPLES
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import HAS_SIGNATURES, SourceOptions, front_end_name
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import ImageOptions, check_samples, open_data, seeded_samples, spool
from edge_sdk.data.checks import DataFacts
from edge_sdk.data.opening import DataSource
from edge_sdk.errors import SignatureError
from edge_sdk.findings import Finding
from edge_sdk.parity import Bound, OutputParity, ParityMeter
from edge_sdk.parity.detections import agreements, held_to_rows
from edge_sdk.parity.ordered import SecondLook
from edge_sdk.parity.ranking import ranked_outputs
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import find_recipe
from edge_sdk.rows import Tabular
from edge_sdk.signature import TensorSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Of the file whose results are looked at, a mistake shows in the first.
_FEW = 4


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """What two models gave on the same samples.

    ``tensors`` are intermediate results that two .tflite files hold under the same name, the worst first by what each
    costs alone, and ``details`` what a page shows of them, where asked for.
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
            to what ``convert`` holds it to (float rounding, and how the reference is conditioned), others to nothing.
        tensors: compare intermediate results with a .tflite candidate's too; of another source than a .tflite they are
            those of the float32 file that ``convert`` makes of it.
        calls: keys of signatures of two .tflite files, called in order on each sample; state is set back before the
            first and kept in between, and outputs are handed to later inputs of the same name. ``signature``: one call.
        progress: hears how far the work is.
        options: ``data``, ``samples``, ``seed``, ``images``, ``boxes``, ``classes``, ``min_sqnr_db``,
            and how to open the reference.

    Raises:
        SignatureError: inputs or outputs do not correspond.
        EdgeSdkError: a model cannot be opened or run.
    """
    progress = progress or Silent()
    asked = _asked(max_abs_error, options.get("min_sqnr_db"))
    signature, boxes, classes = options.get("signature"), options.get("boxes", {}), options.get("classes", {})
    if signature is not None and not calls and is_tflite(reference) and is_tflite(candidate):
        calls = (signature,)
    if tensors and not is_tflite(candidate):
        raise SignatureError(
            f"intermediate results are compared with those of a .tflite file, and {candidate} is none",
            hint="convert it first, and compare with the file",
        )
    if calls:
        if tensors or not (is_tflite(reference) and is_tflite(candidate)):
            raise SignatureError(
                "calls are compared of two .tflite files, by their outputs",
                hint="leave --tensors out, and convert the source first",
            )
        files = Path(str(reference)), Path(str(candidate))
        meter, check = compare_calls(*files, calls, options, progress)
        moved = partial(moved_in_calls, files[0], calls, options)
        again = SecondLook(
            ranked_in_calls(files[1], calls), partial(call_pairs, *files, calls, options), boxes, classes
        )
        rows = _held(meter, candidate, asked, moved, again)
        told = (*check_samples(check, purpose="comparison"), *_odd(rows, drawn=check.facts.drawn))
        return Comparison(str(reference), str(candidate), check.facts, rows, told)
    work_dir = options.get("work_dir")
    with Workshop(Path(work_dir) if work_dir else None, options.get("workers")) as shop:
        progress.stage("load both models")
        left = OpenSource(shop, reference, source_options_from(options), role="reference")
        left.refuse_text()
        given = {spec.name: spec.static_shape for spec in left.description.inputs}
        right = OpenSource(shop, candidate, _candidate_options(candidate, given, options), role="candidate")
        pairing = Pairing(left, right, reference, candidate)
        progress.stage("run both models")
        source, fed = _samples(reference, candidate, left.description.inputs, options)
        store, check = spool(
            source,
            left.description.inputs,
            shop.path("samples"),
            limit=options.get("samples") or SAMPLES,
            seed=options.get("seed", 0),
        )
        findings = [*fed.findings, *check_samples(check, purpose="comparison", pixels=fed.unscaled)]
        expected = shop.path("expected")
        count = left.run(store.folder, expected)
        meter = pairing.meter(boxes, classes)
        pairing.run(shop, store.folder)
        pairs = partial(pairing.pairs, shop, expected, count)
        for wanted, found in pairs():
            pairing.check(wanted, found)
            meter.add(wanted, found)
        moved = partial(moved_by_last_place, shop, left, store.folder, expected)
        ranked = suppressed = frozenset[str]()
        if is_tflite(candidate):
            artifact = read_artifact(str(candidate))
            ranked, suppressed = ranked_outputs(artifact), suppressed_rows(artifact)
        again = SecondLook(ranked, pairs, boxes, classes, suppressed)
        rows = _held(meter, candidate, asked, moved, again, left.description.precision)
        details = None
        if tensors:
            file = _float_file(reference, shop, options, progress)
            details = pairing.details(shop, file, store, expected)
    odd = (*_odd(rows, drawn=check.facts.drawn), *few_carriers(rows), *_same_file(reference, candidate, rows))
    blamed = tuple(dict(row) for row in details.tensors) if details else ()
    return Comparison(
        str(reference), str(candidate), check.facts, rows, (*findings, *pairing.findings, *odd), blamed, details
    )


def _float_file(reference: object, shop: Workshop, options: Options, progress: Progress) -> Path:
    """The reference where it is a .tflite file, else the float32 file that ``convert`` makes of it."""
    if is_tflite(reference):
        return Path(str(reference))
    progress.stage("make the reference's float32 file")
    target = shop.path("reference_float32.tflite")
    told: Options = {**options, "timing": False, "samples": _FEW}
    list(run_jobs(reference, [Job(find_recipe("float32"), target)], settings_from(told)))
    return target


def _odd(rows: Sequence[OutputParity], *, drawn: bool) -> list[Finding]:
    return [*other_orders(rows), *faint_answers(rows, drawn=drawn)] + [
        Finding("parity-no-power", "warning", "hardly changes between samples: agreement proves nothing", row.name)
        for row in rows
        if not row.has_power
    ]


def _same_file(reference: object, candidate: object, rows: Sequence[OutputParity]) -> list[Finding]:
    """Why a file differs from itself: two engines ran it."""
    if not (is_tflite(reference) and is_tflite(candidate)) or all(row.max_abs_error == 0 for row in rows):
        return []
    if read_artifact(str(reference)).sha256 != read_artifact(str(candidate)).sha256:
        return []
    message = (
        "both are one file, by SHA-256: what differs is the engine; REFERENCE ran by its own kernels without a "
        "delegate, CANDIDATE by XNNPACK, as a device runs it"
    )
    return [Finding("same-file-other-kernels", "info", message, str(candidate))]


def _candidate_options(candidate: object, given: dict[str, tuple[int, ...]], options: Options) -> SourceOptions:
    """A candidate that is a source itself is opened for the reference's shapes; a file has its own."""
    if is_tflite(candidate):
        return SourceOptions()
    wanted = replace(source_options_from(options), shapes=given, batch=None)
    return wanted if front_end_name(candidate) in HAS_SIGNATURES else replace(wanted, signature=None)


def _samples(
    reference: object, candidate: object, specs: tuple[TensorSpec, ...], options: Options
) -> tuple[DataSource, Fed]:
    """What both run on; images as the model wants them, where a .tflite of the two tells."""
    data, images = options.get("data"), options.get("images", ImageOptions())
    files = [read_artifact(str(source)) for source in (reference, candidate) if is_tflite(source)]
    fed = feed_pixels(files, specs, images, [data])
    if data is not None:
        return open_data(data, specs, images=fed.images), fed
    seed, count = options.get("seed", 0), options.get("samples") or SAMPLES
    bounds, free = (index_bounds(files[-1]), free_integers(files[-1])) if is_tflite(candidate) else ({}, frozenset())
    source = DataSource(
        f"seeded data (seed {seed})",
        count,
        lambda: seeded_samples(specs, count=count, seed=seed, index_bounds=bounds, free=free),
        drawn=True,
    )
    return source, fed


def _asked(max_abs_error: float | None, min_sqnr_db: float | None) -> Bound | None:
    if max_abs_error is not None:
        return Bound("max_abs_error", max_abs_error, "asked for with --max-abs-error")
    return None if min_sqnr_db is None else Bound("sqnr_db", min_sqnr_db, "asked for with --min-sqnr-db")


def _held(
    meter: ParityMeter,
    candidate: object,
    asked: Bound | None,
    moved: Callable[[], Mapping[str, float]],
    again: SecondLook,
    precision: str = "float32",
) -> tuple[OutputParity, ...]:
    """Outputs with their bounds: what was asked for, or for a float file those that ``convert`` holds it to."""
    if asked is not None:
        bounds = dict.fromkeys(meter.max_abs_reference(), asked)
        return again.held(meter, lambda outputs: outputs.report(bounds))
    artifact = read_artifact(str(candidate)) if is_tflite(candidate) else None
    if artifact is None:
        return meter.report()
    if not _is_plain_float(artifact):
        tables = kept_outputs(artifact)
        found = agreements(tables, again.pairs(), again.boxes) if tables else []
        return held_to_rows(meter.report(), tables, found, [None] * len(tables))
    return float_rows(artifact, meter, precision, moved, again)


def _is_plain_float(artifact: Artifact) -> bool:
    constants = {t.dtype for graph in artifact.subgraphs for t in graph.tensors if t.constant is not None}
    return bool(float_ops(artifact)) and not constants & {"int8", "uint8", "int16", "float16"}
