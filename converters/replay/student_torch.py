"""A student (:mod:`.student`) in PyTorch, taught one batch at a time; rounding passes gradients straight through."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edge_sdk.converters.replay.backend_torch import TorchBackend
from edge_sdk.converters.replay.engine import execute_step
from edge_sdk.converters.replay.engine_torch import round_activation
from edge_sdk.converters.replay.steps import Operand, Plan
from edge_sdk.converters.replay.student import SCALES, started, units, weight_step

Array = npt.NDArray[Any]
_LARGEST = 127


class Student:
    """The template's ops with their rounding, on values with a sample axis in front.

    Args:
        plan: of the template beside the float file that explains it.
        rates: of learning, for ``weights``, ``others`` and ``scales``; in the units of :mod:`.student`.
    """

    def __init__(self, plan: Plan, rates: Mapping[str, float]) -> None:
        self._plan, self._b = plan, TorchBackend()
        self._units = {name: torch.tensor(unit) for name, unit in units(plan).items()}
        self._steps = {t: torch.tensor(weight_step(plan, t, o)) for t, o in plan.operands["weight"].items()}
        self._start = torch.tensor([group.scale for group in plan.groups], dtype=torch.float32)
        self._free = torch.tensor([0.0 if group.fixed else 1.0 for group in plan.groups])
        self._zeros = [torch.tensor(group.zero_point, dtype=torch.int32) for group in plan.groups]
        floats = {index: values for index, values in plan.constants.items() if values.dtype.kind == "f"}
        self._constants = {index: torch.from_numpy(np.array(v, np.float32)) for index, v in floats.items()}
        self._learned = {name: torch.tensor(values, requires_grad=True) for name, values in started(plan).items()}
        weights = {operand.parameter for operand in plan.operands["weight"].values()}
        kinds: dict[str, list[Any]] = {"weights": [], "others": [], "scales": [self._learned[SCALES]]}
        for name, value in self._learned.items():
            if name != SCALES:
                kinds["weights" if name in weights else "others"].append(value)
        parts = [{"params": values, "lr": rates[kind], "full": rates[kind]} for kind, values in kinds.items() if values]
        self._optimizer = torch.optim.Adam(parts)
        self._parts: tuple[Any, ...] = ()
        self._rounded: dict[int, Any] = {}

    def loss(self, feeds: Mapping[int, Array], wanted: Mapping[int, Array], shares: Mapping[int, float]) -> float:
        """How far the student is from the teacher, as :meth:`teach` weighs it, without learning."""
        with torch.no_grad():
            return float(self._loss(feeds, wanted, shares, ()))

    def teach(
        self,
        feeds: Mapping[int, Array],
        wanted: Mapping[int, Array],
        shares: Mapping[int, float],
        *,
        rate: float,
        apart: Collection[int] = (),
    ) -> float:
        """One step of learning; returns the loss before it.

        Args:
            feeds: inputs of the template by tensor, ``[samples, *shape in the file]``.
            wanted: what the teacher has, by tensor of the template, likewise.
            shares: tensor to the factor of its mean square error in the loss.
            rate: factor of the rates, 0 to 1.
            apart: tensors behind which no gradient flows back, so that blocks between them learn for themselves.
        """
        for part in self._optimizer.param_groups:
            part["lr"] = rate * part["full"]
        loss = self._loss(feeds, wanted, shares, apart)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return float(loss.detach())

    def learned(self) -> dict[str, Array]:
        """All that is learned, in its units."""
        return {name: value.detach().numpy().copy() for name, value in self._learned.items()}

    def memory(self) -> dict[str, Array]:
        """What goes on from an interruption beside :meth:`learned`: Adam's means and count, by name."""
        found: dict[str, Array] = {}
        for name, value in self._learned.items():
            for word, one in self._optimizer.state.get(value, {}).items():
                found[f"{word}:{name}"] = np.array(one.detach().numpy())
        return found

    def restore(self, learned: Mapping[str, Array], memory: Mapping[str, Array]) -> None:
        """Puts back what :meth:`learned` and :meth:`memory` gave; without the latter Adam begins anew."""
        self._optimizer.state.clear()
        with torch.no_grad():
            for name, value in self._learned.items():
                value.copy_(torch.from_numpy(np.array(learned[name])))
        for key, array in memory.items():
            word, _, name = key.partition(":")
            self._optimizer.state[self._learned[name]][word] = torch.from_numpy(np.array(array))

    def _loss(
        self,
        feeds: Mapping[int, Array],
        wanted: Mapping[int, Array],
        shares: Mapping[int, float],
        apart: Collection[int],
    ) -> Any:
        scales = self._start * torch.exp(self._learned[SCALES] * self._free)
        self._parts, self._rounded = scales.unbind(), {}
        groups = self._plan.group_of
        values = {i: torch.from_numpy(np.array(v)) for i, v in feeds.items()}
        values = {i: self.round(v, groups[i], away=False) if i in groups else v for i, v in values.items()}
        loss = torch.zeros(())
        for step in self._plan.steps:
            for index, value in execute_step(self._plan, self._b, step, values, self).items():
                if index in shares:
                    loss = loss + shares[index] * torch.mean((value - torch.from_numpy(wanted[index])) ** 2)
                values[index] = value.detach() if index in apart else value
        return loss

    def constant(self, tensor: int) -> Any:
        """See :class:`~.engine.Weights`, as all below."""
        return self._constants[tensor]

    def plain(self, operand: Operand) -> Any:  # noqa: D102
        return self._learned[operand.parameter] * self._units[operand.parameter]

    def weight(self, operand: Operand) -> Any:  # noqa: D102
        if operand.tensor not in self._rounded:
            steps = torch.clamp(self._learned[operand.parameter], -_LARGEST, _LARGEST)
            straight = steps + (torch.round(steps) - steps).detach()
            self._rounded[operand.tensor] = straight * self._steps[operand.tensor]
        return self._rounded[operand.tensor]

    def bias(self, operand: Operand) -> Any:  # noqa: D102
        return self.plain(operand)

    def grid(self, operand: Operand) -> Any:  # noqa: D102
        return self.round(self.plain(operand), self._plan.group_of[operand.tensor], away=False)

    def round(self, value: Any, group: int, *, away: bool) -> Any:  # noqa: ARG002, D102
        return round_activation(value, self._parts[group], self._zeros[group])
