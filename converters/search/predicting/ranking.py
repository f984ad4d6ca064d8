"""What rounding each op is expected to do to the outputs, from one pass forward and backward over a few samples.

The float file is run in TensorFlow or PyTorch by the kernels that quantization-aware training has. For each op: by how
much its result moves when its own weights and result are rounded as the int8 file rounds them, its inputs being exact
(``d``, the two apart); and the gradient ``g`` of a random direction of the outputs. ``E[(g . d)^2]`` is then the
expected squared movement of the outputs, which adds up over ops. For scores of classes the direction is the likelihood
of a class drawn by its own probability, whose square is twice the Kullback-Leibler divergence from the float file
(Fisher's information); no labels are needed. Runs in a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import real_constant
from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor, parse_artifact, read_artifact
from edge_sdk.artifact.ties import MOVING
from edge_sdk.converters.layout import Axes, laid_out
from edge_sdk.converters.replay.deciding import DECIDING
from edge_sdk.converters.replay.engine import execute_step
from edge_sdk.converters.replay.plan import make_plan
from edge_sdk.converters.replay.steps import Operand, Plan
from edge_sdk.converters.search.predicting.op_times import called
from edge_sdk.errors import ModelError, TrainingError
from edge_sdk.parity.alone import BEST_DB, losses_alone, roundings
from edge_sdk.parity.classes import is_class_like
from edge_sdk.parity.localize import compare_tensors
from edge_sdk.parity.pairing import pair_ops
from edge_sdk.parity.slices import Part, parts_of
from edge_sdk.signature import Arrays

Array = npt.NDArray[Any]
SAMPLES = 32
_AT_ONCE = 4
_ALONE = 8
_RAREST = 1e-3
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_WHOLE = frozenset({"bool", "int32", "int64"})


def rank(lowered: str, quantized: str, samples: str, axes: Axes, seed: int) -> dict[str, Any]:
    """Expected damage of each op, by the name of its first result in the int8 file.

    Args:
        lowered: the float file that the int8 one was made from, in ops that have integer kernels.
        quantized: the int8 file.
        samples: folder of samples in the source's layout.
        axes: how they are transposed for the files.
        seed: of the directions.

    Returns:
        ``damage`` of the op itself, ``rounding`` of its results, and ``how`` they were found: by gradients; or where
        an op cannot be run in a framework, or there is none, by what the outputs lose when each op alone is rounded;
        or where the engine refuses that, by the noise that each op adds to its own result. The last two do not tell
        an op from its result.
    """
    try:
        damage, rounding = _by_gradients(lowered, quantized, list(islice(laid_out(samples, axes), SAMPLES)), seed)
    except TrainingError as error:
        try:
            alone = _alone(lowered, quantized, list(islice(laid_out(samples, axes), _ALONE)))
        except ModelError as refused:
            rows = compare_tensors(lowered, quantized, islice(laid_out(samples, axes), SAMPLES))
            noise = {row.tensor: max(0.0, row.added_noise) for row in rows}
            how = f"noise that each op adds to its own result; none alone: {refused}; no gradients: {error}"
            return {"damage": noise, "rounding": {}, "how": how}
        how = f"what the outputs lose with each op alone rounded, on {_ALONE} samples at most; no gradients: {error}"
        return {"damage": alone, "rounding": {}, "how": how}
    how = f"gradients over {SAMPLES} samples at most, one pass{_stopped(quantized)}"
    return {"damage": damage, "rounding": rounding, "how": how}


def rank_alone(lowered: str, quantized: str, samples: str, axes: Axes) -> dict[str, Any]:
    """Expected damage of each op by what the outputs lose when it alone is rounded; see :func:`rank`.

    Returns:
        ``damage`` as there, None where the engine refuses such a file; ``how``, or why not.
    """
    try:
        damage = _alone(lowered, quantized, list(islice(laid_out(samples, axes), _ALONE)))
    except ModelError as refused:
        return {"damage": None, "how": str(refused)}
    return {"damage": damage, "how": f"on {_ALONE} samples at most"}


def _alone(lowered: str, quantized: str, samples: Sequence[Arrays]) -> dict[str, float]:
    """Noise of the outputs, as a share of their power, with each op's weights and result rounded and all else exact."""
    data = Path(lowered).read_bytes(), Path(quantized).read_bytes()
    graph = parse_artifact(data[0]).main
    found = [[one] for one in roundings(*map(parse_artifact, data)).values()]
    with TemporaryDirectory() as folder:
        losses = list(losses_alone(*data, found, lambda: samples, Path(folder)))
    names = [graph.tensors[one.pair.reference.outputs[0]].name for (one,) in found]
    return {name: 0.0 if db >= BEST_DB else 10 ** (-db / 10) for name, db in zip(names, losses, strict=True)}


def _stopped(quantized: str) -> str:
    """Ops that decide something by what is real: what was rounded before them does not count by its gradient there."""
    graph = read_artifact(quantized).main
    real = [op for op in graph.ops if op.name in DECIDING and _reads_reals(graph, op)]
    return f"; none passes {', '.join(sorted({op.name for op in real}))} ({len(real)} ops)" if real else ""


