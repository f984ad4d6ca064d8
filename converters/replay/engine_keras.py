"""A template as a Keras model of the source's own generation: trained by the shared loop or by ``fit``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge_sdk.converters.replay.backend_tensorflow import TensorFlowBackend
from edge_sdk.converters.replay.engine import Gate, execute, execute_step, feed, result
from edge_sdk.converters.replay.steps import Operand, Plan, Step

_LOW, _HIGH = -128, 127
_TIE = 1e-4


@cache
def graph_model_class(keras: Any) -> Any:  # noqa: C901 - a class and its methods
    """The class for ``keras`` or ``tf_keras``: models of one cannot be trained by the other."""

    class GraphModel(keras.Model):
        """The int8 file with its rounding in place, on float tensors in the source's layout.

        ``rounding = False`` leaves all rounding out: the float model with the trained weights. Takes a tensor, a list
        in input order or a dict by name; returns a tensor, or a dict by name where there are several outputs.
        """

        def __init__(self, plan: Plan, inputs: tuple[Gate, ...], outputs: tuple[Gate, ...], *, learned: bool) -> None:
            super().__init__(name="edge_qat")
            self.graph = _Graph(plan, inputs, outputs)
            self.rounding = True
            self.trained: Any = None
            self.agreement: tuple[Any, ...] = ()
            self.learned: dict[str, tuple[float, int]] = {}
            for name, parameter in plan.parameters.items():
                self.graph.variables[name] = self._variable(name, parameter.values, trainable=True)
            zeros = np.zeros(len(plan.groups), np.float32)
            self.graph.log_scales = self._variable("log_scales", zeros, trainable=learned)
            self.built = True

        def _variable(self, name: str, values: Any, *, trainable: bool) -> Any:
            variable = self.add_weight(name=name, shape=values.shape, initializer="zeros", trainable=trainable)
            variable.assign(values)
            return variable

        def call(self, inputs: Any, training: Any = None) -> Any:
            """One batch."""
            outputs = self.graph.outputs_of(self._by_name(inputs), training=bool(training), rounding=self.rounding)
            return next(iter(outputs.values())) if len(outputs) == 1 else outputs

        def run(self, by_name: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
            """One batch by name; without training traced once for each shape."""
            if training:
                return self.graph.outputs_of(by_name, training=True, rounding=self.rounding)
            found: dict[str, Any] = self.graph.traced(dict(by_name), self.rounding)
            return found

        @property
        def input_gates(self) -> tuple[Gate, ...]:
            """Inputs in order."""
            return self.graph.inputs

        @property
        def output_gates(self) -> tuple[Gate, ...]:
            """Outputs in order."""
            return self.graph.outputs

        def scales_now(self) -> npt.NDArray[np.float32]:
            """Of all groups, as an array."""
            return np.asarray(self.graph.scales(), np.float32)

        def parameters_now(self) -> dict[str, npt.NDArray[Any]]:
            """Weights and biases by name."""
            return {name: np.array(variable) for name, variable in self.graph.variables.items()}

        def set_parameter(self, name: str, values: npt.NDArray[Any]) -> None:
            """Puts a weight in place."""
            self.graph.variables[name].assign(values)

        def alone(self, step: Step, values: Mapping[int, Any]) -> dict[int, Any]:
            """One step on values with a sample axis, without training behaviour."""
            return self.graph.alone(step, values)

        def convertible(self) -> object:
            """What ``edge_sdk.convert`` takes: the trained files."""
            return self.trained

        def ranges(self) -> dict[str, tuple[float, int]]:
            """Tensor name to learned scale and zero point."""
            return dict(self.learned)

        def _by_name(self, inputs: Any) -> dict[str, Any]:
            if isinstance(inputs, Mapping):
                return dict(inputs)
            values = inputs if isinstance(inputs, list | tuple) else [inputs]
            return {gate.name: value for gate, value in zip(self.graph.inputs, values, strict=True)}

    return GraphModel


class _Graph:
    """The plan with its variables; a plain object, so that Keras does not track what is in it twice."""

    def __init__(self, plan: Plan, inputs: tuple[Gate, ...], outputs: tuple[Gate, ...]) -> None:
        self.plan, self.inputs, self.outputs = plan, inputs, outputs
        self.variables: dict[str, Any] = {}
        self.log_scales: Any = None
        self.start = np.array([group.scale for group in plan.groups], np.float32)
        self.free = np.array([0.0 if group.fixed else 1.0 for group in plan.groups], np.float32)
        self.traced = tf.function(
            lambda by_name, rounding: self.outputs_of(by_name, training=False, rounding=rounding),
            autograph=False,
            reduce_retracing=True,
        )

    def scales(self) -> Any:
        return self.start * tf.exp(tf.convert_to_tensor(self.log_scales) * self.free)

    def outputs_of(self, by_name: Mapping[str, Any], *, training: bool, rounding: bool) -> dict[str, Any]:
        b = TensorFlowBackend()
        weights = _Weights(self, training=training, rounding=rounding)
        feeds = {gate.tensor: feed(b, gate, tf.convert_to_tensor(by_name[gate.name])) for gate in self.inputs}
        values = execute(self.plan, b, weights.entering(feeds), weights)
        return {gate.name: result(b, gate, values[gate.tensor]) for gate in self.outputs}

    def alone(self, step: Step, values: Mapping[int, Any]) -> dict[int, Any]:
        b = TensorFlowBackend()
        weights = _Weights(self, training=False, rounding=True)
        read = {i: tf.constant(values[i]) for i in step.op.inputs if i in values}
        return {i: v.numpy() for i, v in execute_step(self.plan, b, step, read, weights).items()}


class _Weights:
    """See :class:`~.engine.Weights`; scales and rounded weights are made once for each run."""

    def __init__(self, graph: _Graph, *, training: bool, rounding: bool) -> None:
        self._graph, self._training, self._rounding = graph, training, rounding
        self._parts = tf.unstack(graph.scales())
        self._made: dict[tuple[str, int], Any] = {}

    def entering(self, feeds: Mapping[int, Any]) -> dict[int, Any]:
        groups = self._graph.plan.group_of
        return {i: self.round(v, groups[i], away=False) if i in groups else v for i, v in feeds.items()}

    def constant(self, tensor: int) -> Any:
        plan = self._graph.plan
        known = plan.constants if self._rounding else {**plan.constants, **plan.exact}
        return tf.constant(known[tensor], tf.float32)

    def plain(self, operand: Operand) -> Any:
        return tf.convert_to_tensor(self._graph.variables[operand.parameter])

    def weight(self, operand: Operand) -> Any:
        key = (operand.parameter, operand.tensor)
        if key not in self._made:
            w = self.plain(operand)
            self._made[key] = _round_weight(w, operand.axis) if self._rounding else w
        return self._made[key]

    def bias(self, operand: Operand) -> Any:
        bias = self.plain(operand)
        # Far finer than the result's own steps: it matters to the last bit only, and not to training.
        if self._training or not self._rounding:
            return bias
        data, weight = operand.scales
        step = self._parts[self._graph.plan.group_of[data]] * self._weight_scales(weight)
        return tf.round(bias / step) * step

    def grid(self, operand: Operand) -> Any:
        return self.round(self.plain(operand), self._graph.plan.group_of[operand.tensor], away=False)

    def round(self, value: Any, group: int, *, away: bool) -> Any:
        if not self._rounding:
            return value
        zero = self._graph.plan.groups[group].zero_point
        if away and not self._training:
            return _round_away(value, self._parts[group], zero)
        return _round(zero)(value, self._parts[group])

    def _weight_scales(self, tensor: int) -> Any:
        operand = self._graph.plan.operands["weight"].get(tensor)
        if operand is not None:
            return _extremes(self.plain(operand), operand.axis) / 127.0
        own = self._graph.plan.template.main.tensors[tensor].quantization
        return tf.constant(own.scale if own else (1.0,), tf.float32)


@cache
def _round(zero: int) -> Any:
    """To int8 and back; the gradient of the scale is that of LSQ (Esser et al. 2020), by 1/sqrt(size)."""

    @tf.custom_gradient  # type: ignore[untyped-decorator] # no types
    def rounded(x: Any, scale: Any) -> Any:
        low, high = (_LOW - zero) * scale, (_HIGH - zero) * scale
        y = tf.quantization.fake_quant_with_min_max_vars(x, low, high)

        def gradient(upstream: Any) -> Any:
            inner, _, _ = tf.raw_ops.FakeQuantWithMinMaxVarsGradient(gradients=upstream, inputs=x, min=low, max=high)
            pull = tf.reduce_sum(upstream * y) - tf.reduce_sum(inner * x)
            size = tf.sqrt(tf.cast(tf.size(x), tf.float32))
            return inner, pull / (scale * size)

        return y, gradient

    return rounded


def _extremes(w: Any, axis: int | None) -> Any:
    """The largest weight of each channel; 1 for a channel of zeros."""
    others = None if axis is None else [a for a in range(len(w.shape)) if a != axis]
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(w), others))
    return tf.where(largest > 0, largest, tf.ones_like(largest))


def _round_weight(w: Any, axis: int | None) -> Any:
    """Symmetric to [-127, 127], with the extremes of each index of ``axis``."""
    largest = _extremes(w, axis)
    if axis is None:
        return tf.quantization.fake_quant_with_min_max_vars(w, -largest, largest, narrow_range=True)
    last = len(w.shape) - 1
    order = [a for a in range(last + 1) if a != axis] + [axis]
    moved = w if axis == last else tf.transpose(w, order)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(moved, -largest, largest, narrow_range=True)
    return rounded if axis == last else tf.transpose(rounded, [int(a) for a in np.argsort(order)])


def _round_away(x: Any, scale: Any, zero: int) -> Any:
    q = x / scale + zero
    q = tf.sign(q) * tf.floor(tf.abs(q) + 0.5 + _TIE)
    return (tf.clip_by_value(q, _LOW, _HIGH) - zero) * scale
