"""Full integer quantization of a float .tflite: ranges observed on data, int8 by TFLiteConverter's own quantizer.

The quantizer of TFLiteConverter takes any float .tflite that carries ranges; ``mlir_quantize`` is not public, so
TensorFlow is pinned and this file's tests call it for real. Ranges are observed here rather than by TensorFlow's
Calibrator, which takes about 2.5 times as long, holds samples in memory and dies of a signal on loops.

int16 activations, and int8 in an environment without TensorFlow (litert-torch's), go through ai-edge-quantizer.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.model import Artifact, Op, Subgraph, parse_artifact, read_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.summary import float_ops
from edge_sdk.artifact.ties import FIXED, MOVING
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.layout import Axes, laid_out
from edge_sdk.converters.quantize.by_ai_edge_quantizer import int4_findings, quantize_static
from edge_sdk.converters.quantize.floats.choice import before_suppressions, left_in_float, without_ranges
from edge_sdk.converters.quantize.floats.endless import endless_value, refuse_endless_products
from edge_sdk.converters.quantize.floats.joins import quantized_apart
from edge_sdk.converters.quantize.forms.factors import with_plain_factors
from edge_sdk.converters.quantize.kept import (
    also_kept,
    int16_ops,
    is_named,
    kept_in_main,
    kept_ops,
    result_name,
    wide_ops,
)
from edge_sdk.converters.quantize.ranging.ranges import Ranges, find_ranges, spread
from edge_sdk.converters.quantize.tuning.tuning import for_tuning
from edge_sdk.converters.quantize.weights.biases import correct_biases
from edge_sdk.converters.quantize.weights.equalized import better_equalized
from edge_sdk.converters.quantize.weights.evening import better_evened
from edge_sdk.converters.quantize.weights.four_bits import one_row, with_four_bits
from edge_sdk.converters.workers.child import ToParent, running, tool_version
from edge_sdk.engines.observe import Observation
from edge_sdk.errors import ConversionError, MissingDependencyError, ModelError
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe, recipe_from_json
from edge_sdk.signature import Arrays

# Ops that move values and keep their scale and zero point; SPLIT has its axis first.
_MOVING = frozenset(
    {
        *(
            "BROADCAST_TO",
            "DEPTH_TO_SPACE",
            "EXPAND_DIMS",
            "GATHER",
            "RESHAPE",
            "REVERSE_V2",
            "SLICE",
            "SPACE_TO_DEPTH",
        ),
        *("SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK"),
    }
)
# A bad answer has come in up to 40 of 100 runs: all of eight are bad once in 1,500 times.
_ANSWERS = 8
# Means of thousands of values of every channel: more samples change them by little.
_CORRECTED_ON = 16


def quantize(path: str, target: str, recipe: dict[str, Any], samples: str | None, axes: Axes) -> dict[str, Any]:
    """Observes ranges on the samples, then writes the integer file."""
    wanted = recipe_from_json(recipe)
    if samples is None:
        raise ValueError("static range quantization needs samples")
    _refuse_loops(read_artifact(path))

    def every() -> Iterable[Arrays]:
        return laid_out(samples, axes)

    cut = before_suppressions(Path(path).read_bytes(), wanted)
    if cut is None:
        return _best(path, target, wanted, every)
    head = Path(target).with_suffix(".head.tflite")
    head.write_bytes(cut.file.head)
    made = _best(str(head), target, wanted, every)
    for file in (target, made.get("explained"), made.get("reference")):
        if file is not None:
            Path(file).write_bytes(cut.file.rejoined(Path(file).read_bytes()))
    made["findings"] = [*made["findings"], cut.finding.as_json()]
    return made | {"floats": [*made.get("floats", ()), *cut.names]}


def _best(path: str, target: str, wanted: Recipe, every: Callable[[], Iterable[Arrays]]) -> dict[str, Any]:
    """The integer file of a float one, with its channels evened where that is better."""

    def whole(float_path: str, int8_path: str) -> dict[str, Any]:
        return _corrected_whole(float_path, int8_path, wanted, every)

    made = whole(path, target)
    if wanted.evens:
        ToParent().stage("even channels")
        kept = kept_in_main(read_artifact(path), wanted)
        some = partial(_some, every, made["count"])
        made = better_evened((path, target), made, whole, some, kept=kept, asked=bool(wanted.equalize))
    return made


def _some(samples: Callable[[], Iterable[Arrays]], count: int) -> Iterable[Arrays]:
    return spread(samples(), _CORRECTED_ON, count)


def _corrected_whole(path: str, target: str, wanted: Recipe, every: Callable[[], Iterable[Arrays]]) -> dict[str, Any]:
    """The integer file of a float one, with what is corrected in it."""
    made = _quantized(path, target, wanted, every)
    some = partial(_some, every, made["count"])
    if wanted.equalizes:
        ToParent().stage("equalize channels")

        def again(float_path: str, int8_path: str) -> dict[str, Any]:
            return _quantized(float_path, int8_path, wanted, every)

        made = better_equalized(path, target, made, again, some)
    ready = made.pop("ready")
    if wanted.tune:
        made |= for_tuning(ready, Path(target))
    if wanted.activations.dtype == "int8" and wanted.bias_correction:
        ToParent().stage("correct biases")
        found = _corrected(ready, Path(target), some)
        made |= found | {"corrections": made["corrections"] | found.get("corrections", {})}
        made["findings"] = [*made["findings"], *found.get("findings", ())]
    return made


def _quantized(path: str, target: str, wanted: Recipe, samples: Callable[[], Iterable[Arrays]]) -> dict[str, Any]:
    """The integer file of a float one, its biases as they come; ``ready`` is the float file with its masks clamped."""
    # 16 bits round so finely that nothing is worth cutting off.
    method = wanted.calibration if wanted.activations.dtype == "int8" else "minmax"
    source = read_artifact(path)
    named = kept_in_main(source, wanted)
    wide = wanted.activations.dtype == "int16" or bool(wanted.int16)
    by_tensorflow = not wide and (find_spec("tensorflow") is not None or wanted.io == "uint8")
    # ai-edge-quantizer asks for the range of every tensor.
    besides = without_ranges(source.main, wanted, named) if by_tensorflow else frozenset[int]()
    progress = ToParent()
    ranges = find_ranges(path, samples, method, besides=besides, progress=progress)
    ready, observations = ranges.data, ranges.observations
    if wanted.activations.dtype == "int8":
        center_second_factors(parse_artifact(ready).main, observations)
        hold_fixed_scales(parse_artifact(ready).main, observations)
    if wanted.int16:
        unclip(parse_artifact(ready), wanted, ranges)
    graph = parse_artifact(ready).main
    # An op that was put in between moved the others on.
    named = kept_in_main(parse_artifact(ready), wanted)
    refuse_endless_products(graph, observations, named)
    floats = left_in_float(graph, wanted, observations, ranges.endless, wide_ops(parse_artifact(ready), wanted))
    asked = also_kept(wanted, graph, floats.kept)
    progress.stage("write integers")
    if not by_tensorflow:
        padded = Path(target).with_suffix(".padded.tflite")
        padded.write_bytes(ready)
        made = quantize_static(str(padded), target, asked, observations)
    else:
        ranged = with_ranges(ready, floats.ranged(graph, observations, named))
        kept = [result_name(graph, op) for graph, op in kept_ops(parse_artifact(ranged), asked)]
        data = (
            quantized_apart(ranged, floats.cut, lambda head: _quantize_int8(head, wanted, kept)) if floats.cut else None
        )
        data = data or _quantize_int8(ranged, wanted, kept)
        Path(target).write_bytes(with_plain_factors(data, ready))
        tool = f"TFLiteConverter's quantizer of tensorflow {tool_version('tensorflow')}"
        made = {"tool": tool, "findings": []}
    if wanted.weights.dtype == "int4":
        narrow = with_four_bits(ready, Path(target).read_bytes(), wanted)
        Path(target).write_bytes(narrow)
        told = (*int4_findings(parse_artifact(narrow).main, wanted.name), *_one_row_findings(graph, wanted))
        told_of = [finding.as_json() for finding in told]
        made |= {"findings": [*made["findings"], *told_of]}
    made |= {"ranges": ranges.as_json(), "ready": ready, "count": ranges.count, "corrections": {}}
    if names := floats.names(graph):
        made |= {"findings": [*made["findings"], *(one.as_json() for one in floats.findings)], "floats": names}
    return made


def _one_row_findings(graph: Subgraph, recipe: Recipe) -> Iterator[Finding]:
    if alone := one_row(graph, recipe):
        names = ", ".join(f"`{result_name(graph, graph.ops[index])}`" for index in alone[:4])
        message = f"{len(alone)} dense layers with a single result keep weights in int8 ({names})"
        hint = "ai-edge-litert 2.1.0 refuses a file with such layers in int4"
        yield Finding("one-row-in-8-bits", "info", message, recipe.name, hint)


def _corrected(ready: bytes, target: Path, samples: Callable[[], Iterable[Arrays]]) -> dict[str, Any]:
    """Corrects the file in place, and leaves the float file that explains its biases beside it."""
    try:
        found = correct_biases(ready, target.read_bytes(), samples)
    except ModelError as error:
        # The file itself is looked at next, with the kernels that users run.
        told = Finding("biases-not-corrected", "warning", str(error), target.name, "--no-bias-correction leaves it out")
        return {"findings": [told.as_json()]}
    corrections = {"corrections": {"biases": found.correction.as_json()}}
    if not found.correction.kept:
        return corrections
    target.write_bytes(found.quantized)
    explained = target.with_suffix(".explained.tflite")
    explained.write_bytes(found.reference)
    return corrections | {"explained": str(explained)}


def _refuse_loops(artifact: Artifact) -> None:
    """Values inside a loop or branch have no observed ranges; TensorFlow's quantizer dies of a signal on some."""
    loops = [op for op in artifact.main.ops if op.name in ("WHILE", "IF")]
    if loops:
        names = ", ".join(result_name(artifact.main, op) for op in loops[:4])
        raise ConversionError(
            f"activations cannot be quantized across {len(loops)} loops or branches ({loops[0].name} {names})",
            hint="recurrent layers of Keras, PyTorch and ONNX models are unrolled for this recipe, loops of a "
            "SavedModel or .tflite cannot be: use recipe dynamic, or start from the original model",
        )


