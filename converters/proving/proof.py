"""Candidates against the source: the same samples through both, and a bound for every output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.layout import laid_out
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import read_outputs
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data.checks import DataFacts
from edge_sdk.data.opening import DataSource
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import ConversionError, ParityError
from edge_sdk.findings import Finding
from edge_sdk.parity.bounds import Bound, float_bound, quantized_bound
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.recipe import Recipe
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.converters.proving.float_model import FloatModel

_RUN = "edge_sdk.converters.proving.candidate:run"
_BLAMED = 3


class Proof:
    """Compares files with one source on one set of samples; the source runs once.

    Args:
        shop: workers and folder.
        source: the open source.
        data: what to compare on; None for seeded data.
        min_power_samples: samples for the statistics behind a quantized file's bound.
    """

    def __init__(self, shop: Workshop, source: OpenSource, data: DataSource | None, *, min_power_samples: int) -> None:
        self.data = data
        self._shop = shop
        self._source = source
        self._power_samples = min_power_samples
        self._store: SampleStore | None = None
        self._facts: DataFacts | None = None
        self._reference_count = 0
        self._power: dict[Path, dict[str, float]] = {}

    @property
    def begun(self) -> bool:
        """Whether the samples are there and the source was run on them."""
        return self._store is not None

    @property
    def facts(self) -> DataFacts:
        """What the samples are."""
        if self._facts is None:
            raise ValueError("begin() first")
        return self._facts

    def begin(self, store: SampleStore, facts: DataFacts) -> None:
        """Runs the source on the samples."""
        self._reference_count = self._source.run(store.folder, self._shop.path("reference"))
        self._store, self._facts = store, facts

    def measure(
        self,
        path: Path,
        input_axes: Mapping[str, Any],
        output_axes: Mapping[str, Any],
        *,
        reference: str = "reference",
    ) -> ParityMeter:
        """Runs a file on the samples and sums up the errors of its outputs.

        Raises:
            ConversionError: an output has another shape than the source's, or the engine died.
            ModelError: the engine refuses the file.
        """
        outputs = self._shop.path("candidate")
        names = self._source.description.outputs
        count = self._shop.worker("engine").function(
            _RUN,
            f"running {path.name}",
            path=str(path),
            samples=str(self._samples),
            outputs=str(outputs),
            input_axes=dict(input_axes),
            output_axes=dict(output_axes),
        )
        meter = ParityMeter()
        references = read_outputs(self._shop.path(reference), names, self._reference_count)
        for expected, got in zip(references, read_outputs(outputs, names, count), strict=True):
            for name in names:
                if expected[name].shape != got[name].shape:
                    shapes = f"{list(got[name].shape)}, the source's is {list(expected[name].shape)}"
                    raise ConversionError(f"output `{name}` has shape {shapes}")
            meter.add(expected, got)
        return meter

    def of_file(self, path: Path, lowered: FloatModel, recipe: Recipe) -> tuple[OutputParity, ...]:
        """Parity rows of a finished file, each with its bound."""
        reference = self._reference_of(lowered, recipe)
        meter = self.measure(path, lowered.input_axes, lowered.output_axes, reference=reference)
        artifact = read_artifact(path)
        largest = meter.max_abs_reference()
        if recipe.mode == "float" and recipe.min_sqnr_db is None:
            precision = self._source.description.precision
            return meter.report({name: float_bound(artifact, value, precision) for name, value in largest.items()})
        bound = quantized_bound(artifact, self._tensor_power(lowered), min_sqnr_db=recipe.min_sqnr_db)
        return meter.report(dict.fromkeys(largest, bound))

    def _reference_of(self, lowered: FloatModel, recipe: Recipe) -> str:
        """What a file is compared with: a trained int8 file with the model as it was trained, rounding included."""
        if lowered.quantized is None or recipe.mode != "static_range":
            return "reference"
        self._source.run_rounded(self._samples, self._shop.path("reference_rounded"))
        return "reference_rounded"

    def worst(self, rows: Sequence[OutputParity]) -> str:
        """The output furthest beyond its bound, in words."""
        row = min((r for r in rows if not r.ok), key=lambda r: r.sqnr_db, default=rows[0])
        bound = f", expected {row.bound}" if row.bound else ""
        return f"output `{row.name}`: max abs error {row.max_abs_error:.3g}, SQNR {row.sqnr_db:.1f} dB{bound}"

    def first(self, count: int, lowered: FloatModel) -> tuple[Arrays, ...]:
        """The first samples that files are compared on, in the file's layout."""
        every = laid_out(str(self._samples), lowered.input_axes)
        return tuple({name: np.array(values) for name, values in one.items()} for one in islice(every, count))

    def findings(self, rows: Sequence[OutputParity]) -> list[Finding]:
        """What the comparison itself could not tell."""
        return [
            Finding(
                "parity-no-power",
                "warning",
                f"changes by only {row.relative_variation:.1e} of its size between samples: agreement proves nothing",
                f"output `{row.name}`",
                "compare a trained model on real data (--data)",
            )
            for row in rows
            if not row.has_power
        ]

    def error(self, report: ConversionReport, path: Path, lowered: FloatModel) -> ParityError:
        """The error for a file beyond its bound: numbers, and the ops that lost most."""
        rows = self._blame(path, lowered)
        losers = sorted(rows, key=lambda row: -float(row["added_noise"]))[:_BLAMED]
        listing = ", ".join(f"{r['op']} `{_short(r['tensor'])}` ({_fall(r)})" for r in losers)
        return ParityError(
            f"{report.recipe}: {self.worst(report.parity)} ({_derivation(report.parity)})",
            report=report.as_json() | {"output": None, "tensors": rows},
            hint=(f"most was lost at {listing}; " if listing else "")
            + "leave such ops in float (--keep-float-tensor), take another recipe, or accept with --min-sqnr-db",
        )

    def _blame(self, path: Path, lowered: FloatModel) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._shop.worker("engine").function(
            "edge_sdk.converters.proving.candidate:blame",
            "looking for the op at fault",
            reference=str(lowered.path),
            candidate=str(path),
            samples=str(self._samples),
            input_axes=lowered.input_axes,
            limit=self._power_samples,
        )
        return rows

    def _tensor_power(self, lowered: FloatModel) -> dict[str, float]:
        if lowered.path not in self._power:
            self._power[lowered.path] = self._shop.worker("engine").function(
                "edge_sdk.converters.proving.candidate:tensor_power",
                "observing the float file",
                path=str(lowered.path),
                samples=str(self._samples),
                input_axes=lowered.input_axes,
                limit=self._power_samples,
            )
        return self._power[lowered.path]

    @property
    def _samples(self) -> Path:
        if self._store is None:
            raise ValueError("begin() first")
        return self._store.folder


def _derivation(rows: Sequence[OutputParity]) -> str:
    bounds: list[Bound] = [row.bound for row in rows if row.bound and not row.ok]
    return bounds[0].derivation if bounds else "the float file did not pass"


def _fall(row: Mapping[str, Any]) -> str:
    return f"{row['sqnr_db'] + row['loss_db']:.0f} to {row['sqnr_db']:.0f} dB"


def _short(name: str) -> str:
    """TensorFlow joins the names of fused ops with `;`: the last part is the op itself."""
    return name.split(";", maxsplit=1)[0][-60:]
