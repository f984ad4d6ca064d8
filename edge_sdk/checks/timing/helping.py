"""Will it help? What a recipe would do to a float file's time, told before anything is converted: *predicted*.

The file is rewritten as a description only, placed anew and predicted like any other. How sure the sign is comes from
the table's own networks, timed in each arithmetic: how far their predicted ratios were off the measured ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edge_sdk.artifact.model import Artifact, Quantization, Subgraph, Tensor
from edge_sdk.checks.advice.requantizing import WEIGHTS, floated, quantized
from edge_sdk.checks.advice.rewriting import with_activations_inside, with_tensors
from edge_sdk.checks.placement.rule_sets import place_by
from edge_sdk.checks.timing.model import Context, Model
from edge_sdk.checks.timing.predicting import Prediction, Predictor
from edge_sdk.checks.timing.table import Timed
from edge_sdk.checks.timing.work import RULES, XNNPACK, Workload, workload_of

Precision = Literal["float16", "dynamic", "int8", "int4"]
PRECISIONS: tuple[Precision, ...] = ("float16", "dynamic", "int8", "int4")
_MODES: dict[Precision, str] = {"dynamic": "hybrid", "int8": "int8", "int4": "hybrid"}
_DENSE = frozenset({"FULLY_CONNECTED"})
# Times that differ by less are the same.
_SAME = 0.05


@dataclass(frozen=True)
class Help:
    """What one precision would do.

    Attributes:
        precision: ``float16``, ``dynamic`` (weights of 8 bits, activations rounded in each run), ``int8`` (all of it),
            ``int4`` (weights of fully connected layers in 4 bits).
        answer: ``faster``, ``slower``, ``same``, or ``unknown`` where the prediction abstains.
        probability: that the answer is right; None where there is none.
        ratio: predicted time over the float file's; None likewise.
        ms: predicted time.
        reason: what decides it.
        file_ratio: size of the weights over the float file's.
    """

    precision: Precision
    answer: Literal["faster", "slower", "same", "unknown"]
    probability: float | None
    ratio: float | None
    ms: float | None
    reason: str
    file_ratio: float


def will_it_help(artifact: Artifact, predictor: Predictor) -> tuple[Help, ...]:
    """What each precision would do to a float file; nothing for one that is quantized already.

    Args:
        artifact: the file.
        predictor: of the device.
    """
    if _is_quantized(artifact.main):
        return ()
    plain = _graph_work(floated(artifact.main), predictor)
    base = predictor.predict_work(plain)
    return tuple(_help(precision, artifact.main, plain, base, predictor) for precision in PRECISIONS)


def _help(precision: Precision, graph: Subgraph, plain: Workload, base: Prediction, predictor: Predictor) -> Help:
    shrunk = {"float16": 0.5, "dynamic": 0.25, "int8": 0.25, "int4": 1.0}[precision]
    if precision == "float16":
        reason = "XNNPACK widens the weights to float32 when the file is opened: the file halves, a run stays the same"
        return Help(precision, "same", _same(predictor.model), 1.0, base.ms, reason, shrunk)
    changed = _changed(precision, graph)
    load = _graph_work(changed, predictor)
    shrunk = load.weight_bytes / max(1, plain.weight_bytes)
    found = predictor.predict_work(load)
    if base.ms is None or found.ms is None:
        why = (*base.abstentions, *found.abstentions)[0]
        return Help(precision, "unknown", None, None, None, f"{why.op_name} {why.why}", shrunk)
    ratio = found.ms / base.ms
    if load == plain:
        return Help(precision, "same", 1.0, 1.0, base.ms, "it has no layer whose weights would change", shrunk)
    sure = _probability(predictor.model, _MODES[precision], math.log(ratio))
    answer: Literal["faster", "slower"] = "faster" if ratio < 1 else "slower"
    return Help(precision, answer, sure, ratio, found.ms, _reason(base, found, changed, predictor), shrunk)


def _changed(precision: Precision, graph: Subgraph) -> Subgraph:
    if precision == "int8":
        return quantized(with_activations_inside(graph), per_channel=True)
    return _with_weights(floated(graph), "int4" if precision == "int4" else "int8")


def _with_weights(graph: Subgraph, dtype: str) -> Subgraph:
    """Weights of layers in integers, a scale for each channel; activations stay as they are."""
    axes = {
        op.inputs[WEIGHTS[op.name][0]]: WEIGHTS[op.name][1]
        for op in graph.ops
        if op.name in WEIGHTS and (dtype == "int8" or op.name in _DENSE)
    }

    def change(tensor: Tensor) -> Tensor:
        axis = axes.get(tensor.index)
        if axis is None or not tensor.is_stored or tensor.dtype != "float32":
            return tensor
        count = tensor.shape[axis]
        size = tensor.elements if dtype == "int8" else -(-tensor.elements // 2)
        scales = Quantization((0.01,) * count, (0,) * count, axis)
        return replace(tensor, dtype=dtype, quantization=scales, constant=np.zeros(size, np.uint8))

    return with_tensors(graph, change)


def _graph_work(graph: Subgraph, predictor: Predictor) -> Workload:
    subject = predictor.table.subject
    return workload_of(graph, subject.engine, subject.version)


def _is_quantized(graph: Subgraph) -> bool:
    return any(tensor.quantization is not None for op in graph.ops for tensor in graph.operands(op))


def _probability(model: Model, mode: str, ratio: float) -> float:
    """That the sign of a predicted log ratio is right: by the share of the table's networks whose error spares it."""
    errors = np.array(list(_ratio_errors(model, mode)))
    kept = np.sum(np.sign(ratio + errors) == np.sign(ratio)) if len(errors) else 0
    # Laplace's rule: never quite sure of what so few pairs have shown.
    return float((kept + 1) / (len(errors) + 2))


