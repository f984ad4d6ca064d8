"""Scales and zero points: what kernels demand of them, and what they leave of the values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_sdk.artifact.compute import CONVERT_OPS
from edge_sdk.artifact.model import Op, Quantization, Tensor
from edge_sdk.checks.lint.ranges import MOVERS, known_range, sources
from edge_sdk.checks.lint.scene import (
    EIGHT_BITS,
    INTEGERS,
    LEVELS,
    LIMITS,
    Mark,
    Rule,
    Scene,
    named,
    one_scale,
    representable,
    values_of,
)

FEW_LEVELS = 16
HUGE = 1e6
TINY_SCALE = 1e-8
_QUARTER = LEVELS / 4
_JOINS = frozenset({"CONCATENATION", "PACK"})
_MIXES = frozenset({"ADD", "SUB", "MAXIMUM", "MINIMUM", "SELECT", "SELECT_V2", "PADV2"})
_CHECKED = frozenset({"CONCATENATION", "PACK", "UNPACK", "EXPAND_DIMS"})
_FIXED: dict[tuple[str, str], tuple[float, int]] = {
    ("SOFTMAX", "int8"): (1 / 256, -128),
    ("LOGISTIC", "int8"): (1 / 256, -128),
    ("LOGISTIC", "uint8"): (1 / 256, 0),
    ("L2_NORMALIZATION", "int8"): (1 / 128, 0),
    ("L2_NORMALIZATION", "uint8"): (1 / 128, 128),
    ("SOFTMAX", "int16"): (1 / 32768, 0),
    ("LOGISTIC", "int16"): (1 / 32768, 0),
}
_SAME, _SLIGHT = 1e-3, 4.0


def bad_scale(scene: Scene) -> Iterator[Mark]:
    """Zero, negative, infinite or NaN."""
    used = {index for op in scene.graph.ops for index in (*op.inputs, *op.outputs) if index >= 0}
    for tensor in (scene.graph.tensors[index] for index in sorted(used)):
        scales = tensor.quantization.scale if tensor.quantization and tensor.dtype in INTEGERS else ()
        bad = [scale for scale in scales if not (scale > 0 and np.isfinite(scale))]
        if bad:
            more = f" in {len(bad)} of {len(scales)} channels" if len(scales) > 1 else ""
            message = f"has scale {bad[0]:g}{more}: its values mean nothing, or the kernel divides by it"
            yield Mark("error", message, tensor=tensor, found=f"{bad[0]:g}", limit="above 0 and finite")


def shared_scale(scene: Scene) -> Iterator[Mark]:
    """Inputs of a join that have next to no levels of its scale to themselves."""
    for op in scene.graph.ops:
        result = scene.tensor(op.outputs, 0)
        quantization = one_scale(result)
        if op.name not in _JOINS or result is None or quantization is None or result.dtype not in EIGHT_BITS:
            continue
        for tensor in scene.graph.operands(op):
            span = known_range(scene, tensor)
            levels = (span[1] - span[0]) / quantization.scale[0] if span else LEVELS
            if 0 < levels < FEW_LEVELS:
                message = (
                    f"{named(tensor)} uses {levels:.3g} of the {LEVELS} levels of {named(result)}, which it shares"
                )
                message += " with inputs of a much wider range"
                found = f"{levels:.3g} levels"
                yield Mark("warning", message, op, tensor, found, f"{FEW_LEVELS} or more", _bytes(result, scene))


def drowned_by_constant(scene: Scene) -> Iterator[Mark]:
    """A constant that is so large that what is added to it is lost: masks of -1e9, padding with the lowest float."""
    for op in scene.graph.ops:
        result = scene.tensor(op.outputs, 0)
        quantization = one_scale(result)
        if op.name not in _MIXES or result is None or quantization is None or result.dtype not in EIGHT_BITS:
            continue
        spans = [(t, known_range(scene, t)) for t in _values(scene, op)]
        largest = max((max(abs(span[0]), abs(span[1])) for t, span in spans if t.is_stored and span), default=0.0)
        if largest <= _QUARTER * quantization.scale[0]:
            continue
        for tensor, span in spans:
            levels = (span[1] - span[0]) / quantization.scale[0] if span else LEVELS
            if not tensor.is_stored and 0 < levels < FEW_LEVELS:
                message = f"a constant of {largest:.3g} leaves {named(tensor)} {levels:.2g} of {LEVELS} levels"
                found, limit = f"{levels:.2g} levels", f"{FEW_LEVELS} or more"
                yield Mark("warning", message, op, tensor, found, limit, _bytes(result, scene))


def _values(scene: Scene, op: Op) -> list[Tensor]:
    """Operands that hold values: neither paddings nor conditions."""
    places = {"PADV2": (0, 2), "SELECT": (1, 2), "SELECT_V2": (1, 2)}.get(op.name, (0, 1))
    return [tensor for place in places if (tensor := scene.tensor(op.inputs, place)) is not None]


def _bytes(tensor: Tensor, scene: Scene) -> float:
    return tensor.size_bytes / max(1, sum(t.size_bytes for op in scene.graph.ops for t in scene.graph.results(op)))


def huge_scale(scene: Scene) -> Iterator[Mark]:
    """8 bits over a range of a million and more."""
    for tensor in scene.graph.tensors:
        span = representable(tensor) if tensor.dtype in EIGHT_BITS else None
        largest = max(abs(edge) for edge in span) if span else 0.0
        if largest >= HUGE and (tensor.index in scene.producers or tensor.index in scene.graph.inputs):
            message = f"covers values up to {largest:.2g} in {LEVELS} levels; ordinary values all fall on one of them"
            found = f"scale {tensor.quantization.scale[0]:.3g}" if tensor.quantization else ""
            yield Mark("warning", message, scene.producers.get(tensor.index), tensor, found, f"values below {HUGE:g}")


def tiny_scale(scene: Scene) -> Iterator[Mark]:
    """8 bits over next to nothing: calibrated on zeros, or on no data."""
    for tensor in scene.graph.tensors:
        quantization = one_scale(tensor) if tensor.dtype in EIGHT_BITS else None
        computed = tensor.index in scene.producers or tensor.index in scene.graph.inputs
        if quantization and computed and quantization.scale[0] <= TINY_SCALE:
            message = f"covers {quantization.scale[0] * LEVELS:.2g} in all, as if it had been calibrated on zeros"
            found = f"scale {quantization.scale[0]:.3g}"
            yield Mark("warning", message, scene.producers.get(tensor.index), tensor, found, f"above {TINY_SCALE:g}")


def large_constant(scene: Scene) -> Iterator[Mark]:
    """The same in a float file, before it is quantized."""
    for op in scene.graph.ops:
        for tensor in _values(scene, op) if op.name in _MIXES else ():
            values = values_of(tensor) if tensor.dtype == "float32" else None
            largest = float(np.abs(values).max()) if values is not None and values.size else 0.0
            if largest >= HUGE or np.isnan(largest):
                message = f"holds {largest:.3g}; quantized to 8 bits, what it is mixed with would be lost"
                yield Mark("info", message, op, tensor, f"{largest:.3g}", f"values below {HUGE:g}")


def fixed_scale(scene: Scene) -> Iterator[Mark]:
    """Kernels whose result must have one certain scale; with another the file does not load."""
    for op in scene.graph.ops:
        source, result = scene.tensor(op.inputs, 0), scene.tensor(op.outputs, 0)
        if source is None or result is None or source.dtype != result.dtype or result.quantization is None:
            continue
        wanted = _FIXED.get((op.name, result.dtype))
        scale, zero_point = result.quantization.scale[0], result.quantization.zero_point[0]
        if wanted and not (abs(scale - wanted[0]) <= 0.001 * wanted[0] and zero_point == wanted[1]):
            found = f"scale {scale:g}, zero point {zero_point}"
            limit = f"scale {wanted[0]:g}, zero point {wanted[1]}"
            yield Mark("error", f"has {found}; the kernel takes {limit} only", op, result, found, limit)


def scales_differ(scene: Scene) -> Iterator[Mark]:
    """Ops that move bytes between tensors of different scales: every value changes by their ratio."""
    for op in scene.graph.ops:
        result = scene.tensor(op.outputs, 0)
        wanted = one_scale(result)
        if op.name not in MOVERS or result is None or wanted is None or (op.name, result.dtype) == _REJOINS:
            continue
        for tensor in (scene.graph.tensors[index] for index in sources(op)):
            own = one_scale(tensor)
            if own is None or tensor.dtype != result.dtype:
                continue
            steps = _moved(own, wanted, result.dtype)
            if steps > _SAME:
                effect = (
                    "the file does not load"
                    if op.name in _CHECKED
                    else f"values change by up to {steps:.3g} steps, silently"
                )
                slight = op.name not in _CHECKED and steps <= _SLIGHT
                found = f"{own.scale[0]:g} and {wanted.scale[0]:g}, zero points {own.zero_point[0]}"
                found += f" and {wanted.zero_point[0]}"
                message = f"moves {named(tensor)} to {named(result)} as it is, but their scales differ: {effect}"
                yield Mark("warning" if slight else "error", message, op, tensor, found, "one scale and zero point")


def _moved(before: Quantization, after: Quantization, dtype: str) -> float:
    """How far the same stored value moves at most, in steps of the result."""
    edges = np.array(LIMITS[dtype], np.float64)
    real = [(edges - q.zero_point[0]) * q.scale[0] for q in (before, after)]
    return float(np.abs(real[0] - real[1]).max() / after.scale[0])


# The uint8 kernel scales each input.
_REJOINS = ("CONCATENATION", "uint8")


def int16_zero_point(scene: Scene) -> Iterator[Mark]:
    """Kernels of 16-bit activations are symmetric."""
    for op in scene.graph.ops:
        if op.name in CONVERT_OPS:
            continue
        for tensor in (*scene.graph.operands(op), *scene.graph.results(op)):
            quantization = one_scale(tensor) if tensor.dtype == "int16" else None
            if quantization and quantization.zero_point[0] != 0:
                message = "is int16 with a zero point; kernels of 16-bit activations take 0 only"
                yield Mark("error", message, op, tensor, str(quantization.zero_point[0]), "0")


def batch_matmul_zero_point(scene: Scene) -> Iterator[Mark]:
    """XNNPACK of LiteRT 2.1 leaves the zero point of the second operand out."""
    for op in scene.graph.ops:
        second = scene.tensor(op.inputs, 1)
        quantization = one_scale(second) if op.name == "BATCH_MATMUL" else None
        if second is not None and quantization and second.dtype == "int8" and quantization.zero_point[0]:
            point = str(quantization.zero_point[0])
            message = (
                f"the second operand has zero point {point}; XNNPACK of ai-edge-litert 2.1.0 to 2.1.2 computes as if "
            )
            message += "it were 0: wrong numbers on the CPU"
            yield Mark("warning", message, op, second, point, "0", scene.share(op))


RULES = (
    Rule("bad-scale", bad_scale, "quantize again; calibrate with data that reaches this tensor"),
    Rule("shared-scale", shared_scale, "return the parts as outputs of their own, or scale them alike before the join"),
    Rule("drowned-by-constant", drowned_by_constant, "in the source: a constant near the values, such as -20"),
    Rule("huge-scale", huge_scale, "find the constant that is padded or added, and make it small"),
    Rule("tiny-scale", tiny_scale, "calibrate on real data"),
    Rule("large-constant", large_constant, "nothing in float; make it small before int8"),
    Rule("fixed-scale", fixed_scale, "quantize again; this op's output range is not for calibration to choose"),
    Rule("scales-differ", scales_differ, "give both tensors one scale, or put a QUANTIZE between"),
    Rule("int16-zero-point", int16_zero_point, "quantize activations of 16 bits symmetrically"),
    Rule("batch-matmul-zero-point", batch_matmul_zero_point, "convert with edge-sdk, which stores it with 0"),
)
