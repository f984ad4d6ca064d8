"""A template as an ``nn.Module``: trained in the shared loop or in the user's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edge_sdk.converters.replay.backend_torch import TorchBackend
from edge_sdk.converters.replay.engine import Gate, execute, execute_step, feed, result
from edge_sdk.converters.replay.steps import Operand, Plan, Step
from edge_sdk.converters.sources.pytorch.calls import eval_mode

_LOW, _HIGH = -128, 127
_TIE = 1e-4


class GraphModule(torch.nn.Module):
    """The int8 file with its rounding in place, on float tensors in the source's layout.

    ``rounding = False`` leaves all rounding out: the float model with the trained weights. Takes inputs in order or by
    name, and returns what the source returns: a tensor, or a dict by name where there are several outputs.
    """

    def __init__(self, plan: Plan, inputs: tuple[Gate, ...], outputs: tuple[Gate, ...], *, learned: bool) -> None:
        super().__init__()
        self.plan, self.input_gates, self.output_gates = plan, inputs, outputs
        self.rounding = True
        self.trained: Any = None
        self.agreement: tuple[Any, ...] = ()
        self.learned: dict[str, tuple[float, int]] = {}
        for name, parameter in plan.parameters.items():
            self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(parameter.values.copy())))
        count = len(plan.groups)
        self.log_scales = torch.nn.Parameter(torch.zeros(count), requires_grad=learned)
        self.register_buffer("start", torch.tensor([group.scale for group in plan.groups], dtype=torch.float32))
        self.register_buffer("free", torch.tensor([0.0 if g.fixed else 1.0 for g in plan.groups]))
        self.register_buffer("zeros", torch.tensor([g.zero_point for g in plan.groups], dtype=torch.int32))
        for index, values in plan.constants.items():
            if values.dtype.kind == "f":
                self.register_buffer(f"c{index}", torch.from_numpy(np.array(values, np.float32)), persistent=False)

    def forward(self, *tensors: Any, **named: Any) -> Any:
        """One batch."""
        by_name = {gate.name: value for gate, value in zip(self.input_gates, tensors, strict=False)} | named
        values = self.values(by_name)
        b = TorchBackend(self.start.device)
        outputs = {gate.name: result(b, gate, values[gate.tensor]) for gate in self.output_gates}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def values(self, by_name: Mapping[str, Any]) -> dict[int, Any]:
        """Every value of a run by its tensor in the template, with the sample axis in front."""
        b = TorchBackend(self.start.device)
        weights = _Weights(self)
        feeds = {gate.tensor: feed(b, gate, by_name[gate.name]) for gate in self.input_gates}
        return execute(self.plan, b, weights.entering(feeds), weights)

    def scales(self) -> Any:
        """Of all groups."""
        return self.start * torch.exp(self.log_scales * self.free)

    def scales_now(self) -> npt.NDArray[np.float32]:
        """Of all groups, as an array."""
        return np.asarray(self.scales().detach().cpu().numpy(), np.float32)

    def parameters_now(self) -> dict[str, npt.NDArray[Any]]:
        """Weights and biases by name."""
        return {name: getattr(self, name).detach().cpu().numpy().copy() for name in self.plan.parameters}

    def set_parameter(self, name: str, values: npt.NDArray[Any]) -> None:
        """Puts a weight in place."""
        with torch.no_grad():
            getattr(self, name).copy_(torch.from_numpy(np.array(values)))

    def alone(self, step: Step, values: Mapping[int, Any]) -> dict[int, Any]:
        """One step on values with a sample axis, without training behaviour."""
        b, device = TorchBackend(self.start.device), self.start.device
        with torch.no_grad(), eval_mode(self):
            read = {i: torch.from_numpy(np.array(values[i])).to(device) for i in step.op.inputs if i in values}
            made = execute_step(self.plan, b, step, read, _Weights(self))
        return {i: v.cpu().numpy() for i, v in made.items()}

    def convertible(self) -> object:
        """What ``edge_sdk.convert`` takes: the trained files."""
        return self.trained

    def ranges(self) -> dict[str, tuple[float, int]]:
        """Tensor name to learned scale and zero point."""
        return dict(self.learned)


class _Weights:
    """See :class:`~.engine.Weights`; scales and rounded weights are made once for each run."""

    def __init__(self, module: GraphModule) -> None:
        self._module = module
        self._scales = module.scales()
        self._parts = self._scales.unbind()
        self._zeros = module.zeros.unbind()
        self._made: dict[tuple[str, int], Any] = {}

    def entering(self, feeds: Mapping[int, Any]) -> dict[int, Any]:
        """Inputs; those of an integer file are rounded as they come in."""
        groups = self._module.plan.group_of
        return {i: self.round(v, groups[i], away=False) if i in groups else v for i, v in feeds.items()}

    def constant(self, tensor: int) -> Any:
        exact = self._module.plan.exact
        if not self._module.rounding and tensor in exact:
            return torch.from_numpy(np.array(exact[tensor])).to(self._module.start.device)
        return getattr(self._module, f"c{tensor}")

    def plain(self, operand: Operand) -> Any:
        return getattr(self._module, operand.parameter)

    def weight(self, operand: Operand) -> Any:
        key = (operand.parameter, operand.tensor)
        if key not in self._made:
            w = self.plain(operand)
            self._made[key] = round_weight(w, operand.axis) if self._module.rounding else w
        return self._made[key]

    def bias(self, operand: Operand) -> Any:
        bias = self.plain(operand)
        # Far finer than the result's own steps: it matters to the last bit only, and not to training.
        if self._module.training or not self._module.rounding:
            return bias
        data, weight = operand.scales
        group = self._module.plan.group_of[data]
        step = self._scales[group] * weight_scales(self._module, weight)
        return torch.round(bias / step) * step

    def grid(self, operand: Operand) -> Any:
        return self.round(self.plain(operand), self._module.plan.group_of[operand.tensor], away=False)

    def round(self, value: Any, group: int, *, away: bool) -> Any:
        if not self._module.rounding:
            return value
        if away and not self._module.training:
            return _round_away(value, self._parts[group], self._zeros[group])
        return _Round.apply(value, self._parts[group], self._zeros[group])


class _Round(torch.autograd.Function):
    """To int8 and back; the gradient of the scale is that of LSQ (Esser et al. 2020), by 1/sqrt(size)."""

    @staticmethod
    def forward(ctx: Any, x: Any, scale: Any, zero: Any) -> Any:
        y, mask = torch.ops.aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams(
            x, scale, zero, _ONE.to(x.device), _LOW, _HIGH
        )
        ctx.save_for_backward(x, y, mask, scale)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        x, y, mask, scale = ctx.saved_tensors
        inner = grad * mask
        if not ctx.needs_input_grad[1]:
            return inner, None, None
        pull = torch.sum(grad * y) - torch.sum(inner * x)
        return inner, pull / (scale * math.sqrt(x.numel())), None


_ONE = torch.ones(1, dtype=torch.uint8)


def round_activation(value: Any, scale: Any, zero: Any) -> Any:
    """A value on the grid of an int8 tensor; scale float32 and zero point int32, both of one value."""
    return _Round.apply(value, scale, zero)


def round_weight(w: Any, axis: int | None) -> Any:
    """Symmetric to [-127, 127], with the extremes of each index of ``axis``."""
    scale = extremes(w, axis)
    if axis is None:
        return torch.fake_quantize_per_tensor_affine(
            w, scale, torch.zeros(1, dtype=torch.int32, device=w.device), -127, 127
        )
    zeros = torch.zeros(len(scale), dtype=torch.int32, device=w.device)
    return torch.fake_quantize_per_channel_affine(w, scale, zeros, axis, -127, 127)


def extremes(w: Any, axis: int | None) -> Any:
    """Scales that put the largest weight on 127; a channel of zeros gets 1/127."""
    with torch.no_grad():
        size = w.detach().abs()
        largest = size.amax() if axis is None else size.amax([a for a in range(w.dim()) if a != axis])
        return torch.where(largest > 0, largest, torch.ones_like(largest)) / 127


def weight_scales(module: GraphModule, tensor: int) -> Any:
    """Scales of a weight of the template."""
    operand = module.plan.operands["weight"].get(tensor)
    if operand is not None:
        return extremes(getattr(module, operand.parameter), operand.axis)
    own = module.plan.template.main.tensors[tensor].quantization
    return torch.tensor(own.scale if own else [1.0])


def _round_away(x: Any, scale: Any, zero: Any) -> Any:
    q = x / scale + zero
    q = torch.sign(q) * torch.floor(q.abs() + 0.5 + _TIE)
    return (torch.clamp(q, _LOW, _HIGH) - zero) * scale
