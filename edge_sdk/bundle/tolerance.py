"""How far a self-test's outputs may be from their golden values, from the file's own arithmetic.

The golden values are TFLite's own CPU kernels'. Another way of computing the same file rounds elsewhere; what that may
add up to is derived here, and held against what XNNPACK's kernels give on the machine that makes the bundle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import accumulation_length, compute_type
from edge_sdk.artifact.model import Artifact
from edge_sdk.bundle.golden import holds, measure, real_values
from edge_sdk.bundle.manifest import Arithmetic, Limit, Port
from edge_sdk.parity.bounds import float_bound, noise_to_signal

_HALF_ROUNDOFF = 2.0**-11
# Off the prediction, for what independent roundings leave out: as in edge_sdk.parity.bounds.
_MARGIN_DB = 10.0
# 1 % of noise, and 0.1 %: closer than that no accelerator is asked to be.
_MOST_DB: Mapping[str, float] = {"integer": 20.0, "float16": 30.0}
_LEAST_DB = 10.0
_STEPS = 2.0


def limits(
    artifact: Artifact, port: Port, golden: Sequence[npt.NDArray[np.generic]], power: Mapping[str, float]
) -> tuple[Limit, ...]:
    """The limits of one output, one for each arithmetic.

    Args:
        artifact: the variant's file.
        port: the output.
        golden: its golden values of all cases.
        power: mean square of each float or integer activation, by tensor name, over the cases.
    """
    values = np.stack([real_values(one, port) for one in golden]) if golden else np.zeros(1)
    finite = values[np.isfinite(values)]
    step = _step(artifact, port)
    rounding = _rounding_noise(artifact, power)
    half = _half_noise(artifact)
    made = []
    if rounding == 0:
        bound = float_bound(artifact, float(np.max(np.abs(finite), initial=0.0)), output=port.name)
        made.append(Limit("float32", "max_abs_error", bound.value, bound.derivation))
    else:
        words = "roundings to the file's own scales, on both sides"
        kinds: tuple[Arithmetic, ...] = ("integer", "float32") if _is_integer(artifact) else ("float32",)
        made += [_from_noise(kind, 2 * rounding, "integer", words, finite, step) for kind in kinds]
    words = "sums in float16" + (", and roundings to the file's own scales" if rounding else "")
    kind = "integer" if rounding else "float16"
    made.append(_from_noise("float16", 2 * rounding + half, kind, words, finite, step))
    return tuple(made)


def widened(
    limit: Limit, expected: Sequence[npt.NDArray[np.generic]], got: Sequence[npt.NDArray[np.generic]], port: Port
) -> Limit:
    """The limit, or twice what XNNPACK's kernels were measured to differ by where they break it."""
    pairs = zip(expected, got, strict=True)
    measured = [measure(limit.kind, real_values(a, port), real_values(b, port)) for a, b in pairs]
    worst = max(measured, default=0.0) if limit.kind == "max_abs_error" else min(measured, default=math.inf)
    if holds(limit, worst) or not math.isfinite(worst):
        return limit
    wider = 2 * worst if limit.kind == "max_abs_error" else worst - 20 * math.log10(2)
    words = f"twice what XNNPACK's and TFLite's own kernels were measured to differ by, beyond {limit.derivation}"
    return Limit(limit.arithmetic, limit.kind, wider, words)


def _from_noise(
    arithmetic: Arithmetic, noise: float, kind: str, words: str, values: npt.NDArray[np.float64], step: float
) -> Limit:
    """An SQNR, or for outputs of a few steps only an absolute error.

    Whatever is predicted, noise of more than a third of the output is wrong: a test that passes it tests nothing.
    """
    predicted = -10 * math.log10(noise) if noise > 0 else 100.0
    most = _MOST_DB[kind]
    value = min(max(predicted - _MARGIN_DB, _LEAST_DB), most)
    power = float(np.mean(values**2)) if values.size else 0.0
    if math.sqrt(power) * 10 ** (-value / 20) > _STEPS * step:
        why = f"{predicted:.1f} dB predicted for {words}, less {_MARGIN_DB:.0f} dB"
        return Limit(arithmetic, "sqnr_db", value, f"{why}, kept within {_LEAST_DB:.0f} to {most:.0f} dB")
    why = f"{_STEPS:.0f} steps of an output that is a few steps large; {predicted:.1f} dB predicted for {words}"
    return Limit(arithmetic, "max_abs_error", _STEPS * step, why)


def _rounding_noise(artifact: Artifact, power: Mapping[str, float]) -> float:
    """Noise-to-signal ratio of all roundings of activations; the weights are the same on both sides."""
    constants = {t.name for graph in artifact.subgraphs for t in graph.tensors if t.constant is not None}
    return sum(ratio for name, ratio in noise_to_signal(artifact, power) if name not in constants)


def _half_noise(artifact: Artifact) -> float:
    """Noise-to-signal ratio of sums in float16: a sum of n products errs by u^2 / 3 of its power n times."""
    sums = sum(
        accumulation_length(graph, op) + 1
        for graph, op in artifact.all_ops()
        if compute_type(graph, op) in ("float32", "float16", "hybrid_int8", "int8", "uint8", "int16")
    )
    return float(max(1, sums) * _HALF_ROUNDOFF**2 / 3)


def _step(artifact: Artifact, port: Port) -> float:
    """What one step of the output is worth: of a float output, of the integers it is expanded from; else 0."""
    if port.scale is not None:
        return port.scale
    graph = artifact.main
    index = artifact.signature.outputs[port.name].index
    expanded = (op.inputs[0] for op in graph.ops if op.name == "DEQUANTIZE" and index in op.outputs)
    quantization = next((graph.tensors[source].quantization for source in expanded), None)
    return quantization.scale[0] if quantization else 0.0


def _is_integer(artifact: Artifact) -> bool:
    kinds = ("int8", "uint8", "int16")
    return any(compute_type(graph, op) in kinds for graph, op in artifact.all_ops())
