"""The self-test: golden inputs, what a CPU made of them, and how far another way of computing may be off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle.manifest import Arithmetic, Limit, Port


@dataclass(frozen=True)
class OutputFault:
    """One output that is off: what was measured, and the limit it broke."""

    output: str
    measured: float
    limit: Limit | None
    message: str


@dataclass(frozen=True)
class GoldenCase:
    """One run: raw inputs and expected raw outputs by name, mapped read-only, of the variant's own dtypes and shapes.

    ``tolerance`` maps an output's name to its limits, one for each arithmetic that can compute the model; ``ports`` to
    its dtype, shape, scale and zero point.
    """

    inputs: Mapping[str, npt.NDArray[np.generic]]
    outputs: Mapping[str, npt.NDArray[np.generic]]
    tolerance: Mapping[str, tuple[Limit, ...]]
    ports: Mapping[str, Port]

    def faults(self, got: Mapping[str, npt.NDArray[np.generic]], arithmetic: Arithmetic) -> tuple[OutputFault, ...]:
        """Outputs that are further off than the limit for this arithmetic; empty if the self-test is passed.

        Args:
            got: raw outputs by name.
            arithmetic: ``float16`` for an accelerator that computes float models in half precision, ``integer`` for a
                quantized model anywhere, else ``float32``.
        """
        found = (self._fault(name, got.get(name), arithmetic) for name in self.outputs)
        return tuple(fault for fault in found if fault is not None)

    def _fault(self, name: str, got: npt.NDArray[np.generic] | None, arithmetic: Arithmetic) -> OutputFault | None:
        expected = self.outputs[name]
        if got is None or got.shape != expected.shape or got.dtype != expected.dtype:
            shown = "nothing" if got is None else f"{got.dtype}{list(got.shape)}"
            words = f"expected {expected.dtype}{list(expected.shape)}, got {shown}"
            return OutputFault(name, math.inf, None, f"output `{name}`: {words}")
        limit = next((one for one in self.tolerance[name] if one.arithmetic == arithmetic), None)
        if limit is None:
            return OutputFault(name, math.inf, None, f"output `{name}`: no tolerance for {arithmetic} arithmetic")
        port = self.ports[name]
        measured = measure(limit.kind, real_values(expected, port), real_values(got, port))
        if holds(limit, measured):
            return None
        sign, word = ("<=", "max abs error") if limit.kind == "max_abs_error" else (">=", "SQNR")
        message = f"output `{name}`: {word} {measured:.4g}, expected {sign} {limit.value:.4g} ({limit.derivation})"
        return OutputFault(name, measured, limit, message)


@dataclass(frozen=True)
class SequenceCases:
    """Runs of calls of signatures that belong together; names are ``LABEL/NAME``."""

    calls: tuple[str, ...]
    cases: tuple[GoldenCase, ...]


def real_values(values: npt.NDArray[np.generic], port: Port) -> npt.NDArray[np.float64]:
    """What raw values stand for, in float64; of complex ones real and imaginary parts side by side."""
    if values.dtype.kind == "c":
        return np.atleast_1d(values.astype(np.complex128)).view(np.float64)
    wide = values.astype(np.float64)
    if port.scale is None or port.zero_point is None:
        return wide
    return (wide - port.zero_point) * port.scale


def measure(kind: str, expected: npt.NDArray[np.float64], got: npt.NDArray[np.float64]) -> float:
    """The largest absolute difference, or the SQNR in dB; the worst there is where a value is not finite."""
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(same, 0.0, expected - got)
    if not np.isfinite(error).all():
        return math.inf if kind == "max_abs_error" else -math.inf
    if kind == "max_abs_error":
        return float(np.max(np.abs(error), initial=0.0))
    noise = float(np.sum(error * error))
    signal = float(np.sum(np.where(np.isfinite(expected), expected, 0.0) ** 2))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def holds(limit: Limit, measured: float) -> bool:
    """Whether what was measured is within the limit."""
    return measured <= limit.value if limit.kind == "max_abs_error" else measured >= limit.value
