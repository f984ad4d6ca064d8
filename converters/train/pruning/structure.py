"""What structured pruning needs of a framework: blocks of channels, their cost, and the cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from edge_sdk.converters.train.pruning.channels import Block, Cost
from edge_sdk.converters.train.pruning.scores import evidence_for
from edge_sdk.converters.train.stage import Context
from edge_sdk.recipe.training import Score


class Structure(Protocol):
    """See ``keras_structure.py`` and ``torch_structure.py``. Channels are numbers that blocks list.

    Attributes:
        blocks: what may be cut.
        unfollowed: layers that the channel graph cannot follow, each with ``name`` and ``kind``.
        open_layers: layers whose extent is open, so that their MACs are not known.
        normalizes: whether some layer normalizes over channels, so that a silenced channel still counts.
    """

    blocks: tuple[Block, ...]
    unfollowed: list[Any]
    open_layers: list[str]
    normalizes: bool

    def check_scores(self, blocks: Sequence[Block]) -> None:
        """Raises TrainingError where what channels are judged by says nothing of some of these blocks."""
        ...

    def layers_behind(self, unfollowed: Any) -> list[str]:
        """The layers whose channels stay because of it."""
        ...

    def cost(self, removed: frozenset[int] = ...) -> Cost:
        """What the model takes without these channels."""
        ...

    def cut(self, removed: frozenset[int]) -> Any:
        """A new model without them."""
        ...

    def silenced(self, removed: frozenset[int]) -> Any:
        """A copy of the whole model in which they do nothing: all their weights are zero."""
        ...

    def silence(self, model: Any, removed: frozenset[int]) -> None:
        """Makes any copy of the whole model such a one, whatever was silenced in it before."""
        ...


def structure_of(context: Context, model: Any, score: Score = "magnitude") -> Structure:
    """The channel graph of a model of the context's framework.

    Raises:
        TrainingError: as :func:`~edge_sdk.converters.train.pruning.scores.evidence_for`.
    """
    framework: Any = context.framework
    if framework.name == "torch":
        framework.check_changeable()
    evidence = evidence_for(context, model, score)
    if context.framework.name == "keras":
        from edge_sdk.converters.train.framework_keras import variables_by_name
        from edge_sdk.converters.train.pruning.keras_structure import KerasStructure

        named = variables_by_name(model)
        found = {id(named[name]): value for name, value in evidence.gradients.items()}
        return KerasStructure(model, evidence, found)
    from edge_sdk.converters.train.pruning.torch_structure import TorchStructure

    return TorchStructure(model, one_sample(context, model), evidence)


def one_sample(context: Context, model: Any) -> Mapping[str, Any]:
    """The first training sample, as the framework's tensors."""
    first = next(context.data.epoch(0)).inputs
    framework: Any = context.framework
    tensors: Mapping[str, Any] = framework.tensors(model, {name: v[:1] for name, v in first.items()})
    return tensors


def removed_channels(blocks: Sequence[Block], ratios: Mapping[str, float], round_to: int) -> frozenset[int]:
    """The least important channels of each block, so many that what is left is a multiple of ``round_to``.

    Engines compute channels in groups: one more than a full group costs as much as the whole next group. A block of
    fewer channels than that keeps what its ratio says.
    """
    removed: set[int] = set()
    for block in blocks:
        order = sorted(range(len(block.channels)), key=lambda i: (block.scores[i], i))
        count = len(order) - _left(len(order), ratios.get(block.name, 0.0), round_to)
        removed.update(block.channels[i] for i in order[:count])
    return frozenset(removed)


def _left(channels: int, ratio: float, round_to: int) -> int:
    left = channels - round(channels * ratio)
    return min(channels, -(-left // round_to) * round_to)


def emptied(blocks: Sequence[Block], ratio: float) -> list[Block]:
    """The blocks of which a ratio leaves no channel."""
    return [block for block in blocks if round(len(block.channels) * ratio) >= len(block.channels)]
