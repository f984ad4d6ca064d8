"""Pruning: a stage that trains weights to zero, or one that takes channels out; the recipe's pattern says which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.train.pruning.budget import allocate
from edge_sdk.converters.train.pruning.sensitivity import Sensitivity, measure_sensitivity
from edge_sdk.converters.train.stage import Context, Moment, PlainStage, Stage
from edge_sdk.converters.train.weights.kernels import Kernel, chosen_kernels
from edge_sdk.converters.train.weights.masks import Mask, Pattern, pattern, ramp
from edge_sdk.converters.train.weights.preserve import Masked
from edge_sdk.errors import TrainingError
from edge_sdk.findings import Finding
from edge_sdk.recipe.training import Prune

# New masks for a while, then none: recovery needs a target that stands still.
_MASKS = 40
_RAMP_END = 0.6


def make_prune_stage(context: Context) -> Stage:
    """The stage for the recipe's pattern."""
    from edge_sdk.converters.train.pruning.prune_channels import ChannelStage

    return ChannelStage(context) if _settings(context).pattern == "structured" else MagnitudeStage(context)


class MagnitudeStage(PlainStage):
    """Sets the smallest weights to zero, few at first, and keeps them there.

    Masks are the stage's own and are put on after each step of the optimizer, so that it works on every variable of
    rank 2 or more, recurrent and attention's kernels included, whatever layer holds them.
    """

    name = "prune"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings = _settings(context)
        found = pattern(self._settings.pattern)
        if found is None:
            raise TrainingError(
                f"prune: unknown pattern `{self._settings.pattern}`",
                hint="unstructured, structured, n:m such as 2:4, or block_OUTPUTSxINPUTS such as block_1x4",
            )
        self._pattern: Pattern = found
        self._kernels: list[Kernel] = []
        self._targets: dict[str, float] = {}
        self._masks: dict[str, Mask] = {}
        self._masked: Masked | None = None
        self._sensitivity: Sensitivity | None = None

    def check(self, model: Any) -> list[Finding]:
        """Names every layer that cannot have the pattern, or that the ratio would empty.

        Raises:
            TrainingError: there are such layers.
        """
        kernels = self._chosen(model)
        misfits = {k.key: self._pattern.problem(k.shape) for k in kernels}
        problems = {key: why for key, why in misfits.items() if why} or self._emptied(kernels, self._share)
        if problems:
            layers = list(dict.fromkeys(k.layer for k in kernels if k.key in problems))
            raise TrainingError(
                f"prune: {len(layers)} layers cannot be pruned to {self._pattern.name}: "
                + "; ".join(f"{key}: {why}" for key, why in problems.items()),
                hint=f"leave them out: exclude = {_anchored(layers)} under [train.prune]",
            )
        return [_sparse_speed_finding()]

    def prepare(self, model: Any) -> Any:
        """A copy, with how sparse each layer is to be; nothing is zero yet."""
        model = self.context.framework.copy(model)
        self._kernels = self._chosen(model)
        self._targets = dict.fromkeys((k.key for k in self._kernels), self._share)
        if self._settings.allocation == "sensitivity" and not self._pattern.of:
            self._targets = self._by_sensitivity(model)
        self._put_on()
        return model

    def after_step(self, model: Any, moment: Moment) -> None:  # noqa: ARG002 - kernels are known
        """Zero stays zero; now and then some more become it."""
        done = (moment.step + 1) / max(1, moment.steps)
        every = max(1, round(moment.steps * _RAMP_END / _MASKS))
        if done <= _RAMP_END + 1 / _MASKS and (moment.step + 1) % every == 0:
            self._update(done)
        elif self._masked:
            self._masked.apply()

    def reached(self, moment: Moment) -> bool:
        """Whether as much is zero as was asked for."""
        return (moment.step + 1) / max(1, moment.steps) >= _RAMP_END

    def finish(self, model: Any) -> Any:
        """The last masks, in full."""
        self._update(1.0)
        return model

    def facts(self) -> dict[str, Any]:
        """Share of zeros for each layer, what was asked for, and the analysis it rests on."""
        shares = {k.key: round(float((k.read() == 0).mean()), 4) for k in self._kernels}
        total = sum(k.size for k in self._kernels)
        facts: dict[str, Any] = {
            "pattern": self._pattern.name,
            "sparsity": round(sum(shares[k.key] * k.size for k in self._kernels) / max(1, total), 4),
            "layers": shares,
        }
        return {**facts, "sensitivity": self._sensitivity.as_json()} if self._sensitivity else facts

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The masks, a bit for each weight, and the targets."""
        masks = {f"mask.{key}": np.packbits(mask) for key, mask in self._masks.items()}
        return {**masks, **{f"target.{key}": np.asarray(value) for key, value in self._targets.items()}}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts them back."""
        for kernel in self._kernels:
            if (packed := state.get(f"mask.{kernel.key}")) is not None:
                bits = np.unpackbits(packed, count=kernel.size)
                self._masks[kernel.key] = bits.astype(np.bool_).reshape(kernel.shape)
            if (target := state.get(f"target.{kernel.key}")) is not None:
                self._targets[kernel.key] = float(target)
        self._put_on()

    @property
    def _share(self) -> float:
        if self._pattern.of:
            return self._pattern.of[0] / self._pattern.of[1]
        return self._settings.sparsity or 0.0

    def _chosen(self, model: Any) -> list[Kernel]:
        return chosen_kernels(model, self._settings.exclude, stage="prune", smallest=self._settings.smallest)

    def _emptied(self, kernels: list[Kernel], share: float) -> dict[str, str]:
        return {
            k.key: f"a sparsity of {share:g} leaves none of its {k.size} weights"
            for k in kernels
            if round(share * k.size) >= k.size
        }

    def _by_sensitivity(self, model: Any) -> dict[str, float]:
        context, by_key = self.context, {k.key: k for k in self._kernels}
        originals = {key: kernel.read() for key, kernel in by_key.items()}

        def tried(key: str, ratio: float) -> float:
            values = originals[key]
            by_key[key].write(np.where(self._pattern.mask(values, ratio), values, 0))
            try:
                return context.evaluate(model)
            finally:
                by_key[key].write(values)

        self._sensitivity = measure_sensitivity(
            list(by_key), self._settings.ratios, tried, context.evaluate(model), context, of="zero weights"
        )
        total = sum(k.size for k in self._kernels)

        def left(targets: Mapping[str, float]) -> float:
            return 1 - sum(targets[key] * kernel.size for key, kernel in by_key.items()) / total

        targets = allocate(self._sensitivity, left, 1 - self._share, what="share of weights left")
        if emptied := [key for key, share in targets.items() if round(share * by_key[key].size) >= by_key[key].size]:
            raise TrainingError(f"prune: the ratios chosen would empty {', '.join(emptied)}", hint="lower sparsity")
        return targets

    def _update(self, share: float) -> None:
        for kernel in self._kernels:
            target = ramp(share, self._targets[kernel.key], end=_RAMP_END)
            self._masks[kernel.key] = self._pattern.mask(kernel.read(), target)
        self._put_on()

    def _put_on(self) -> None:
        self._masked = Masked([(k, self._masks[k.key]) for k in self._kernels if k.key in self._masks])
        self._masked.apply()


def _settings(context: Context) -> Prune:
    settings = context.settings
    if not isinstance(settings, Prune):
        raise TypeError(f"expected the settings of a prune stage, got {settings}")
    return settings


def _anchored(layers: list[str]) -> str:
    """A list of regular expressions for TOML, one for each name and nothing else."""
    return "[" + ", ".join(f"'^{name}$'" for name in layers) + "]"


def _sparse_speed_finding() -> Finding:
    return Finding(
        "zeros-are-not-speed",
        "info",
        "zeros make the file smaller once it is compressed; no engine here runs them faster (measured on x86-64: no "
        "gain up to 95 % zeros)",
        "prune",
        "pattern = structured makes the model itself smaller, and so faster everywhere",
    )