def with_ranges(data: bytes, observations: Mapping[int, Observation]) -> bytes:
    """A copy in which every observed tensor of the main subgraph carries its range.

    Ranges are widened to hold zero, as TFLite's quantization specification asks; a tensor that is always zero gets
    [0, 1], for a scale of zero is invalid.

    Raises:
        ConversionError: a tensor was infinite or NaN on the samples; TensorFlow's quantizer dies of it.
    """
    root, _ = parse_tree(data)
    tensors = root.subgraphs[0].tensors
    for index, seen in observations.items():
        low, high = min(seen.minimum, 0.0), max(seen.maximum, 0.0)
        if seen.endless:
            raise endless_value(parse_artifact(data).main, index, seen)
        if low == high:
            high = 1.0
        tensors[index].quantization = new_node(schema(), "QuantizationParameters", min=[low], max=[high])
    return pack_tree(root)


def unclip(artifact: Artifact, recipe: Recipe, ranges: Ranges) -> None:
    """Gives the results of ops in int16, in place, the extremes that were observed: 16 bits round finely enough."""
    observed = dict(zip(ranges.observations, ranges.chosen, strict=True))
    for graph, op in int16_ops(artifact, recipe):
        for index in op.outputs if graph.index == 0 else ():
            if index in observed:
                seen = ranges.observations[index]
                seen.minimum, seen.maximum = observed[index].observed


