"""The channel graph of a PyTorch model, by torch-pruning, and the same model with channels cut out.

torch-pruning traces a model and groups what must be cut together. Where its trace does not understand an operation it
says nothing, so every block is tried here: cut, run, and compared with the whole model whose channels are silenced.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edge_sdk.converters.train.pruning.channels import Block, Cost
from edge_sdk.converters.train.pruning.scores import Evidence, check_told, relative
from edge_sdk.converters.workers.child import running
from edge_sdk.errors import MissingDependencyError

# Rounding of float32 sums, relative to the largest output; the deepest models tried stay ten times below.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Unfollowed:
    """Layers that cannot be cut: the first one's name and class, all of them, and what went wrong."""

    name: str
    kind: str
    layers: tuple[str, ...]


class TorchStructure:
    """What may be cut out of a module, what it costs, and the cut itself; the module itself is left as it is.

    Args:
        module: in any mode; it is looked at in eval mode.
        examples: what it is called with, by name; typical values, for blocks are tried on them.
        evidence: what channels are judged by.
    """

    def __init__(self, module: Any, examples: Mapping[str, Any], evidence: Evidence = Evidence()) -> None:  # noqa: B008
        self._module = module
        self._examples = dict(examples)
        self.normalizes = _normalizes(module)
        self._silenced: tuple[Any, _Groups] | None = None
        self._positions = _positions(module, self._examples)
        self.open_layers: list[str] = []
        groups = _Groups(copy.deepcopy(module), self._examples)
        self.blocks: tuple[Block, ...] = ()
        self.unfollowed: list[Any] = []
        self.blocks, self.unfollowed = self._tried(tuple(groups.blocks(evidence)), groups)
        self._evidence, self._silent = evidence, groups.silent

    def check_scores(self, blocks: Sequence[Block]) -> None:
        """See :class:`~edge_sdk.converters.train.pruning.structure.Structure`."""
        check_told(self._evidence, blocks, lambda block: block.name not in self._silent)

    def layers_behind(self, unfollowed: Unfollowed) -> list[str]:
        """The layers that an unfollowed one ties up."""
        return list(unfollowed.layers)

    def cost(self, removed: frozenset[int] = frozenset()) -> Cost:
        """What the module takes without these channels."""
        module = self.cut(removed) if removed else self._module
        parameters = sum(p.numel() for p in module.parameters())
        named = dict(module.named_parameters())
        return Cost(sum(named[name].numel() * at for name, at in self._positions.items() if name in named), parameters)

    def cut(self, removed: frozenset[int]) -> Any:
        """A new module without these channels, in the mode of the one given."""
        module = copy.deepcopy(self._module)
        if removed:
            _Groups(module, self._examples).cut(self.blocks, removed)
        return module.train(self._module.training)

    def silenced(self, removed: frozenset[int]) -> Any:
        """A copy of the module with these channels' weights at zero; see ``KerasStructure.silenced``."""
        module = copy.deepcopy(self._module)
        self.silence(module, removed)
        return module.train(self._module.training)

    def silence(self, model: Any, removed: frozenset[int]) -> None:
        """The same with a copy that is there already, whatever was silenced in it before; it is left in eval mode."""
        model.load_state_dict(self._module.state_dict())
        if removed:
            if self._silenced is None or self._silenced[0] is not model:
                self._silenced = (model, _Groups(model, self._examples))
            self._silenced[1].silence(self.blocks, removed)

    def _tried(self, blocks: tuple[Block, ...], groups: _Groups) -> tuple[tuple[Block, ...], list[Unfollowed]]:
        """Leaves out blocks that are the model's own outputs, and tells those that can be cut from the others."""
        bad = [Unfollowed(name, kind, layers) for name, kind, layers in groups.untraced()]
        self.blocks = blocks
        extents = {extent for output in _outputs(self._module, self._examples) for extent in output.shape}
        suspects = [block for block in blocks if len(block.channels) in extents]
        others = [block for block in blocks if block not in suspects]
        verdicts = {block.name: self._verdict((block,)) for block in suspects}
        together = self._verdict(others) if others else "good"
        verdicts |= {block.name: together if together == "good" else self._verdict((block,)) for block in others}
        bad += [
            Unfollowed(block.name, _kind(self._module, block.name), block.layers)
            for block in blocks
            if verdicts[block.name] == "bad"
        ]
        return tuple(block for block in blocks if verdicts[block.name] == "good"), bad

    def _verdict(self, blocks: Sequence[Block]) -> Literal["good", "bad", "output"]:
        """Whether half of these blocks' channels can be cut, and leave the model computing what is left of it."""
        removed = frozenset(c for block in blocks for c in block.channels[: max(1, len(block.channels) // 2)])
        try:
            cut = self.cut(removed)
            given = _outputs(cut, self._examples)
            expected = _outputs(self.silenced(removed), self._examples)
        except Exception:  # torch-pruning, and a module cut wrongly, raise anything
            return "bad"
        if [t.shape for t in given] != [t.shape for t in expected]:
            return "output"
        if not _parameters(cut) < _parameters(self._module):
            return "bad"
        return "good" if self.normalizes or same_values(given, expected) else "bad"


class _Groups:
    """torch-pruning's groups of one module."""

    def __init__(self, module: Any, examples: Mapping[str, Any]) -> None:
        import torch

        try:
            import torch_pruning
        except ImportError as error:
            raise MissingDependencyError("torch-pruning", extra="torch", why="structured pruning") from error
        self._tp = torch_pruning
        self._module = module.eval()
        self._names = {part: name for name, part in module.named_modules()}
        self._tied: list[str] = []
        self.silent: set[str] = set()
        self._graph = torch_pruning.DependencyGraph()
        with running("torch-pruning", "tracing the model"), _quiet(), torch.enable_grad():
            self._graph.build_dependency(module, dict(examples), verbose=False)

    def blocks(self, evidence: Evidence) -> Iterator[Block]:
        """Every group, those of the model's own outputs included."""
        import torch

        begin = 0
        importance = self._tp.importance.GroupMagnitudeImportance(p=2)
        if evidence.gradients:
            importance = self._tp.importance.GroupTaylorImportance()
            for name, parameter in self._module.named_parameters():
                parameter.grad = torch.from_numpy(evidence.gradients[name]).to(parameter)
        for root, group in self._roots():
            layers = tuple(dict.fromkeys(self._layer_names(group)))
            with _quiet():
                scores = self._by_layers(group, evidence) if evidence.layers else importance(group)
            count = len(group[0].idxs)
            if scores is None:
                continue
            scores = scores / (scores.mean() or 1.0)
            yield Block(self._names[root], layers, tuple(range(begin, begin + count)), tuple(scores.tolist()))
            begin += count

    def _by_layers(self, group: Any, evidence: Evidence) -> Any:
        """The mean over all layers that read these channels, or scale them, of what was seen there."""
        import torch

        total, count = np.zeros(len(group[0].idxs)), np.zeros(len(group[0].idxs))
        for place, (dependency, indices) in enumerate(group):
            layer = dependency.target.module
            name = self._names.get(layer)
            entering = evidence.score == "scale" or not self._graph.is_out_channel_pruning_fn(dependency.handler)
            if name not in evidence.layers or not entering:
                continue
            values, roots = relative(evidence, evidence.layers[name]), group[place].root_idxs
            if None not in roots:
                np.add.at(total, list(roots), values[list(indices)])
                np.add.at(count, list(roots), 1)
        if not count.all():
            self.silent.add(self._names[group[0].dep.target.module])
        return torch.from_numpy(total / np.maximum(count, 1))

    def untraced(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Recurrent layers, with what feeds them: torch-pruning cuts them wrongly, or not at all, without a word."""
        import torch

        rnns = [(name, part) for name, part in self._module.named_modules() if isinstance(part, torch.nn.RNNBase)]
        tied = tuple(self._tied)
        return [(name, type(part).__name__, (name, *tied)) for name, part in rnns]

    def cut(self, blocks: Sequence[Block], removed: frozenset[int]) -> None:
        """Takes the channels out of the module, in place."""
        for name, places in _places(blocks, removed):
            group = self._group(name, places)
            with _quiet():
                group.prune()

    def silence(self, blocks: Sequence[Block], removed: frozenset[int]) -> None:
        """Sets to zero what :meth:`cut` would take out."""
        for name, places in _places(blocks, removed):
            for dependency, indices in self._group(name, places):
                _silence(dependency.target.module, dependency.handler.__name__, indices)

    def _group(self, name: str, places: list[int]) -> Any:
        layer = self._module.get_submodule(name)
        pruner = self._graph.get_pruner_of_module(layer)
        with _quiet():
            return self._graph.get_pruning_group(layer, pruner.prune_out_channels, places)

    def _roots(self) -> Iterator[tuple[Any, Any]]:
        """One layer for each group; groups that it cannot build, or that feed recurrent layers, are noted as tied."""
        import torch

        seen: set[str] = set()
        kinds = (torch.nn.modules.conv._ConvNd, torch.nn.Linear, torch.nn.Embedding)
        for layer in list(self._graph.module2node):
            if not isinstance(layer, kinds) or layer not in self._names or self._names[layer] in seen:
                continue
            pruner = self._graph.get_pruner_of_module(layer)
            try:
                group = self._group(self._names[layer], list(range(pruner.get_out_channels(layer))))
            except (IndexError, AssertionError, ValueError, TypeError):  # what it raises on graphs beyond it
                seen.add(self._names[layer])
                self._tied.append(self._names[layer])
                continue
            seen.update(self._layer_names(group))
            if self._feeds_recurrent(group):
                self._tied += self._layer_names(group)
            else:
                yield layer, group

    def _layer_names(self, group: Any) -> list[str]:
        """Layers whose outputs are in the group."""
        found = []
        for dependency, _ in group:
            layer = dependency.target.module
            if layer in self._names and self._graph.is_out_channel_pruning_fn(dependency.handler):
                found.append(self._names[layer])
        return found

    def _feeds_recurrent(self, group: Any) -> bool:
        import torch

        return any(isinstance(dependency.target.module, torch.nn.RNNBase) for dependency, _ in group)


def _places(blocks: Sequence[Block], removed: frozenset[int]) -> Iterator[tuple[str, list[int]]]:
    for block in blocks:
        places = [place for place, channel in enumerate(block.channels) if channel in removed]
        if places:
            yield block.name, places


def _silence(layer: Any, handler: str, indices: Sequence[int]) -> None:
    import torch

    if isinstance(layer, torch.nn.Parameter) or not hasattr(layer, "weight"):
        return
    entering = "in_channels" in handler and isinstance(layer, torch.nn.modules.conv._ConvNd | torch.nn.Linear)
    if getattr(layer, "groups", 1) > 1:
        entering = False
    axis = 1 if entering != bool(getattr(layer, "transposed", False)) else 0
    if isinstance(layer, torch.nn.Embedding):
        axis = 1
    with torch.no_grad():
        for values, along in ((layer.weight, axis), (None if entering else getattr(layer, "bias", None), 0)):
            if values is not None and values.numel() > 1:
                values.index_fill_(along, torch.tensor(list(indices), device=values.device), 0.0)


def _positions(module: Any, examples: Mapping[str, Any]) -> dict[str, int]:
    """How often each weight matrix is applied in one run: parameter name to places."""
    found: dict[str, int] = {}
    names = {part: name for name, part in module.named_modules()}

    def count(layer: Any, inputs: Any, output: Any) -> None:
        for name, times in _applied(layer, inputs, output).items():
            key = f"{names[layer]}.{name}".lstrip(".")
            found[key] = found.get(key, 0) + times

    hooks = [part.register_forward_hook(count) for part in module.modules()]
    try:
        _outputs(module, examples)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _applied(layer: Any, inputs: Any, output: Any) -> Mapping[str, int]:
    import torch

    if isinstance(layer, torch.nn.modules.conv._ConvNd):
        at = inputs[0] if layer.transposed else output
        return {"weight": at[0, 0].numel()}
    if isinstance(layer, torch.nn.Linear):
        return {"weight": output.numel() // output.shape[-1] // output.shape[0] if output.ndim > 1 else 1}
    if isinstance(layer, torch.nn.RNNBase):
        steps = inputs[0].shape[1 if layer.batch_first else 0]
        return {name: steps for name, values in layer.named_parameters(recurse=False) if values.ndim == 2}
    if isinstance(layer, torch.nn.MultiheadAttention):
        tokens = inputs[0].shape[1 if layer.batch_first else 0]
        return {"in_proj_weight": tokens, "out_proj.weight": tokens}
    return {}


def _outputs(module: Any, examples: Mapping[str, Any]) -> list[Any]:
    """The result of one run in eval mode, flat."""
    import torch

    was_training = module.training
    try:
        # With gradients: without them PyTorch takes a fast path through attention that calls no layer.
        with torch.enable_grad():
            return [t.detach() for t in _flat(module.eval()(**examples))]
    finally:
        module.train(was_training)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for part in value.values() for leaf in _flat(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _flat(part)]
    return [value]


def same_values(one: list[Any], other: list[Any]) -> bool:
    """Whether two runs gave the same, but for the rounding of sums."""
    pairs = zip(one, other, strict=True)
    return all(float((a - b).abs().max()) <= _TOLERANCE * (1 + float(b.abs().max())) for a, b in pairs)


def _parameters(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())


def _normalizes(module: Any) -> bool:
    """Whether some layer normalizes over channels: a silenced channel then still counts in its mean."""
    import torch

    kinds = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.MultiheadAttention)
    return any(isinstance(part, kinds) for part in module.modules())


def _kind(module: Any, name: str) -> str:
    return type(module.get_submodule(name)).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """torch-pruning warns of what it guesses; what it guessed wrong is found by trying."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
