"""Which weights to keep: magnitude alone, in groups of four, or in blocks; and how fast to get there.

Weights here are in TFLite's order, outputs first and inputs last, whatever the framework's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_N_OF_M = re.compile(r"(\d+):(\d+)")
_BLOCK = re.compile(r"block_(\d+)x(\d+)")


@dataclass(frozen=True)
class Pattern:
    """Where zeros may stand.

    ``of`` is (zeros, group) along the inputs, for n:m; ``block`` is (outputs, inputs) of a block that is zero as a
    whole; neither is unstructured.
    """

    name: str
    of: tuple[int, int] | None = None
    block: tuple[int, int] = (1, 1)

    def problem(self, shape: tuple[int, ...]) -> str | None:
        """Why weights of this shape cannot have the pattern; None if they can."""
        outputs, inputs = shape[0], shape[-1]
        if self.of and inputs % self.of[1]:
            return f"its {inputs} inputs are no multiple of {self.of[1]}"
        if outputs % self.block[0] or inputs % self.block[1]:
            return f"{outputs} outputs x {inputs} inputs are no multiple of {self.block[0]}x{self.block[1]}"
        return None

    def mask(self, values: Values, sparsity: float) -> Mask:
        """True where a weight stays.

        Args:
            values: of shape (outputs, ..., inputs).
            sparsity: share of zeros; for n:m the pattern's own share is the most there is, and less leaves the
                groups that would lose most.
        """
        if self.of:
            return _n_of_m(values, *self.of, sparsity)
        return _smallest_out(values, sparsity, self.block)


def pattern(name: str) -> Pattern | None:
    """``unstructured``, ``2:4`` (any n:m) or ``block_1x4`` (any outputs x inputs); None for other words."""
    if name == "unstructured":
        return Pattern(name)
    if found := _N_OF_M.fullmatch(name):
        kept, group = int(found[1]), int(found[2])
        return Pattern(name, of=(group - kept, group)) if 0 < kept < group else None
    if found := _BLOCK.fullmatch(name):
        block = int(found[1]), int(found[2])
        return Pattern(name, block=block) if min(block) > 0 else None
    return None


def ramp(share: float, target: float, *, begin: float = 0.0, end: float = 0.75) -> float:
    """The sparsity to have at a share of the training: a cubic rise, then constant (Zhu and Gupta, 2017).

    Most zeros come early, while there is time to recover; the last quarter trains what is left.
    """
    if share >= end:
        return target
    done = max(0.0, (share - begin) / (end - begin))
    return target * (1 - (1 - done) ** 3)


def _smallest_out(values: Values, sparsity: float, block: tuple[int, int]) -> Mask:
    """Exactly the rounded share of blocks goes: those of the smallest L1 norm, of equal ones the first."""
    outputs, inputs = values.shape[0], values.shape[-1]
    middle = values.size // max(1, outputs * inputs)
    split = values.reshape(outputs // block[0], block[0], middle, inputs // block[1], block[1])
    norms = np.abs(split, dtype=np.float64).sum((1, 4))
    stays = np.ones(norms.size, np.bool_)
    stays[np.argsort(norms, axis=None, kind="stable")[: round(sparsity * norms.size)]] = False
    spread = np.broadcast_to(stays.reshape(norms.shape)[:, None, :, :, None], split.shape)
    return spread.reshape(values.shape)


def _n_of_m(values: Values, zeros: int, group: int, sparsity: float) -> Mask:
    """In each group of inputs the smallest go; groups whose smallest weigh most come last."""
    groups = np.abs(values).reshape(-1, group)
    order = np.argsort(groups, axis=1, kind="stable")[:, :zeros]
    losses = np.take_along_axis(groups, order, 1).sum(1)
    count = min(len(groups), round(sparsity * group / zeros * len(groups)))
    chosen = np.argsort(losses, kind="stable")[:count]
    stays = np.ones(groups.shape, np.bool_)
    stays[chosen[:, None], order[chosen]] = False
    return stays.reshape(values.shape)
