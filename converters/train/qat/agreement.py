"""How far an engine and the file that it stands for are apart, in steps of the output's scale; and at which op."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.replay.engine import Gate
from edge_sdk.converters.replay.steps import Plan, Step
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import to_real
from edge_sdk.signature import Arrays

Array = npt.NDArray[Any]
WITHIN_ONE = 0.995
MOST = 2
"""What the shares below are held to: 99.5 % of the values within one step, none beyond two."""
_NAMED = 5


@dataclass(frozen=True)
class Agreement:
    """One output on some samples.

    Attributes:
        output: its name.
        samples: how many.
        step: the scale of the output, in its own unit.
        within_one: share of values that are at most one step apart.
        largest: most steps apart.
        top1: share of samples with the same largest value; None for outputs of one value.
    """

    output: str
    samples: int
    step: float
    within_one: float
    largest: int
    top1: float | None

    @property
    def holds(self) -> bool:
        """Whether it is within the bound."""
        return self.within_one >= WITHIN_ONE and self.largest <= MOST

    def __str__(self) -> str:
        top = "" if self.top1 is None else f", top-1 {self.top1:.1%}"
        return f"{self.output}: {self.within_one:.2%} of values within 1 LSB, at most {self.largest}{top}"


@dataclass(frozen=True)
class OpError:
    """An op alone, on the file's own operands: share of its values that differ, and the most steps."""

    op: str
    result: str
    differing: float
    largest: int
    share: float

    def __str__(self) -> str:
        return (
            f"{self.op} `{self.result}` {self.share:.0%} of the error "
            f"({self.differing:.2%} of its values differ, by at most {self.largest})"
        )


def agreement(
    path: Path, plan: Plan, outputs: Sequence[Gate], predicted: Arrays, samples: Sequence[Arrays]
) -> tuple[Agreement, ...]:
    """Compares an engine's outputs with the file's.

    Args:
        path: the int8 file.
        plan: its plan.
        outputs: in order.
        predicted: the engine's outputs, in the file's layout.
        samples: inputs in the file's layout, one at a time.
    """
    runner = Runner(path)
    got = [runner.run_real(sample) for sample in samples]
    rows = []
    for gate in outputs:
        step = output_step(plan, gate.tensor)
        values = np.concatenate([one[gate.name] for one in got])
        rows.append(_row(gate.name, values, predicted[gate.name], step))
    return tuple(rows)


def _row(name: str, values: Array, expected: Array, step: float) -> Agreement:
    apart = np.abs(np.rint((values - expected.reshape(values.shape)) / step))
    flat, other = values.reshape(len(values), -1), expected.reshape(len(values), -1)
    top1 = float(np.mean(flat.argmax(1) == other.argmax(1))) if flat.shape[1] > 1 else None
    return Agreement(name, len(values), step, float(np.mean(apart <= 1)), int(apart.max()), top1)


def output_step(plan: Plan, tensor: int) -> float:
    """The scale that an output was last rounded to; for a float result 1/255 of nothing is known, so 1e-6."""
    if tensor in plan.group_of:
        return plan_scale(plan, tensor)
    for step in plan.steps:
        if tensor in step.results and step.op.name == "DEQUANTIZE":
            return output_step(plan, step.op.inputs[0])
    return 1e-4


def plan_scale(plan: Plan, tensor: int) -> float:
    """The scale of a tensor in the file as it is now."""
    own = plan.template.main.tensors[tensor].quantization
    return float(own.scale[0]) if own else 1.0


def blame(
    path: Path, plan: Plan, samples: Sequence[Arrays], alone: Callable[[Step, Mapping[int, Array]], Mapping[int, Array]]
) -> list[OpError]:
    """Runs every op alone on the file's own operands; those that differ most first.

    Args:
        path: the int8 file.
        plan: its plan, with the file's scales.
        samples: inputs in the file's layout.
        alone: runs one step of the engine on values with a sample axis.
    """
    sums: dict[int, list[Array]] = {}
    for values in _recorded(path, plan, samples):
        for step in plan.steps:
            for index in [i for i in step.results if i in plan.group_of]:
                made = alone(step, values)[index]
                apart = np.abs(np.rint((made - values[index]) / plan_scale(plan, index)))
                sums.setdefault(step.op.index, []).append(apart)
    return _ranked(plan, {index: np.concatenate([a.reshape(-1) for a in parts]) for index, parts in sums.items()})


def _ranked(plan: Plan, apart: Mapping[int, Array]) -> list[OpError]:
    total = sum(float(values.mean()) for values in apart.values())
    rows = []
    for index, values in apart.items():
        op = plan.template.main.ops[index]
        name = plan.template.main.tensors[op.outputs[0]].name.split(";")[-1][-50:]
        share = float(values.mean()) / total if total else 0.0
        rows.append(OpError(op.name, name, float(np.mean(values > 0)), int(values.max()), share))
    return sorted((row for row in rows if row.differing), key=lambda row: -row.share)


def _recorded(path: Path, plan: Plan, samples: Sequence[Arrays]) -> Iterator[dict[int, Array]]:
    """Every int8 and float value of the file, real, with a sample axis."""
    runner = Runner(path, preserve_all_tensors=True)
    tensors = plan.template.main.tensors
    wanted = {i for step in plan.steps for i in (*step.op.inputs, *step.op.outputs) if i >= 0}
    for sample in samples:
        runner.run_real(sample)
        values = {}
        for index in wanted:
            raw = runner.tensor(index) if tensors[index].constant is None else None
            if raw is not None:
                values[index] = to_real(raw, tensors[index])[np.newaxis]
        yield values


def listing(rows: Sequence[OpError]) -> str:
    """The ops that matter most, in words."""
    return "; ".join(str(row) for row in rows[:_NAMED])