def _reads_reals(graph: Subgraph, op: Op) -> bool:
    return any(t.constant is None and t.dtype not in _WHOLE for t in graph.operands(op))


def _by_gradients(
    lowered: str, quantized: str, samples: Sequence[Arrays], seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    plan, names = _plan(read_artifact(quantized), read_artifact(lowered))
    framework = _framework()
    draws = np.random.default_rng(seed)
    signature = plan.template.signature
    # What is counted or decided has no direction.
    parts = {t.index: parts_of(plan.template, name) for name, t in signature.outputs.items() if t.dtype not in _WHOLE}
    if not parts:
        raise TrainingError("no output is real: none has a gradient")
    own: dict[str, float] = {}
    rounding: dict[str, float] = {}
    for begin in range(0, len(samples), _AT_ONCE):
        batch = samples[begin : begin + _AT_ONCE]
        feeds = {t.index: np.stack([sample[name] for sample in batch]) for name, t in signature.inputs.items()}
        for op, *moved in _moved(plan, framework, feeds, parts, draws):
            name = names.get(op.index) or called(plan.template.main, op)
            for total, value in zip((own, rounding), moved, strict=True):
                total[name] = total.get(name, 0.0) + value / len(samples)
    if not any(own.values()) and not any(rounding.values()):
        raise TrainingError("no gradient reaches any op that is rounded")
    return own, rounding


def _plan(template: Artifact, lowered: Artifact) -> tuple[Plan, dict[int, str]]:
    """How it is run, and what the float file calls the first results of ops that the quantizer named otherwise."""
    graph = lowered.main
    names = {
        pair.candidate.index: graph.tensors[pair.reference.outputs[0]].name for pair in pair_ops(lowered, template)
    }
    try:
        return make_plan(template, lowered), names
    except TrainingError:
        # What was rewritten keeps the constants that it has; an op without a kernel is told again.
        return make_plan(template, lowered, whole=False), names


def _moved(
    plan: Plan, framework: Any, feeds: Mapping[int, Array], parts: Mapping[int, Sequence[Part]], draws: Any
) -> Iterator[tuple[Op, float, float]]:
    """Each op's squared movements of the outputs, by itself and by its results' grid, summed over a batch's samples."""
    b = framework.backend()
    exact = _Exact(plan, b)
    steps = [step for step in plan.steps if step.op.name not in _CONVERSIONS]
    wanted = [index for step in steps for index in step.results]
    outputs = tuple(parts)

    def run(fed: Mapping[int, Any], watch: Callable[[Any], None]) -> dict[int, Any]:
        values = dict(fed)
        for step in plan.steps:
            made = execute_step(plan, b, step, values, exact)
            for value in made.values():
                watch(value)
            values.update(made)
        return values

    def direction(index: int, values: Array) -> Array:
        return _direction(values, parts[index], draws)

    values, gradients = framework.gradients(run, feeds, wanted, outputs, direction)
    rounded = _Rounded(plan, b)
    for step in steps:
        made = execute_step(plan, b, step, values, rounded)
        moved = np.zeros((2, len(next(iter(feeds.values())))))
        for index in step.results:
            gradient = gradients.get(index)
            if gradient is not None:
                exact = framework.array(values[index])
                grid = exact if _only_moves(plan, step.op, index) else _rounded(plan, index, exact)
                for place, after in enumerate((framework.array(made[index]), grid)):
                    moved[place] += ((after - exact) * gradient).reshape(moved.shape[1], -1).sum(1)
        own, rounding = (float((row**2).sum()) for row in moved)
        yield step.op, own, rounding


def _only_moves(plan: Plan, op: Op, index: int) -> bool:
    """Whether a result is on its operands' own grid: what was rounded there is not rounded again."""
    tensors = plan.template.main.tensors
    before = [tensors[i] for i in op.inputs if i >= 0 and tensors[i].constant is None]
    return op.name in MOVING and all(_grid(tensor) == _grid(tensors[index]) for tensor in before)


def _grid(tensor: Tensor) -> tuple[Any, ...]:
    own = tensor.quantization
    return (tensor.dtype,) if own is None else (tensor.dtype, *map(float, own.scale), *map(int, own.zero_point))


def _rounded(plan: Plan, index: int, values: Array) -> Array:
    """A result on its own grid; one that is float in the int8 file as it is."""
    tensor = plan.template.main.tensors[index]
    own = tensor.quantization
    if own is None or tensor.dtype == "float32":
        return values
    limits = np.iinfo(tensor.dtype)
    scale, zero = np.float64(own.scale[0]), own.zero_point[0]
    real: Array = (np.clip(np.rint(values / scale) + zero, limits.min, limits.max) - zero) * scale
    return real


def _direction(values: Array, parts: Sequence[Part], draws: Any) -> Array:
    """A random direction in which outputs are looked at; values are [samples, *shape in the file]."""
    scores = values.reshape(-1, values.shape[-1])
    if is_class_like(scores.astype(np.float32)) and values.size == len(values) * values.shape[-1]:
        return _likelihood(scores, draws).reshape(values.shape)
    made = np.asarray(draws.standard_normal(values.shape))
    sizes = np.ones_like(values)
    for part in parts or (Part(0, 0, values.shape[1]),):
        place = (slice(None),) * (part.axis + 1) + (slice(part.start, part.stop),)
        power = float(np.mean(np.square(values[place], dtype=np.float64)))
        # Shares of each part's own power: boxes in pixels must not hide scores.
        sizes[place] = 1 / np.sqrt(max(power * values[place][0].size, 1e-30))
    return made * sizes


def _likelihood(scores: Array, draws: Any) -> Array:
    """Gradient of the log-likelihood of a class drawn by its own probability, for probabilities and for logits."""
    probabilities = bool((scores >= 0).all() and np.allclose(scores.sum(1), 1, atol=0.02))
    shares = scores if probabilities else np.exp(scores - scores.max(1, keepdims=True))
    shares = shares / shares.sum(1, keepdims=True)
    chosen = (draws.random((len(shares), 1)) > shares.cumsum(1)).sum(1).clip(max=shares.shape[1] - 1)
    one = np.eye(shares.shape[1])[chosen]
    made: Array = one / np.maximum(shares, _RAREST) if probabilities else one - shares
    return made


class _Exact:
    """Constants as the float file has them; see ``replay.engine.Weights``."""

    def __init__(self, plan: Plan, backend: Any) -> None:
        self._plan, self._b = plan, backend

    def constant(self, tensor: int) -> Any:
        known = self._plan.exact.get(tensor, self._plan.constants[tensor])
        return self._b.constant(known.astype(np.float32))

    def plain(self, operand: Operand) -> Any:
        return self._b.constant(self._plan.parameters[operand.parameter].values.astype(np.float32))

    weight = bias = grid = plain

    def round(self, value: Any, group: int, *, away: bool) -> Any:  # noqa: ARG002 - the int8 grid is laid on later
        return value


class _Rounded(_Exact):
    """Constants as the int8 file has them."""

    def constant(self, tensor: int) -> Any:
        return self._b.constant(self._plan.constants[tensor].astype(np.float32))

    def weight(self, operand: Operand) -> Any:
        tensor = self._plan.template.main.tensors[operand.tensor]
        return self._b.constant(real_constant(tensor).astype(np.float32))

    bias = grid = weight


class _TensorFlow:
    @staticmethod
    def backend() -> Any:
        from edge_sdk.converters.replay.backend_tensorflow import TensorFlowBackend

        return TensorFlowBackend()

    @staticmethod
    def array(value: Any) -> Array:
        return np.asarray(value)

    @staticmethod
    def gradients(run: Any, feeds: Mapping[int, Array], wanted: Any, outputs: Any, direction: Any) -> Any:
        """Every value, and the gradient of a direction of the outputs by each wanted one."""
        import tensorflow as tf

        fed = {index: tf.convert_to_tensor(value) for index, value in feeds.items()}
        with tf.GradientTape() as tape:
            # Results too: what is looked up by whole numbers hangs on no real input.
            def watch(value: Any) -> None:
                if value.dtype.is_floating:
                    tape.watch(value)

            for value in fed.values():
                watch(value)
            values = run(fed, watch)
            ends = [
                values[index] * tf.constant(direction(index, values[index].numpy()), tf.float32) for index in outputs
            ]
            target = tf.add_n([tf.reduce_sum(end) for end in ends])
        floating = [index for index in wanted if values[index].dtype.is_floating]
        found = tape.gradient(target, [values[index] for index in floating])
        return values, {i: np.asarray(g) for i, g in zip(floating, found, strict=True) if g is not None}


class _Torch:
    @staticmethod
    def backend() -> Any:
        from edge_sdk.converters.replay.backend_torch import TorchBackend

        return TorchBackend()

    @staticmethod
    def array(value: Any) -> Array:
        return np.asarray(value.detach().cpu())

    @staticmethod
    def gradients(run: Any, feeds: Mapping[int, Array], wanted: Any, outputs: Any, direction: Any) -> Any:
        """As TensorFlow's."""
        import torch

        fed = {index: torch.from_numpy(np.array(value)) for index, value in feeds.items()}

        def watch(value: Any) -> None:
            if value.dtype.is_floating_point and not value.requires_grad:
                value.requires_grad_()

        for value in fed.values():
            watch(value)
        values = run(fed, watch)
        ends = [
            (values[index] * torch.from_numpy(direction(index, values[index].detach().numpy())).float()).sum()
            for index in outputs
        ]
        floating = [index for index in wanted if values[index].requires_grad]
        found = torch.autograd.grad(torch.stack(ends).sum(), [values[i] for i in floating], allow_unused=True)
        kept = {index: value.detach() for index, value in values.items()}
        return kept, {i: g.numpy() for i, g in zip(floating, found, strict=True) if g is not None}


def _framework() -> Any:
    for name, made in (("tensorflow", _TensorFlow), ("torch", _Torch)):
        if find_spec(name) is not None:
            return made
    raise TrainingError("neither TensorFlow nor PyTorch is installed", hint="pip install 'edge-sdk[keras]'")
