"""Networks of the corpus as ONNX Runtime quantizes them: each op, and the whole, beside ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import op_by_op

Row = dict[str, Any]
FORMS: dict[str, dict[str, Any]] = {
    "QDQ int8, weights per channel": {"quant_format": "QDQ", "activation_type": "QInt8", "per_channel": True},
    "QDQ uint8": {"quant_format": "QDQ", "activation_type": "QUInt8"},
    "QDQ uint8, uint8 weights": {"quant_format": "QDQ", "activation_type": "QUInt8", "weight_type": "QUInt8"},
    "QOperator uint8": {"quant_format": "QOperator", "activation_type": "QUInt8"},
}
"""What a network is quantized to: ``quantize_static``'s settings by the names of their members."""
_CALIBRATED, _COMPARED = 4, 4


def rows(folder: Path, names: Sequence[str]) -> Iterator[Row]:
    """A row for each network and form.

    Args:
        folder: of ``<family>/<name>.onnx``, as ``benchmarks.corpus.exporting`` leaves them.
        names: ``family/name``.
    """
    for name in names:
        for form in FORMS:
            yield {"model": name, "form": form, **_row(folder / f"{name}.onnx", form)}


def _row(path: Path, form: str) -> Row:
    model = quantized(path, form)
    samples = [_sample(model, seed) for seed in range(_CALIBRATED, _CALIBRATED + _COMPARED)]
    every = [one for feeds in samples for one in op_by_op.held(model, feeds)]
    return {
        "ops": len(every) // len(samples),
        "worst_op": max(one.steps for one in every),
        "differing": sum(one.differing for one in every) / len(every),
        "worst_op_of_its_own": max(one.own_steps for one in every),
        "whole": [max(steps) for steps in zip(*(_whole(model, feeds) for feeds in samples), strict=True)],
    }


def quantized(path: Path, form: str) -> Any:
    """The network as ONNX Runtime's ``quantize_static`` makes it, calibrated on seeded noise."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    source = onnx.load(str(path))

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter([_sample(source, seed) for seed in range(_CALIBRATED)])

        def get_next(self) -> Any:
            return next(self._left, None)

    settings = {"weight_type": "QInt8", **FORMS[form]}
    settings["quant_format"] = QuantFormat[settings["quant_format"]]
    settings |= {key: QuantType[settings[key]] for key in ("activation_type", "weight_type")}
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "quantized.onnx"
        quantize_static(str(path), str(target), Reader(), **settings)
        return onnx.load(str(target))


def _sample(model: Any, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        value.name: generator.standard_normal([d.dim_value for d in value.type.tensor_type.shape.dim]).astype(
            np.float32
        )
        for value in model.graph.input
    }


def _whole(model: Any, feeds: dict[str, Any]) -> tuple[float, float, float]:
    """Steps at the output: ours to ONNX Runtime plain, to it optimised, and between the two."""
    grids = op_by_op.grids(model)
    name = model.graph.output[0].name
    (last,) = (node for node in model.graph.node if name in node.output)
    step = grids[last.input[0]].step
    plain, optimized = (op_by_op.quantized_values(model, [name], feeds, optimized=o)[name] for o in (False, True))
    result, _ = op_by_op.ours(model, feeds)
    pairs = ((result, plain), (result, optimized), (plain, optimized))
    first, second, between = (float(np.abs(a - b).max() / step) for a, b in pairs)
    return first, second, between