def center_second_factors(graph: Subgraph, observations: Mapping[int, Observation]) -> None:
    """Gives the second operands of BATCH_MATMUL, in place, ranges of which int8's zero point is 0.

    XNNPACK of ai-edge-litert 2.1.0 to 2.1.2 computes as if it were (2.1.3 leaves other ones to slower kernels): a small
    vision transformer lost 14 dB to that.
    """
    for index in _second_factors(graph) & observations.keys():
        seen = observations[index]
        seen.maximum = max(-seen.minimum, seen.maximum, 0.0)
        seen.minimum = -seen.maximum * 128 / 127


def hold_fixed_scales(graph: Subgraph, observations: Mapping[int, Observation]) -> None:
    """Gives values that are moved from a result of fixed scale, in place, the range of that scale.

    TensorFlow's quantizer gives the two ends of a BROADCAST_TO two scales; its kernel copies the bytes.
    """
    held: dict[int, tuple[float, int]] = {}
    for op in graph.ops:
        fixed = held.get(_moved(op)) if op.name in _MOVING else FIXED.get(op.name)
        if fixed is None:
            continue
        held |= dict.fromkeys(op.outputs, fixed)
        scale, zero_point = fixed
        for index in observations.keys() & set(op.outputs) if op.name in _MOVING else ():
            observations[index].minimum = (-128 - zero_point) * scale
            observations[index].maximum = (127 - zero_point) * scale


