"""Checks of sample values: what would spoil a calibration or make a comparison mean nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import CalibrationError, SignatureError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, TensorSpec, check_arrays

# TFLite's guide asks for 100 to 500 representative samples.
FEW_SAMPLES = 100
# One sample ten times as large as the median of ten or more sets every range by itself.
_WILD, _ENOUGH, _RARE = 10.0, 10, 0.05
# Two sets of one kind differ by less; 255 is what forgotten scaling makes.
_APART = 4.0
# Quartiles are taken of so many values of a sample, spread over it.
_QUARTILES = 4096


@dataclass(frozen=True)
class InputFacts:
    """What was seen of one input over all samples."""

    name: str
    minimum: float
    maximum: float
    integer_valued: bool
    rms: float = 0.0


@dataclass(frozen=True)
class DataFacts:
    """What was seen of a data source; ``drawn`` where samples were made up by a seed."""

    description: str
    count: int
    inputs: tuple[InputFacts, ...]
    drawn: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass
class _Watch:
    """Running minimum and maximum of one input; the only state that checking keeps."""

    minimum: float = np.inf
    maximum: float = -np.inf
    integer_valued: bool = True
    size: int = 0
    sizes: list[float] = field(default_factory=list)
    power: float = 0.0
    spreads: list[float] = field(default_factory=list)

    @property
    def step(self) -> float:
        """Of int8, over all that was seen and zero."""
        return (max(self.maximum, 0.0) - min(self.minimum, 0.0)) / 255

    @property
    def rms(self) -> float:
        return float(np.sqrt(self.power / len(self.sizes))) if self.sizes else 0.0

    @property
    def wild(self) -> list[int]:
        """Samples whose largest value is far beyond that of all others together."""
        usual = float(np.median(self.sizes)) if len(self.sizes) >= _ENOUGH else 0.0
        found = [place for place, size in enumerate(self.sizes) if size > _WILD * usual > 0]
        return found if len(found) <= len(self.sizes) * _RARE else []

    def see(self, values: npt.NDArray[Any]) -> None:
        if not values.size:
            return
        self.size = max(self.size, values.size)
        if values.dtype.kind == "f":
            flat = values.reshape(-1)
            self.sizes.append(float(np.max(np.abs(flat))))
            self.power += float(np.mean(np.square(flat, dtype=np.float64)))
            low, high = np.percentile(flat[:: -(-flat.size // _QUARTILES)], (25, 75))
            self.spreads.append(float(high - low))
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        # Whole numbers are told apart on a slice: a float image is either all whole or hardly ever.
        head = values.reshape(-1)[:256]
        self.integer_valued = self.integer_valued and bool(np.all(head == np.round(head)))


@dataclass
class SampleCheck:
    """Passes samples through and fails on the first that is wrong; ``facts`` is valid when all were seen."""

    description: str
    specs: Sequence[TensorSpec]
    count: int = 0
    drawn: bool = False
    _watches: dict[str, _Watch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watches = {spec.name: _Watch() for spec in self.specs}

    def watch(self, samples: Iterator[Arrays]) -> Iterator[Arrays]:
        """Yields the samples unchanged.

        Raises:
            CalibrationError: a wrong name, shape or dtype, or a NaN or infinity, with the sample's number.
        """
        for sample in samples:
            try:
                check_arrays(self.specs, sample)
            except SignatureError as error:
                raise CalibrationError(f"{self.description}, sample {self.count}: {error}", hint=error.hint) from error
            for name, values in sample.items():
                self._check_finite(name, values)
                self._watches[name].see(values)
            self.count += 1
            yield sample

    def _check_finite(self, name: str, values: npt.NDArray[Any]) -> None:
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            bad = "NaN" if np.isnan(values).any() else "an infinity"
            raise CalibrationError(
                f"{self.description}, sample {self.count}: input `{name}` holds {bad}",
                hint="such values would become the range of a tensor; remove these samples",
            )

    @property
    def facts(self) -> DataFacts:
        """What was seen so far."""
        inputs = (
            InputFacts(name, seen.minimum, seen.maximum, seen.integer_valued, seen.rms)
            for name, seen in self._watches.items()
        )
        return DataFacts(self.description, self.count, tuple(inputs), self.drawn)

    def wild_samples(self) -> dict[str, list[int]]:
        """Input name to the few samples that are far larger than all others."""
        return {name: seen.wild for name, seen in self._watches.items() if seen.wild}

    def drowned_inputs(self) -> dict[str, tuple[float, float]]:
        """Inputs of which half of the values of a usual sample differ by less than a step of int8: step and spread.

        Not where they are equal, as around what is drawn on a blank page.
        """
        found = {name: (seen.step, float(np.median(seen.spreads or [0.0]))) for name, seen in self._watches.items()}
        return {name: (step, spread) for name, (step, spread) in found.items() if 0 < spread < step}

    def float_inputs(self) -> int:
        """How many inputs hold floats, more than one each."""
        floats = (spec for spec in self.specs if np.issubdtype(np.dtype(spec.dtype), np.floating))
        return sum(self._watches[spec.name].size > 1 for spec in floats)

    def constant_inputs(self) -> list[str]:
        """Float inputs of more than one element in which every value of every sample is the same."""
        return [
            spec.name
            for spec in self.specs
            if (seen := self._watches[spec.name]).size > 1
            and seen.minimum == seen.maximum
            and np.issubdtype(np.dtype(spec.dtype), np.floating)
        ]


def differing_sets(calibration: DataFacts, comparison: DataFacts) -> list[Finding]:
    """Inputs whose values are several times as large in one set as in the other: one of them was scaled otherwise."""
    pairs = ((one, other) for one in calibration.inputs for other in comparison.inputs if one.name == other.name)
    return [
        Finding(
            "data-differs-by-factor",
            "warning",
            f"RMS {other.rms:.4g} in the comparison is {other.rms / one.rms:.3g} times the calibration's {one.rms:.4g}",
            f"input `{one.name}`",
            "scale both sets as in training",
        )
        for one, other in pairs
        if one.rms > 0 and other.rms > 0 and not 1 / _APART < other.rms / one.rms < _APART
    ]


def check_samples(check: SampleCheck, *, purpose: str, pixels: Collection[str] = ()) -> list[Finding]:
    """What the whole data set says, once it was read.

    Args:
        check: after its last sample.
        purpose: ``calibration`` or ``comparison``: few samples matter to the first only.
        pixels: inputs that want values from 0 to 255.

    Raises:
        CalibrationError: no samples, or no float input whose values change.
    """
    if check.count == 0:
        raise CalibrationError(f"{check.description}: there are no samples", hint="give at least 100")
    constant = check.constant_inputs()
    if constant and len(constant) == check.float_inputs():
        raise CalibrationError(
            f"{check.description}: input `{constant[0]}` has the same value everywhere",
            hint="constant data gives a range of zero; give real samples",
        )
    # Beside others that change it may be what the model begins with: the state of a recurrent layer.
    findings = [
        Finding(
            "data-constant-input",
            "warning" if purpose == "calibration" else "info",
            "it has the same value in every sample: what other values do is not seen",
            f"input `{name}`",
            "give the values that it has in use, as the states of a sequence",
        )
        for name in constant
    ]
    if purpose == "calibration" and check.count < FEW_SAMPLES:
        findings.append(
            Finding(
                "calibration-few-samples",
                "warning",
                f"{check.count} calibration samples are few",
                check.description,
                f"{FEW_SAMPLES} to 500 are usual",
            )
        )
    findings += [
        Finding(
            "data-looks-unnormalised",
            "warning",
            f"values from {seen.minimum:g} to {seen.maximum:g}, all whole numbers, look like raw pixels",
            f"input `{seen.name}`",
            "scale them as in training, unless the model does that itself",
        )
        for seen, spec in zip(check.facts.inputs, check.specs, strict=True)
        if spec.layout
        and seen.integer_valued
        and seen.maximum > 2
        and np.dtype(spec.dtype).kind == "f"
        and spec.name not in pixels
    ]
    findings += [
        Finding(
            "wild-sample",
            "warning",
            f"sample{'s' * (len(places) > 1)} {', '.join(map(str, places[:6]))} of {check.count}: more than "
            f"{_WILD:.0f} times as large as the others",
            f"input `{name}`",
            "it sets the range of every tensor; take it out unless such inputs are usual",
        )
        for name, places in check.wild_samples().items()
    ]
    findings += [
        Finding(
            "coarse-input",
            "warning",
            f"its step in int8 is {step:.3g}, and the middle half of a sample's values lies within {spread:.3g}",
            f"input `{name}`",
            "take its logarithm or clip it before the model, or a recipe with activations in float or int16",
        )
        for name, (step, spread) in check.drowned_inputs().items()
        if purpose == "calibration"
    ]
    return findings
