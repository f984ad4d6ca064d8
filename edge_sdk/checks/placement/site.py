"""One op held against a rule: what stands where, and the words for what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.checks.placement.rules import Operand, OpRule, RuleSet

_TINY = float(np.finfo(np.float32).tiny)
EIGHT_BITS = frozenset({"int8", "uint8"})


@dataclass(frozen=True)
class Reason:
    """Why an op is predicted to stay outside of a delegate, or to keep the file from loading.

    Attributes:
        rule: stable kebab-case id of the constraint.
        message: one line in plain words.
        op: index of the op in its subgraph, with its name.
        op_name: see ``op``.
        found: the value that was found.
        limit: what the delegate takes instead.
        tensor: index of the tensor in question, None where it is the op itself.
        tensor_name: see ``tensor``.
    """

    rule: str
    message: str
    op: int
    op_name: str
    found: str
    limit: str
    tensor: int | None = None
    tensor_name: str = ""


@dataclass(frozen=True)
class Site:
    """One op where it stands, with the rule that it is held against.

    ``unpacked`` holds tensors that the delegate computes from constants while it is built, with the type in which
    it keeps them; ``producers`` the op that makes each tensor which one op alone reads. ``level`` is
    the device's NNAPI feature level; None leaves out what depends on it.
    """

    rules: RuleSet
    rule: OpRule
    graph: Subgraph
    op: Op
    unpacked: Mapping[int, str] = field(default_factory=dict)
    producers: Mapping[int, Op] = field(default_factory=dict, repr=False)
    level: int | None = None

    @property
    def inputs(self) -> list[tuple[Operand, Tensor | None]]:
        """Each operand of the rule with the tensor that stands there; None where it is absent."""
        return _bound(self.rule.inputs, self.op.inputs, self.graph)

    @property
    def outputs(self) -> list[tuple[Operand, Tensor | None]]:
        """Likewise."""
        return _bound(self.rule.outputs, self.op.outputs, self.graph)

    def values(self) -> list[Tensor]:
        """The tensors, parameters left out, that the op reads or writes while it runs; in order."""
        pairs = (*self.inputs, *self.outputs)
        return [tensor for operand, tensor in pairs if tensor is not None and not operand.parameter]

    def find(self, name: str) -> Tensor | None:
        """The first tensor of the operand of that name."""
        return next((tensor for operand, tensor in (*self.inputs, *self.outputs) if operand.name == name), None)

    def __getitem__(self, name: str) -> Tensor:
        """Likewise, where the rule has seen to it that it is there.

        Raises:
            KeyError: it is absent: a fault in the rule set.
        """
        tensor = self.find(name)
        if tensor is None:
            raise KeyError(name)
        return tensor

    def option(self, name: str) -> float:
        """An option's value; 0 where the file leaves it out, as the engine has it."""
        return float(self.op.options.get(name) or 0)

    def dtype(self, tensor: Tensor) -> str:
        """The type in which the delegate sees the tensor."""
        return self.unpacked.get(tensor.index, tensor.dtype)

    def below(self, level: int | None) -> bool:
        """Whether the device is known to have a lower feature level than that."""
        return self.level is not None and level is not None and self.level < level

    def reason(self, rule: str, message: str, found: object, limit: object, tensor: Tensor | None = None) -> Reason:
        """A reason about this op."""
        index, name = (tensor.index, tensor.name) if tensor is not None else (None, "")
        return Reason(rule, message, self.op.index, self.op.name, str(found), str(limit), index, name)

    def about(self, rule: str, tensor: Tensor, found: str, limit: str) -> Reason:
        """Likewise, of a tensor, in the usual words: what it is or has, and what the delegate takes."""
        message = f"{self.called(tensor)} {found}, {self.rules.title} takes {limit}"
        return self.reason(rule, message, found.partition(" ")[2] or found, limit, tensor)

    def called(self, tensor: Tensor) -> str:
        """The tensor's place in the op, with its name or index."""
        pairs = (*self.inputs, *self.outputs)
        return f"{next((o.name for o, t in pairs if t is tensor), 'tensor')} `{tensor.name or tensor.index}`"


Check = Callable[[Site], Reason | None]
"""What a rule names in ``also`` or ``to_load``: None where all is well."""


def _bound(
    operands: tuple[Operand, ...], indices: tuple[int, ...], graph: Subgraph
) -> list[tuple[Operand, Tensor | None]]:
    """Operands that stand for several repeat; those that are left out at the end are None."""
    spread = [operand for operand in operands for _ in range(operand.count[1] if operand.count else 1)]
    pairs = [(operand, graph.tensors[i] if i >= 0 else None) for operand, i in zip(spread, indices, strict=False)]
    return pairs + [(operand, None) for operand in spread[len(indices) :] if operand.optional]


def normal(value: float) -> bool:
    """Whether a float32 is neither zero, subnormal, infinite nor NaN."""
    return math.isfinite(value) and abs(value) >= _TINY


STORED_WORDS = {
    "any": "any quantization",
    "none": "no quantization",
    "per_tensor": "one scale",
    "per_channel": "a scale for each channel",
    "blockwise": "a scale for each block",
}


def stored_as(tensor: Tensor) -> str:
    """``none``, ``per_tensor``, ``per_channel`` or ``blockwise``."""
    if tensor.blockwise is not None:
        return "blockwise"
    if tensor.quantization is None:
        return "none"
    return "per_channel" if tensor.quantization.per_channel else "per_tensor"


def pair(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point; zeros unless there is exactly one of each."""
    quantization = tensor.quantization
    if quantization is None or quantization.per_channel or tensor.blockwise:
        return 0.0, 0
    return quantization.scale[0], quantization.zero_point[0]


def pair_in_words(tensor: Tensor) -> str:
    """Likewise, for messages."""
    scale, zero_point = pair(tensor)
    return f"scale {scale:g} and zero point {zero_point}"