def _moved(op: Op) -> int:
    """The tensor whose values an op of ``_MOVING`` moves."""
    return op.inputs[1 if op.name == "SPLIT" else 0]


def _second_factors(graph: Subgraph) -> set[int]:
    """Second operands of BATCH_MATMUL, and what their values are taken from."""
    makers = graph.makers
    found = {op.inputs[1] for op in graph.ops if op.name == "BATCH_MATMUL"}
    waiting = list(found)
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name in MOVING:
            fresh = set(maker.inputs) - found - {-1}
            found |= fresh
            waiting += fresh
    return found


def _quantize_int8(ranged: bytes, recipe: Recipe, kept: Sequence[str]) -> bytes:
    try:
        import tensorflow as tf
        from tensorflow.lite.python.convert import mlir_quantize
        from tensorflow.lite.python.util import modify_model_io_type
    except ImportError as error:
        raise MissingDependencyError("tensorflow", extra="keras", why=f"recipe {recipe.name}") from error
    with running("tensorflow", "quantizing"):
        data = fewest_floats(
            lambda: mlir_quantize(
                ranged,
                disable_per_channel=recipe.weights.granularity == "per_tensor",
                denylisted_nodes=list(kept) or None,
            ),
            kept,
        )
        if recipe.integer_only:
            _refuse_given_outputs(parse_artifact(bytes(data)))
            # Takes off the QUANTIZE and DEQUANTIZE at the ends; for uint8 they become shifts between integers.
            io = tf.as_dtype(recipe.io)
            data = modify_model_io_type(data, io, io)
    return bytes(data)


def _refuse_given_outputs(artifact: Artifact) -> None:
    """TensorFlow's change of the ends leaves an output that is an input without a tensor."""
    given = {tensor.index: name for name, tensor in artifact.signature.inputs.items()}
    found = [name for name, tensor in artifact.signature.outputs.items() if tensor.index in given]
    if found:
        raise ConversionError(
            f"output `{found[0]}` is an input handed through, which TensorFlow's tool loses in integer-only files",
            hint="leave it out of the model's outputs, the app has it already; or --io float32",
        )


def fewest_floats(make: Callable[[], bytes], kept: Collection[str] = ()) -> bytes:
    """The integer file with the fewest ops in float, of a quantizer whose answers vary.

    TensorFlow's (2.19) leaves one SPLIT of an unrolled LSTM in float in a third of its runs on the same bytes, each
    time another one. It is asked again while an op is in float of which others are in integers.

    Args:
        make: asks it.
        kept: names of results of ops that shall be in float.
    """
    answers: dict[bytes, int] = {}
    for _ in range(_ANSWERS):
        data = bytes(make())
        artifact = parse_artifact(data)
        floats = [op for graph, op in float_ops(artifact) if not is_named(graph, op, kept)]
        answers[data] = len(floats)
        kinds = Counter(op.name for op in floats)
        everywhere = Counter(op.name for op in artifact.main.ops)
        if all(everywhere[kind] == count for kind, count in kinds.items()):
            break
    return min(answers, key=lambda answer: answers[answer])


def find_crashing_ops(path: str, samples: str, axes: Axes) -> Sequence[str]:
    """Op types on which TensorFlow's quantizer dies, each tried alone in a process of its own.

    Called after a crash. TensorFlow is imported once; every trial is a fork that quantizes one op type and leaves
    all others in float.
    """
    import tensorflow as tf  # noqa: F401 - imported before the forks, so that each does not pay for it

    ranges = find_ranges(path, lambda: laid_out(samples, axes), "minmax")
    ranged = with_ranges(ranges.data, ranges.observations)
    kinds = sorted({op.name for op in parse_artifact(ranged).main.ops})
    return [kind for kind in kinds if _dies(ranged, [other for other in kinds if other != kind])]


def _dies(ranged: bytes, spared: list[str]) -> bool:
    from tensorflow.lite.python.convert import mlir_quantize

    child = os.fork()
    if child == 0:
        status = 0
        try:
            mlir_quantize(ranged, denylisted_ops=spared)
        except Exception:  # an error is not a crash; only signals count here
            status = 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
