"""Two .tflite files side by side over a sequence of calls, such as prefill and then decode, state kept in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.options.data import DataOptions
from edge_sdk.converters.proving.conditioning import most_moved, nudged
from edge_sdk.converters.samples import SAMPLES
from edge_sdk.data import ImageOptions, SampleCheck, open_data
from edge_sdk.data.opening import DataSource
from edge_sdk.engines.sequence import CallSequence
from edge_sdk.errors import CalibrationError, SignatureError
from edge_sdk.parity import ParityMeter
from edge_sdk.parity.ranking import ranked_outputs
from edge_sdk.progress import Progress
from edge_sdk.runtime.session import Session
from edge_sdk.signature import Arrays, shape_text


def compare_calls(
    reference: Path, candidate: Path, calls: Sequence[str], options: DataOptions, progress: Progress
) -> tuple[ParityMeter, SampleCheck]:
    """Runs both files on the same samples, each from its first state; outputs are named ``LABEL/NAME``.

    The reference runs on the engine's own kernels, the candidate with XNNPACK where that takes it.

    Raises:
        SignatureError: calls do not correspond.
        CalibrationError: the data does not fit, or holds nothing.
        EdgeSdkError: a file cannot be opened or run.
    """
    progress.stage("load both models")
    with (
        Session.open(reference, delegate="cpu", keep_state=True) as left,
        Session.open(candidate, delegate=("xnnpack", "cpu"), keep_state=True) as right,
    ):
        first, second = left.sequence(calls), right.sequence(calls)
        check_calls(first, second)
        source, most = _source(first, options), options.get("samples") or SAMPLES
        check = SampleCheck(source.description, first.inputs, drawn=source.drawn)
        meter = ParityMeter(boxes=options.get("boxes"), classes=options.get("classes"))
        progress.stage("run both models")
        for count, sample in enumerate(islice(check.watch(source.samples()), most), 1):
            expected, got = first.run(sample), second.run(sample)
            for name, values in expected.items():
                if values.shape != got[name].shape:
                    raise SignatureError(
                        f"output `{name}` has shape {shape_text(values.shape)} in the reference, "
                        f"{shape_text(got[name].shape)} in the candidate"
                    )
            meter.add(expected, got)
            progress.count(count, source.count)
        if not meter.max_abs_reference():
            raise CalibrationError(f"{source.description}: holds no sample")
        return meter, check


def call_pairs(
    reference: Path, candidate: Path, calls: Sequence[str], options: DataOptions
) -> Iterator[tuple[Arrays, Arrays]]:
    """What :func:`compare_calls` compared, once more, sample by sample; errors as there."""
    with (
        Session.open(reference, delegate="cpu", keep_state=True) as left,
        Session.open(candidate, delegate=("xnnpack", "cpu"), keep_state=True) as right,
    ):
        first, second = left.sequence(calls), right.sequence(calls)
        for sample in islice(_source(first, options).samples(), options.get("samples", 32)):
            yield first.run(sample), second.run(sample)


def ranked_in_calls(file: Path, calls: Sequence[str]) -> frozenset[str]:
    """As :func:`~edge_sdk.parity.ranking.ranked_outputs`, of each call."""
    artifact = read_artifact(file)
    with Session.open(file, delegate="cpu", keep_state=True) as session:
        labelled = session.sequence(calls).calls
    ranked = ((call.label, ranked_outputs(artifact.with_signature(call.key))) for call in labelled)
    return frozenset(f"{label}/{name}" for label, names in ranked for name in names)


def moved_in_calls(reference: Path, calls: Sequence[str], options: DataOptions) -> dict[str, float]:
    """As :func:`~edge_sdk.converters.proving.conditioning.moved_by_last_place`, over a sequence of calls.

    Raises:
        EdgeSdkError: the file cannot be opened or run.
    """
    with Session.open(reference, delegate="cpu", keep_state=True) as session:
        sequence = session.sequence(calls)
        source, most = _source(sequence, options), options.get("samples") or SAMPLES
        samples = list(islice(source.samples(), most))
        pairs = zip(samples, nudged(samples), strict=True)
        return most_moved((sequence.run(before), sequence.run(after)) for before, after in pairs)


def check_calls(reference: CallSequence, candidate: CallSequence) -> None:
    """Whether both take the same values and give the same outputs.

    Raises:
        SignatureError: they do not.
    """
    for what, own, other in (
        ("input", reference.inputs, candidate.inputs),
        ("output", reference.outputs, candidate.outputs),
    ):
        names, others = sorted(spec.name for spec in own), sorted(spec.name for spec in other)
        if names != others:
            raise SignatureError(
                f"the {what}s differ: {', '.join(names)} in the reference, {', '.join(others)} in the candidate",
                hint="an input that an earlier call hands on in one file must be handed on in the other",
            )
    theirs = {spec.name: spec for spec in candidate.inputs}
    for spec in reference.inputs:
        if (theirs[spec.name].shape, theirs[spec.name].dtype) != (spec.shape, spec.dtype):
            raise SignatureError(f"input {spec} of the reference is {theirs[spec.name]} in the candidate")


def _source(sequence: CallSequence, options: DataOptions) -> DataSource:
    data, seed, count = options.get("data"), options.get("seed", 0), options.get("samples") or SAMPLES
    if data is not None:
        return open_data(data, sequence.inputs, images=options.get("images", ImageOptions()))
    return DataSource(f"seeded data (seed {seed})", count, lambda: sequence.drawn(count=count, seed=seed), drawn=True)
