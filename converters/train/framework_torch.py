"""Training in PyTorch, on the device that the module is on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.sources.pytorch.calls import TorchCall, eval_mode, is_exported
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.metrics import alone, paired
from edge_sdk.converters.train.stage import Batch, Stage, State, Stepper, StepSettings
from edge_sdk.errors import CheckpointError, TrainingError
from edge_sdk.signature import Arrays, TensorSpec, fix_shapes


class TorchFramework:
    """See :class:`~edge_sdk.converters.train.stage.Framework`.

    Args:
        source: ``(module, example inputs)``, a module with shapes in the options, or an exported program.
        options: how the source is opened.
    """

    name = "torch"
    class_axis = 1

    def __init__(self, source: Any, options: SourceOptions) -> None:
        self._source = source
        model, examples = source if isinstance(source, tuple) else (source, None)
        call = TorchCall(model, examples, options)
        self._exported = is_exported(model)
        self._fixed = _fixed_batch(call.inputs) if self._exported else None
        self.model = call.module
        self._examples = call.examples
        self.inputs: tuple[TensorSpec, ...] = fix_shapes(call.inputs, batch=options.batch, given=options.shapes)
        self._calls: dict[int, tuple[Any, TorchCall]] = {id(self.model): (self.model, call)}
        self._options = options
        examples_now = {spec.name: _zeros(spec, call.examples) for spec in self.inputs}
        self.outputs = tuple(self.predict(self.model, examples_now))

    def call(self, model: Any, inputs: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
        """Runs tensors by name; the caller sets the mode of the module."""
        del training  # modes are the module's own in PyTorch
        results = self._run(model, inputs)
        return dict(zip(self.outputs, results.values(), strict=True)) if hasattr(self, "outputs") else results

    def _run(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """In parts of the batch that a program was exported for, where that is fixed."""
        import torch

        call, fixed = self._call_of(model), self._fixed
        count = len(next(iter(inputs.values()))) if fixed and model is self.model else fixed
        if fixed is None or count is None or count == fixed:
            return call(inputs)
        if count % fixed:
            raise TrainingError(
                f"the program was exported for a batch of {fixed}, which {count} samples are no multiple of",
                hint="export it with an open batch (dynamic_shapes), or for a batch of 1",
            )
        parts = [call({name: v[at : at + fixed] for name, v in inputs.items()}) for at in range(0, count, fixed)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def predict(self, model: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """In eval mode, without gradients."""
        import torch

        with torch.no_grad(), eval_mode(model):
            results = self.call(model, self.tensors(model, inputs), training=False)
        return {name: tensor.detach().cpu().numpy() for name, tensor in results.items()}

    def tensors(self, model: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
        """Arrays as tensors on the module's device."""
        device = _device(model)
        return {name: _tensor(values, device) for name, values in arrays.items()}

    def copy(self, model: Any) -> Any:
        """A module of its own weights, so that the caller's is left as it is.

        Raises:
            TrainingError: the module cannot be copied or trained.
        """
        self.check_changeable()
        return copy.deepcopy(model)

    def check_changeable(self) -> None:
        """What changes a module's layers needs the module itself.

        Raises:
            TrainingError: it was exported.
        """
        if self._exported:
            raise TrainingError(
                "an exported program is fixed in eval mode and cannot be trained in stages that change it",
                hint="give the module itself: file.py:function that returns (module, inputs); qat takes programs too",
            )

    def state(self, model: Any) -> State:
        """Parameters and buffers."""
        return {name: value.detach().cpu().numpy().copy() for name, value in model.state_dict().items()}

    def load_state(self, model: Any, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Parameters and buffers, by name and shape."""
        import torch

        own = model.state_dict()
        wrong = sorted(own.keys() ^ state.keys()) + [
            name for name in own.keys() & state.keys() if tuple(own[name].shape) != state[name].shape
        ]
        if wrong:
            raise CheckpointError(f"the checkpoint's weights do not fit the module: {', '.join(wrong[:6])}")
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(torch.from_numpy(np.array(state[name])))

    def stepper(
        self, model: Any, loss: Callable[[dict[str, Any], Any], Any], stage: Stage, settings: StepSettings
    ) -> Stepper:
        """A step of Adam or SGD."""
        return TorchStepper(self, model, loss, stage, settings)

    def gradients(
        self, model: Any, loss: Callable[[dict[str, Any], Any], Any], batches: Iterable[Batch]
    ) -> dict[str, npt.NDArray[Any]]:
        """See :class:`~edge_sdk.converters.train.stage.Framework`; in eval mode."""
        import torch

        named, device = dict(model.named_parameters()), _device(model)
        total, count = {name: np.zeros(tuple(p.shape)) for name, p in named.items()}, 0
        with torch.enable_grad(), eval_mode(model):
            for batch in batches:
                outputs = self.call(model, self.tensors(model, batch.inputs), training=False)
                value = loss(outputs, _targets(batch.targets, device))
                found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
                for name, gradient in zip(named, found, strict=True):
                    if gradient is not None:
                        total[name] += gradient.detach().cpu().numpy()
                count += 1
        return {name: value / max(1, count) for name, value in total.items()}

    def convertible(self, model: Any) -> object:
        """``(module, example inputs)``, or what the model itself says."""
        if hasattr(model, "convertible"):
            return model.convertible()
        if model is self.model:
            return self._source
        return model, dict(self._examples)

    def loss(self, name: str) -> Callable[[dict[str, Any], Any], Any]:
        """A common loss, summed over the outputs that have targets."""
        function = _LOSSES[name]
        return lambda outputs, targets: sum(function(o, t) for o, t in paired(outputs, targets))

    def own_loss(self, function: Callable[..., Any]) -> Callable[[dict[str, Any], Any], Any]:
        """A user's loss of (outputs, targets)."""
        return lambda outputs, targets: function(alone(outputs), targets)

    def seed(self, seed: int) -> None:
        """Of dropout and the like."""
        import torch

        torch.manual_seed(seed)

    def _call_of(self, model: Any) -> TorchCall:
        known = self._calls.get(id(model))
        if known is None or known[0] is not model:
            known = (model, TorchCall(model, dict(self._examples), self._options))
            self._calls[id(model)] = known
        return known[1]


class TorchStepper:
    """Forward, loss, backward, optimizer; the learning rate falls along a cosine."""

    def __init__(
        self,
        framework: TorchFramework,
        model: Any,
        loss: Callable[[dict[str, Any], Any], Any],
        stage: Stage,
        settings: StepSettings,
    ) -> None:
        import torch

        self._framework, self._model, self._loss, self._stage, self._settings = framework, model, loss, stage, settings
        parameters = [p for p in model.parameters() if p.requires_grad]
        kinds = {"adam": torch.optim.Adam, "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)}
        self._optimizer = kinds[settings.optimizer](parameters, lr=settings.learning_rate)
        self._step = 0

    def __call__(self, batch: Batch) -> float:
        """One step; returns the loss before it."""
        self._model.train()
        device = _device(self._model)
        inputs = self._framework.tensors(self._model, batch.inputs)
        tensors = Batch(inputs, _targets(batch.targets, device))
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.rate(self._step)
        self._optimizer.zero_grad()
        outputs = self._framework.call(self._model, inputs, training=True)
        loss = self._stage.loss(self._loss(outputs, tensors.targets), tensors, outputs)
        loss.backward()
        self._optimizer.step()
        self._step += 1
        return float(loss.detach())

    def state(self) -> State:
        """Moments by parameter and place, the step, and the generator's state."""
        import torch

        saved = self._optimizer.state_dict()["state"]
        flat = {
            f"{index}.{key}": np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
            for index, values in saved.items()
            for key, value in values.items()
            if value is not None
        }
        return {**flat, "step": np.asarray(self._step), "random": torch.get_rng_state().numpy().copy()}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts them back."""
        import torch

        moments = {key: value for key, value in state.items() if key not in ("step", "random")}
        nested: dict[int, dict[str, Any]] = {}
        for key, value in moments.items():
            index, _, name = key.partition(".")
            nested.setdefault(int(index), {})[name] = torch.from_numpy(np.array(value))
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": nested, "param_groups": groups})
        self._step = int(state.get("step", 0))
        if "random" in state:
            torch.set_rng_state(torch.from_numpy(np.array(state["random"])))


def _fixed_batch(specs: Sequence[TensorSpec]) -> int | None:
    """The batch that all inputs have; None where it is open, or there is none."""
    first = {spec.shape[0] if spec.shape else None for spec in specs}
    return next(iter(first)) if len(first) == 1 else None


def _device(model: Any) -> Any:
    import torch

    parameter = next(iter(model.parameters()), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _tensor(values: Any, device: Any) -> Any:
    import torch

    return values.to(device) if isinstance(values, torch.Tensor) else torch.from_numpy(np.array(values)).to(device)


def _targets(targets: Any, device: Any) -> Any:
    if isinstance(targets, Mapping):
        return {name: _tensor(values, device) for name, values in targets.items()}
    return None if targets is None else _tensor(targets, device)


def _zeros(spec: TensorSpec, examples: Mapping[str, Any]) -> npt.NDArray[Any]:
    example = examples[spec.name]
    fits = tuple(example.shape) == spec.static_shape
    return example.detach().cpu().numpy() if fits else np.zeros(spec.static_shape, spec.dtype)


def _cross_entropy(scores: Any, target: Any) -> Any:
    import torch.nn.functional as F  # noqa: N812 - its usual name

    return F.cross_entropy(scores, target if target.is_floating_point() else target.long())


def _cross_entropy_of_probabilities(scores: Any, target: Any) -> Any:
    import torch
    import torch.nn.functional as F  # noqa: N812

    logs = torch.log(scores.clamp_min(1e-7))
    return -(target * logs).sum(1).mean() if target.is_floating_point() else F.nll_loss(logs, target.long())


def _like(target: Any, scores: Any) -> Any:
    return target.reshape(scores.shape).to(scores.dtype)


def _functional(name: str) -> Callable[[Any, Any], Any]:
    def loss(scores: Any, target: Any) -> Any:
        import torch.nn.functional as F  # noqa: N812

        return getattr(F, name)(scores, _like(target, scores))

    return loss


_LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy": _cross_entropy,
    "cross_entropy_probabilities": _cross_entropy_of_probabilities,
    "binary_cross_entropy": _functional("binary_cross_entropy_with_logits"),
    "mse": _functional("mse_loss"),
    "mae": _functional("l1_loss"),
    "huber": _functional("smooth_l1_loss"),
}
