"""Training in Keras 3 (on TensorFlow) and tf_keras."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.sources.from_keras import KerasCall, backend_of, generation_of
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.metrics import alone, paired
from edge_sdk.converters.train.stage import Batch, Stage, State, Stepper, StepSettings
from edge_sdk.errors import CheckpointError, TrainingError
from edge_sdk.signature import Arrays, TensorSpec, fix_shapes


class KerasFramework:
    """See :class:`~edge_sdk.converters.train.stage.Framework`.

    Args:
        source: a model of either generation.
        options: how the source is opened.
    """

    name = "keras"
    class_axis = -1

    def __init__(self, source: Any, options: SourceOptions) -> None:
        self.model = source
        self.keras = importlib.import_module(generation_of(source))
        if (backend := backend_of(self.keras)) != "tensorflow":
            raise TrainingError(
                f"Keras runs on {backend} here, and training for TFLite needs TensorFlow",
                hint="set KERAS_BACKEND=tensorflow",
            )
        call = KerasCall(source, options.shapes, options.dtypes)
        self.inputs: tuple[TensorSpec, ...] = fix_shapes(call.inputs, batch=options.batch, given=options.shapes)
        self.outputs = call.outputs
        self._calls: dict[int, tuple[Any, KerasCall]] = {id(source): (source, call)}

    def call(self, model: Any, inputs: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
        """Runs tensors by name."""
        if hasattr(model, "input_gates"):
            found: dict[str, Any] = model.run(inputs, training=training)
            return found
        ordered = [inputs[spec.name] for spec in self.inputs]
        return dict(zip(self.outputs, self._call_of(model).tensors(*ordered, training=training), strict=True))

    def predict(self, model: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Without training behaviour."""
        return {name: np.asarray(values) for name, values in self.call(model, inputs, training=False).items()}

    def copy(self, model: Any) -> Any:
        """A model of its own weights, so that the caller's is left as it is.

        Raises:
            TrainingError: the model cannot be copied.
        """
        try:
            made = self.keras.models.clone_model(model)
        except (ValueError, NotImplementedError, TypeError) as error:
            raise TrainingError(
                f"the model {type(model).__name__} cannot be copied for training: {error}",
                hint="give a functional or Sequential model, or a model whose layers have get_config()",
            ) from error
        made.set_weights(model.get_weights())
        return made

    def state(self, model: Any) -> State:
        """All variables."""
        return {name: np.array(variable) for name, variable in variables_by_name(model).items()}

    def load_state(self, model: Any, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """All variables, by place, name and shape."""
        own = variables_by_name(model)
        wrong = sorted(own.keys() ^ state.keys()) + [
            name for name in own.keys() & state.keys() if tuple(own[name].shape) != state[name].shape
        ]
        if wrong:
            raise CheckpointError(f"the checkpoint's weights do not fit the model: {', '.join(wrong[:6])}")
        for name, variable in own.items():
            variable.assign(state[name])

    def stepper(
        self, model: Any, loss: Callable[[dict[str, Any], Any], Any], stage: Stage, settings: StepSettings
    ) -> Stepper:
        """A traced step of Adam or SGD."""
        return KerasStepper(self, model, loss, stage, settings)

    def gradients(
        self, model: Any, loss: Callable[[dict[str, Any], Any], Any], batches: Iterable[Batch]
    ) -> dict[str, npt.NDArray[Any]]:
        """See :class:`~edge_sdk.converters.train.stage.Framework`; in inference mode."""
        import tensorflow as tf

        named = {name: v for name, v in variables_by_name(model).items() if v.trainable}
        total, count = {name: np.zeros(tuple(v.shape)) for name, v in named.items()}, 0
        variables = list(named.values())
        for batch in batches:
            inputs, targets = _tensors(batch)
            with tf.GradientTape() as tape:
                value = loss(self.call(model, inputs, training=False), targets)
            found = tape.gradient(value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            for name, gradient in zip(named, found, strict=True):
                total[name] += np.asarray(tf.convert_to_tensor(gradient))
            count += 1
        return {name: value / max(1, count) for name, value in total.items()}

    def convertible(self, model: Any) -> object:
        """The model, or what it says itself."""
        return model.convertible() if hasattr(model, "convertible") else model

    def loss(self, name: str) -> Callable[[dict[str, Any], Any], Any]:
        """A common loss, summed over the outputs that have targets."""
        function = _LOSSES[name]
        return lambda outputs, targets: sum(function(o, t) for o, t in paired(outputs, targets))

    def own_loss(self, function: Callable[..., Any]) -> Callable[[dict[str, Any], Any], Any]:
        """A user's loss of (outputs, targets), or a ``keras.losses.Loss`` turned around."""
        losses = self.keras.losses.Loss
        if isinstance(function, losses):
            return lambda outputs, targets: function(targets, alone(outputs))
        return lambda outputs, targets: function(alone(outputs), targets)

    def seed(self, seed: int) -> None:
        """Of dropout and the like."""
        import tensorflow as tf

        tf.random.set_seed(seed)
        self.keras.utils.set_random_seed(seed)

    def _call_of(self, model: Any) -> KerasCall:
        known = self._calls.get(id(model))
        if known is None or known[0] is not model:
            shapes = {spec.name: spec.static_shape for spec in self.inputs}
            dtypes = {spec.name: spec.dtype for spec in self.inputs}
            known = (model, KerasCall(model, shapes, dtypes))
            self._calls[id(model)] = known
        return known[1]


class KerasStepper:
    """Forward, loss, gradient and optimizer in one traced function; the learning rate falls along a cosine."""

    def __init__(
        self,
        framework: KerasFramework,
        model: Any,
        loss: Callable[[dict[str, Any], Any], Any],
        stage: Stage,
        settings: StepSettings,
    ) -> None:
        import tensorflow as tf

        self._framework, self._model, self._settings = framework, model, settings
        optimizers = framework.keras.optimizers
        rate = settings.learning_rate
        kinds = {"adam": lambda: optimizers.Adam(rate), "sgd": lambda: optimizers.SGD(rate, momentum=0.9)}
        self._optimizer = kinds[settings.optimizer]()
        variables = list(model.trainable_variables)
        self._optimizer.build(variables)
        self._step = 0

        def step(inputs: dict[str, Any], targets: Any) -> Any:
            with tf.GradientTape() as tape:
                outputs = framework.call(model, inputs, training=True)
                value = stage.loss(loss(outputs, targets), Batch(inputs, targets), outputs)
                if model.losses:
                    value += tf.add_n(model.losses)
            self._optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
            return value

        self._traced = tf.function(step, autograph=False)

    def __call__(self, batch: Batch) -> float:
        """One step; returns the loss before it."""
        self._optimizer.learning_rate = self._settings.rate(self._step)
        self._step += 1
        return float(self._traced(*_tensors(batch)))

    def state(self) -> State:
        """The optimizer's variables by place, and the step."""
        return {**{str(i): np.array(v) for i, v in enumerate(self._slots())}, "step": np.asarray(self._step)}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts them back."""
        for index, variable in enumerate(self._slots()):
            if str(index) in state:
                variable.assign(state[str(index)])
        self._step = int(state.get("step", 0))

    def _slots(self) -> list[Any]:
        variables = self._optimizer.variables
        return list(variables() if callable(variables) else variables)


def _tensors(batch: Batch) -> tuple[dict[str, Any], Any]:
    import tensorflow as tf

    inputs = {name: tf.convert_to_tensor(values) for name, values in batch.inputs.items()}
    if isinstance(batch.targets, Mapping):
        return inputs, {name: tf.convert_to_tensor(values) for name, values in batch.targets.items()}
    return inputs, None if batch.targets is None else tf.convert_to_tensor(batch.targets)


def variables_by_name(model: Any) -> dict[str, Any]:
    """Every variable by place and name; names alone may repeat."""
    found = getattr(model, "variables", None) or model.weights
    return {f"{place}:{getattr(v, 'path', v.name)}": v for place, v in enumerate(found)}


def _cross_entropy(scores: Any, target: Any) -> Any:
    import tensorflow as tf

    if target.dtype.is_integer:
        target = tf.reshape(target, tf.shape(scores)[:-1])
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(target, scores))
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, scores))


def _cross_entropy_of_probabilities(scores: Any, target: Any) -> Any:
    import tensorflow as tf

    logs = tf.math.log(tf.maximum(scores, 1e-7))
    if target.dtype.is_integer:
        target = tf.one_hot(tf.reshape(target, tf.shape(scores)[:-1]), scores.shape[-1])
    return -tf.reduce_mean(tf.reduce_sum(target * logs, -1))


def _binary_cross_entropy(scores: Any, target: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(_like(target, scores), scores))


def _mse(scores: Any, target: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.square(scores - _like(target, scores)))


def _mae(scores: Any, target: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.abs(scores - _like(target, scores)))


def _huber(scores: Any, target: Any) -> Any:
    import tensorflow as tf

    error = tf.abs(scores - _like(target, scores))
    return tf.reduce_mean(tf.where(error < 1, 0.5 * tf.square(error), error - 0.5))


def _like(target: Any, scores: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.reshape(target, tf.shape(scores)), scores.dtype)


_LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy": _cross_entropy,
    "cross_entropy_probabilities": _cross_entropy_of_probabilities,
    "binary_cross_entropy": _binary_cross_entropy,
    "mse": _mse,
    "mae": _mae,
    "huber": _huber,
}