def _same(model: Model) -> float:
    """That float16 weights change no time: by the share of the table's networks in which they did not."""
    ratios = [
        pair["float16"].us / pair["float32"].us for pair in _pairs(model) if {"float16", "float32"} <= pair.keys()
    ]
    return (sum(abs(ratio - 1) < _SAME for ratio in ratios) + 1) / (len(ratios) + 2)


def _pairs(model: Model) -> list[dict[str, Timed]]:
    """Each network of the table in all its arithmetics."""
    found: dict[str, dict[str, Timed]] = {}
    for one in model.networks:
        mode, _, name = one.id.partition(" ")
        found.setdefault(name, {})[mode] = one
    return list(found.values())


def _ratio_errors(model: Model, mode: str) -> Iterator[float]:
    """Log of measured over predicted ratio, each network predicted without its kind of block."""
    for pair in _pairs(model):
        if "float32" in pair and mode in pair:
            first, second = pair["float32"], pair[mode]
            context = model.context_without(first.group)
            said = [_said(model, one, context) for one in (first, second)]
            if said[0] and said[1]:
                yield math.log(second.us / first.us) - math.log(said[1] / said[0])


def _said(model: Model, one: Timed, context: Context) -> float | None:
    return model.file_us(one.work, one.partitions, one.border_bytes, context)


def _reason(base: Prediction, found: Prediction, changed: Subgraph, predictor: Predictor) -> str:
    """The kind of op that changes the total most in the direction of the answer."""
    before, after = _by_name(base), _by_name(found)
    differences = {name: after[name] - before[name] for name in {*before, *after}}
    slower = (found.ms or 0.0) >= (base.ms or 0.0)
    name = (max if slower else min)(differences, key=lambda one: differences[one])
    change = f"{name} takes {after[name] / 1e3:.3g} ms instead of {before[name] / 1e3:.3g}"
    outside = [one for one in found.ops if one.op_name == name and one.place != XNNPACK and one.us]
    if slower and outside:
        subject = predictor.table.subject
        placement = place_by(RULES[subject.engine], changed, engine=subject.version)
        refused = placement.refused.get(outside[0].op)
        return f"{change}: {len(outside)} of them outside XNNPACK" + (f", {refused.message}" if refused else "")
    return change


def _by_name(prediction: Prediction) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in prediction.ops:
        found[one.op_name] += one.us or 0.0  # type: ignore[assignment]
    return found
