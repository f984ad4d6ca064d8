"""How far an output may move, and why: from float32 arithmetic, or from the file's own quantization steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edge_sdk.artifact.compute import accumulation_length, compute_type
from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.artifact.ties import MOVING

_UNIT_ROUNDOFF = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
# lambda of Higham and Mary; 8 covers the transcendental functions' few units in the last place as well.
_CONFIDENCE = 8.0
# ONNX Runtime and Eigen write the logistic as 0.5 + p(x) / q(x): it errs by units of 0.5 in the last place, however
# small it is. Measured on ONNX Runtime's: 1.4e-7 where no value is above 1e-5, from logits equal to 135 dB.
_LOGISTIC_ERROR = 4 * 2.0**-24
_TELLING = 0.01
_LEAST_DB = 10.0
# Between two ways of rounding the same weights; and for activations of 8 bits beside them.
_MARGIN_DB, _ROUNDED_ACTIVATIONS_DB = 3.0, 6.0
# Of rows that a suppression keeps.
_FOUND, _MARGIN_FOUND = 2 / 3, 0.1


@dataclass(frozen=True)
class Bound:
    """A limit with its derivation in words: an absolute error at most, an SQNR at least, or a share of kept rows.

    ``telling`` is False where rounding alone moves the source so far on the samples that they cannot tell.
    """

    kind: Literal["max_abs_error", "sqnr_db", "kept_rows"]
    value: float
    derivation: str
    telling: bool = True

    def holds(self, max_abs_error: float, sqnr_db: float) -> bool:
        """Whether measured numbers are within the limit; of kept rows see :mod:`.detections`.

        Raises:
            ValueError: the limit is of kept rows, of which these numbers say nothing.
        """
        if self.kind == "kept_rows":
            raise ValueError("kept rows have no error of values")
        return max_abs_error <= self.value if self.kind == "max_abs_error" else sqnr_db >= self.value

    def __str__(self) -> str:
        if self.kind == "kept_rows":
            return f"kept rows >= {self.value:.0%}"
        return f"max abs error <= {self.value:.3g}" if self.kind == "max_abs_error" else f"SQNR >= {self.value:.1f} dB"


def float_bound(
    artifact: Artifact, max_abs_reference: float, precision: str = "float32", *, output: str | None = None
) -> Bound:
    """The error that two float evaluations of the same graph may show.

    Each op that sums ``n`` products errs by about ``lambda * sqrt(n) * u`` of its result (Higham and Mary, "A new
    approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019, theorem 2.4); both sides
    err, and errors of all ops are added up. Of a coarser type each op's result is rounded once, for kernels sum in
    float32: ``lambda * sqrt(ops) * u`` by the same theorem. (As if they summed in it, a U-Net's bound was 40 times its
    largest value.) An output that is an integer must be equal. A logistic errs by units of 0.5 in the last place.

    Args:
        artifact: the float .tflite.
        max_abs_reference: largest magnitude of the output in the reference.
        precision: the coarser float type of the two: ``float32``, ``float16`` or ``bfloat16``.
        output: its name in the file's signature; others, as those of a sequence of calls, are not looked up.
    """
    roots = [
        math.sqrt(accumulation_length(graph, op))
        for graph, op in artifact.all_ops()
        if compute_type(graph, op) in ("float32", "float16", "hybrid_int8")
    ]
    units = _UNIT_ROUNDOFF["float32"] * max(1.0, sum(roots))
    if precision != "float32":
        units += _UNIT_ROUNDOFF[precision] * math.sqrt(max(1, len(roots)))
    relative = 2 * _CONFIDENCE * units
    words = f"{precision} rounding: {relative:.2g} of the largest value {max_abs_reference:.4g}"
    value = relative * max_abs_reference
    if output is not None and "LOGISTIC" in _makers(artifact, output):
        return Bound("max_abs_error", value + _LOGISTIC_ERROR, f"{words}, and {_LOGISTIC_ERROR:.2g} of a logistic")
    return Bound("max_abs_error", value, words)


def conditioned(bound: Bound, moved: float, max_abs_reference: float) -> Bound:
    """A float bound, wider where the source itself is ill-conditioned on these samples.

    An evaluation errs inside as a change of the inputs by one unit in the last place does at their end; eight times
    that is allowed, as of every rounding, on both sides. Where this is more than 1 % of the largest value the samples
    tell nothing, and the bound stays.

    Args:
        bound: from :func:`float_bound`.
        moved: the most that any value of the output moved by such a change.
        max_abs_reference: largest magnitude of the output in the reference.
    """
    value = 2 * _CONFIDENCE * moved
    words = f"the source itself moves by {moved:.2g} when its inputs change by one unit in the last place"
    if value <= bound.value:
        return bound
    if value > _TELLING * max_abs_reference:
        return replace(bound, derivation=f"{bound.derivation}; {words}", telling=False)
    return Bound("max_abs_error", value, f"{words}, times {2 * _CONFIDENCE:.0f}")


def _makers(artifact: Artifact, output: str) -> set[str]:
    """Names of the ops whose values an output has, wherever they were moved since."""
    graph, ports = artifact.main, artifact.signature.outputs
    made = graph.makers
    found, seen, ahead = set(), set(), [ports[output].index] if output in ports else []
    while ahead:
        op = made.get(ahead.pop())
        if op is None or op.index in seen:
            continue
        seen.add(op.index)
        if op.name in MOVING:
            ahead += op.inputs
        else:
            found.add(op.name)
    return found


def measured_bound(rounded_db: float, activations: str, *, min_sqnr_db: float | None = None) -> Bound:
    """The SQNR below which accuracy is lost, from what the source itself loses when its weights are rounded.

    The source was run with nothing but its weights rounded as the file's are, each result in float: no file of that
    precision does better. Activations of 8 bits round again, about four times as strongly as weights with a scale for
    each channel, which is 6 dB. Where the source keeps more than that anyway, 10 dB (a third of the output is noise)
    are asked for.

    Args:
        rounded_db: SQNR of the source with rounded weights against the source.
        activations: their dtype in the file.
        min_sqnr_db: the user's own limit, which replaces the measured one.
    """
    if min_sqnr_db is not None:
        return Bound("sqnr_db", min_sqnr_db, "asked for with --min-sqnr-db")
    margin = _ROUNDED_ACTIVATIONS_DB if activations == "int8" else _MARGIN_DB
    if rounded_db == -math.inf:
        return Bound("sqnr_db", _LEAST_DB, "the source with its weights alone rounded gives no finite answer")
    value = min(_LEAST_DB, rounded_db - margin)
    words = f"the source with its weights alone rounded keeps {rounded_db:.1f} dB"
    return Bound("sqnr_db", value, f"{words}, less {margin:.0f} dB, and no more than {_LEAST_DB:.0f} dB is asked for")


def kept_bound(rounded: float) -> Bound:
    """The share of a suppression's rows that must be found again.

    As in :func:`measured_bound`, from what the source itself finds again when its weights are rounded; where that is
    more anyway, two of three are asked for, as 10 dB leave two thirds of an output.

    Args:
        rounded: share that the source with rounded weights has.
    """
    value = min(_FOUND, max(0.0, rounded - _MARGIN_FOUND))
    words = f"the source with its weights alone rounded keeps {rounded:.0%} of its rows"
    return Bound("kept_rows", value, f"{words}, less {_MARGIN_FOUND:.0%}, and no more than {_FOUND:.0%} is asked for")


def noise_to_signal(artifact: Artifact, tensor_power: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Each rounding's noise power over its tensor's own power: ``(tensor name, ratio)``."""
    for graph in artifact.subgraphs:
        hybrid = {
            index
            for op in graph.ops
            if compute_type(graph, op) == "hybrid_int8"
            for index in op.inputs[:1]
            if index >= 0 and graph.tensors[index].constant is None
        }
        for tensor in graph.tensors:
            power = tensor_power.get(tensor.name)
            if tensor.constant is not None:
                ratio = _weight_ratio(tensor)
            elif tensor.index in hybrid:
                # Rounded on the fly to 8 bits of its own range, about 8 times its RMS.
                ratio = (8.0 / 255) ** 2 / 12
            elif tensor.quantization and power and tensor.dtype in ("int8", "uint8", "int16"):
                ratio = tensor.quantization.scale[0] ** 2 / 12 / power
            else:
                continue
            if ratio > 0 and math.isfinite(ratio):
                yield tensor.name, ratio


def _weight_ratio(tensor: Tensor) -> float:
    if tensor.dtype == "float16":
        # Relative error uniform within half a unit in the last place of 11 bits.
        return (2.0**-11) ** 2 / 3
    if tensor.dtype != "int8" or tensor.quantization is None:
        return 0.0
    values = tensor.values().astype(np.float64)
    scale = np.asarray(tensor.quantization.scale)
    axis = tensor.quantization.axis
    if len(scale) > 1:
        values = np.moveaxis(values, axis, 0).reshape(len(scale), -1) * scale[:, None]
    else:
        values = values * scale[0]
    power = float(np.mean(values**2))
    return float(np.mean(scale**2)) / 12 / power if power > 0 else 0.0
