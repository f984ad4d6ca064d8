"""Structured pruning: whole channels are taken out, and the smaller model is trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.train.features import layers_by_name
from edge_sdk.converters.train.pruning.budget import allocate
from edge_sdk.converters.train.pruning.channels import Block
from edge_sdk.converters.train.pruning.sensitivity import Sensitivity, measure_sensitivity
from edge_sdk.converters.train.pruning.structure import Structure, emptied, removed_channels, structure_of
from edge_sdk.converters.train.stage import Context, PlainStage
from edge_sdk.converters.train.timing import TimedBudget
from edge_sdk.errors import ModelError, TrainingError
from edge_sdk.findings import Finding
from edge_sdk.recipe.training import Prune

# Rounding of float32 sums in another order, relative to the largest output; ten times what was seen.
_TOLERANCE = 1e-3
# Building and timing a candidate takes seconds: a thirtieth of the range is close enough.
_TIMED_ROUNDS = 5


class ChannelStage(PlainStage):
    """Takes the least important channels out before training begins."""

    name = "prune"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if not isinstance(context.settings, Prune):
            raise TypeError(f"expected the settings of a prune stage, got {context.settings}")
        self._settings = context.settings
        self._removed: frozenset[int] | None = None
        self._sensitivity: Sensitivity | None = None
        self._facts: dict[str, Any] = {}
        self._opened: tuple[Any, Structure, tuple[Block, ...]] | None = None

    def check(self, model: Any) -> list[Finding]:
        """Names every structure that cannot be followed and every layer that the ratio would empty.

        Raises:
            TrainingError: there are such, or nothing may be cut.
            ModelError: the model has no graph to follow.
        """
        self._open(model)
        return []

    def prepare(self, model: Any) -> Any:
        """The cut model, proven to compute what the whole one does with those channels silenced."""
        structure, blocks = self._open(model)
        if self._removed is None:
            ratios = self._ratios(model, structure, blocks)
            self._removed = removed_channels(blocks, ratios, self._settings.round_to)
        if not self._removed:
            raise TrainingError(
                f"prune: rounding to multiples of {self._settings.round_to} leaves every channel",
                hint="ask for more, or set round_to under [train.prune] lower",
            )
        cut = structure.cut(self._removed)
        self._prove(structure, cut)
        self._facts = self._described(structure, blocks)
        return cut

    def facts(self) -> dict[str, Any]:
        """Channels of each block before and after, the cost before and after, and the analysis it rests on."""
        return {**self._facts, "sensitivity": self._sensitivity.as_json()} if self._sensitivity else self._facts

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Which channels are gone."""
        return {"removed": np.array(sorted(self._removed or ()), np.int64)}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Before :meth:`prepare`: the same cut is then made again."""
        if "removed" in state:
            self._removed = frozenset(int(channel) for channel in state["removed"])

    def _open(self, model: Any) -> tuple[Structure, tuple[Block, ...]]:
        """Looked at once, where no stage before this one makes another model."""
        if self._opened is None or self._opened[0] is not model:
            self._opened = (model, *self._followed(model))
        return self._opened[1:]

    def _followed(self, model: Any) -> tuple[Structure, tuple[Block, ...]]:
        exclude = self._settings.exclude
        known = layers_by_name(model)
        if unused := [e for e in exclude if not any(re.search(e, name) for name in known)]:
            raise TrainingError(
                f"prune: exclude: {', '.join(f'`{e}`' for e in unused)} matches no layer",
                hint=f"the layers are {', '.join(known)}",
            )
        structure = structure_of(self.context, model, self._settings.score)
        self._check_followed(structure)
        blocks = tuple(b for b in structure.blocks if not any(_matches(name, exclude) for name in b.layers))
        structure.check_scores(blocks)
        if not blocks:
            raise TrainingError("prune: there is no layer whose channels may be cut", hint="exclude fewer layers")
        gone = emptied(blocks, self._settings.pruning_ratio or 0.0)
        if gone:
            raise TrainingError(
                f"prune: a pruning_ratio of {self._settings.pruning_ratio:g} leaves no channel of "
                + ", ".join(f"{block.name} ({len(block.channels)})" for block in gone),
                hint="lower it, or leave these layers out with `exclude` under [train.prune]",
            )
        return structure, blocks

    def _check_followed(self, structure: Structure) -> None:
        exclude = self._settings.exclude
        bad = [(u, structure.layers_behind(u)) for u in structure.unfollowed if not _matches(u.name, exclude)]
        bad = [(u, layers) for u, layers in bad if layers]
        if bad:
            raise TrainingError(
                f"prune: the channels of {len(bad)} layers cannot be followed: "
                + "; ".join(f"{u.name} ({u.kind}), which ties up {', '.join(layers)}" for u, layers in bad),
                hint="leave them, and what they tie up, whole: exclude = ["
                + ", ".join(f"'^{re.escape(u.name)}$'" for u, _ in bad)
                + "] under [train.prune]",
            )

    def _ratios(self, model: Any, structure: Structure, blocks: tuple[Block, ...]) -> dict[str, float]:
        settings = self._settings
        if settings.pruning_ratio is not None:
            return dict.fromkeys((block.name for block in blocks), settings.pruning_ratio)
        if settings.macs_ratio is not None and structure.open_layers:
            raise ModelError(
                f"prune: the MACs of {', '.join(structure.open_layers)} are not known, for their extent is open",
                hint="give the model fixed shapes, or ask for a size_ratio",
            )
        self._sensitivity = self._analysed(model, structure, blocks)
        whole = structure.cost()

        def removed(ratios: Mapping[str, float]) -> frozenset[int]:
            return removed_channels(blocks, ratios, settings.round_to)

        if settings.time_ratio is not None:
            with TimedBudget(self.context, model) as timed:
                return allocate(
                    self._sensitivity,
                    lambda ratios: timed.ratio(structure.cut(removed(ratios))),
                    settings.time_ratio,
                    what="share of the time (measured)",
                    rounds=_TIMED_ROUNDS,
                )
        if settings.size_ratio is not None:
            return allocate(
                self._sensitivity,
                lambda ratios: structure.cost(removed(ratios)).parameters / whole.parameters,
                settings.size_ratio,
                what="share of the parameters",
            )
        return allocate(
            self._sensitivity,
            lambda ratios: structure.cost(removed(ratios)).macs / whole.macs,
            settings.macs_ratio or 0.0,
            what="share of the MACs",
        )

    def _analysed(self, model: Any, structure: Structure, blocks: tuple[Block, ...]) -> Sensitivity:
        context, framework = self.context, self.context.framework
        working = framework.copy(model)
        by_name = {block.name: block for block in blocks}

        def tried(name: str, ratio: float) -> float:
            structure.silence(working, removed_channels([by_name[name]], {name: ratio}, 1))
            return context.evaluate(working)

        ratios = [ratio for ratio in self._settings.ratios if not emptied(blocks, ratio)]
        if not ratios:
            raise TrainingError("prune: every one of `ratios` empties a layer", hint="give smaller ones")
        return measure_sensitivity(list(by_name), ratios, tried, context.evaluate(model), context, of="channels")

    def _prove(self, structure: Structure, cut: Any) -> None:
        """The cut is right if nothing but the silenced channels is missing."""
        framework, batch = self.context.framework, next(self.context.data.epoch(0))
        given = framework.predict(cut, batch.inputs)
        expected = framework.predict(structure.silenced(self._removed or frozenset()), batch.inputs)
        for name, values in expected.items():
            if given[name].shape != values.shape:
                worst = f"has shape {list(given[name].shape)} instead of {list(values.shape)}"
            elif structure.normalizes:
                continue
            else:
                error = float(np.abs(given[name] - values).max()) / (1 + float(np.abs(values).max()))
                if error <= _TOLERANCE:
                    continue
                worst = f"is off by {error:.2g} of its largest value"
            raise TrainingError(
                f"prune: the cut model does not compute what is left of the whole one: `{name}` {worst}",
                hint="this is a fault of edge-sdk: please report the model; `exclude` its unusual layers meanwhile",
            )

    def _described(self, structure: Structure, blocks: tuple[Block, ...]) -> dict[str, Any]:
        removed = self._removed or frozenset()
        before, after = structure.cost(), structure.cost(removed)
        return {
            "pattern": "structured",
            "score": self._settings.score,
            "macs": [before.macs, after.macs],
            "parameters": [before.parameters, after.parameters],
            "channels": {
                block.name: [len(block.channels), sum(channel not in removed for channel in block.channels)]
                for block in blocks
            },
        }


def _matches(name: str, expressions: tuple[str, ...]) -> bool:
    return any(re.search(expression, name) for expression in expressions)
