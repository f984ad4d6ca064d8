"""The channel graph of a Keras model, and the same model with channels cut out; both generations."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.train.pruning.channels import (
    Block,
    Channels,
    Cost,
    Followed,
    Ids,
    Weight,
    blocks_of,
    cost_of,
    stays,
)
from edge_sdk.converters.train.pruning.keras_rules import Call, Shape, rule_of
from edge_sdk.converters.train.pruning.scores import (
    Evidence,
    check_told,
    scored_by_gradients,
    scored_by_layers,
    told_by,
)
from edge_sdk.errors import ModelError


@dataclass(frozen=True)
class Unfollowed:
    """A layer without a rule: its name and class, and the channels that stay because of it."""

    name: str
    kind: str
    ids: Ids


class KerasStructure:
    """What may be cut out of a model, what it costs, and the cut itself.

    Args:
        model: Functional or Sequential, of Keras 3 or tf_keras; nested ones are followed.
        evidence: what channels are judged by.
        gradients: by the ``id`` of a variable, where it is by them.

    Raises:
        TrainingError: nothing tells of some channels.
        ModelError: a subclassed or unbuilt model, whose graph cannot be read.
    """

    def __init__(
        self,
        model: Any,
        evidence: Evidence = Evidence(),  # noqa: B008 - frozen
        gradients: Mapping[int, npt.NDArray[Any]] | None = None,
    ) -> None:
        self._model = model
        self._keras = importlib.import_module(_generation(model))
        self._channels = Channels()
        self._layers: dict[int, _Visited] = {}
        self._makers: list[tuple[str, Ids]] = []
        self._told: list[tuple[int, Ids]] = []
        self.unfollowed: list[Any] = []
        self.open_layers: list[str] = []
        self._normed: list[Ids] = []
        _check_graph(model)
        entering = [self._channels.new(_extent(t), kept=True) for t in model.inputs]
        for ids in self._walk(model, entering, ""):
            self._channels.keep(ids)
        self._evidence = evidence
        self.blocks: tuple[Block, ...] = blocks_of(
            self._makers, self._weights(), self._channels, self._judge(gradients)
        )
        kept = self._channels.kept()
        self.normalizes = any(set(self._channels.roots(ids).tolist()) - kept for ids in self._normed)

    def check_scores(self, blocks: Sequence[Block]) -> None:
        """See :class:`~edge_sdk.converters.train.pruning.structure.Structure`."""
        if self._evidence.layers:
            told = told_by(self._evidence, self._told)
            roots = {int(root) for _, ids in told for root in self._channels.roots(ids)}
            check_told(self._evidence, blocks, lambda block: roots.issuperset(block.channels))

    def _judge(self, gradients: Mapping[int, npt.NDArray[Any]] | None) -> Any:
        if self._evidence.layers:
            return scored_by_layers(self._evidence, self._told, self._channels)
        return scored_by_gradients(gradients) if gradients else None

    def layers_behind(self, unfollowed: Unfollowed) -> list[str]:
        """The layers whose channels an unfollowed layer ties up, and nothing else does."""
        roots = set(self._channels.roots(unfollowed.ids).tolist())
        return [name for name, ids in self._makers if roots & set(self._channels.roots(ids).tolist())]

    def cost(self, removed: frozenset[int] = frozenset()) -> Cost:
        """What the model takes without these channels."""
        return cost_of(self._weights(), self._channels, removed)

    def cut(self, removed: frozenset[int]) -> Any:
        """A new model without these channels; the one given is left as it is."""
        return _Cutter(self._keras, self._layers, self._channels, removed).model(self._model)

    def silenced(self, removed: frozenset[int]) -> Any:
        """A copy of the model with these channels' weights at zero: it computes what :meth:`cut`'s does.

        Exactly so where no layer normalizes over channels; it is what the cut is proven against.
        """
        copy = self.cut(frozenset())
        self.silence(copy, removed)
        return copy

    def silence(self, model: Any, removed: frozenset[int]) -> None:
        """The same with a copy that is there already, whatever was silenced in it before."""
        index = {id(v): place for place, v in enumerate(self._model.weights)}
        values = self._model.get_weights()
        for weight in self._weights():
            array = values[index[id(weight.variable)]]
            for axis, ids in weight.axes.items():
                array = array * _along(stays(ids, self._channels, removed), axis, array.ndim)
            values[index[id(weight.variable)]] = array.astype(values[index[id(weight.variable)]].dtype)
        model.set_weights(values)

    def _weights(self) -> list[Weight]:
        return [weight for visited in self._layers.values() for weight in visited.followed.weights]

    def _walk(self, model: Any, entering: Sequence[Ids], prefix: str) -> list[Ids]:
        known: dict[tuple[int, int, int], Ids] = {}
        for tensor, ids in zip(model.inputs, entering, strict=True):
            known[_key(tensor)] = ids
        for node in _nodes(model):
            if not node.inputs:
                continue
            inputs = [known[_key(t)] for t in node.inputs]
            for tensor, ids in zip(node.outputs, self._visit(node, inputs, prefix), strict=True):
                known[_key(tensor)] = ids
        return [known[_key(t)] for t in model.outputs]

    def _visit(self, node: _Node, inputs: list[Ids], prefix: str) -> list[Ids]:
        layer = node.layer
        if _is_model(layer):
            self._layers.setdefault(id(layer), _Visited(Followed(inputs[0]), inputs))
            return self._walk(layer, inputs, f"{prefix}{layer.name}/")
        visited = self._layers.get(id(layer))
        if visited is not None and visited.followed.weights:
            return self._again(visited, node, inputs)
        shapes = [_shape(t) for t in node.inputs]
        call = Call(layer, inputs, shapes, _shape(node.outputs[0]), self._channels, node.plain)
        rule = rule_of(layer)
        followed = rule(call) if rule else None
        name = f"{prefix}{layer.name}"
        if followed is None:
            return self._barrier(name, node, inputs)
        if followed.weights and any(None in shape[1:] for shape in (*shapes, call.output_shape)):
            self.open_layers.append(name)
        self._layers[id(layer)] = _Visited(followed, inputs)
        if followed.weights:
            self._told.append((id(layer), inputs[0]))
        if type(layer).__name__ in ("LayerNormalization", "Softmax") or _is_softmax(layer):
            self._normed.append(followed.out)
        if len(followed.makes):
            self._makers.append((name, followed.makes))
        return [followed.out for _ in node.outputs]

    def _again(self, visited: _Visited, node: _Node, inputs: list[Ids]) -> list[Ids]:
        """A shared layer: what it reads at each place is the same, and so is what it gives."""
        for before, now in zip(visited.inputs, inputs, strict=True):
            self._channels.join(before, now)
        uses = visited.uses + 1
        weights = tuple(replace(w, positions=w.positions // visited.uses * uses) for w in visited.followed.weights)
        self._layers[id(node.layer)] = _Visited(replace(visited.followed, weights=weights), visited.inputs, uses)
        return [visited.followed.out for _ in node.outputs]

    def _barrier(self, name: str, node: _Node, inputs: list[Ids]) -> list[Ids]:
        for ids in inputs:
            self._channels.keep(ids)
        self.unfollowed.append(Unfollowed(name, type(node.layer).__name__, np.concatenate(inputs)))
        self._layers[id(node.layer)] = _Visited(_whole(node.layer), inputs)
        return [self._channels.new(_extent(t), kept=True) for t in node.outputs]


@dataclass(frozen=True)
class _Visited:
    followed: Followed
    inputs: list[Ids]
    uses: int = 1


@dataclass(frozen=True)
class _Node:
    """One call in the graph, of either generation."""

    layer: Any
    inputs: list[Any]
    outputs: list[Any]
    plain: list[Any] = field(default_factory=list)


class _Cutter:
    """Clones a model with fewer channels, and fills it with what is left of the weights."""

    def __init__(self, keras: Any, layers: Mapping[int, _Visited], channels: Channels, removed: frozenset[int]) -> None:
        self._keras = keras
        self._layers = layers
        self._channels = channels
        self._removed = removed
        self._clones: dict[int, Any] = {}

    def model(self, model: Any, entering: Sequence[Ids] | None = None) -> Any:
        """The model, or one nested in it with its inputs' channels, cut and filled."""
        inputs = None if entering is None else self._inputs(model, entering)
        copy = self._keras.models.clone_model(model, input_tensors=inputs, clone_function=self._clone)
        if entering is None:
            copy.set_weights(self._values(model))
        return copy

    def _inputs(self, model: Any, entering: Sequence[Ids]) -> Any:
        made = []
        for tensor, ids in zip(model.inputs, entering, strict=True):
            shape = (*tensor.shape[:-1], self._count(ids))
            made.append(self._keras.Input(batch_shape=tuple(shape), dtype=tensor.dtype, name=tensor.name.split(":")[0]))
        return made if len(made) > 1 or isinstance(model.input, list) else made[0]

    def _clone(self, layer: Any) -> Any:
        if not hasattr(layer, "get_weights"):
            return layer  # an operation of Keras 3 has no state
        if id(layer) not in self._clones:
            self._clones[id(layer)] = self._made(layer)
        return self._clones[id(layer)]

    def _made(self, layer: Any) -> Any:
        visited = self._layers.get(id(layer))
        if _is_model(layer):
            return self.model(layer, visited.inputs if visited else None)
        config = _unbuilt(layer.get_config())
        for key, ids in (visited.followed.config if visited else {}).items():
            _set(config, key, self._count(ids))
        return type(layer).from_config(config)

    def _values(self, model: Any) -> list[Any]:
        slices = {id(w.variable): w for visited in self._layers.values() for w in visited.followed.weights}
        found = []
        for variable in model.weights:
            values = np.asarray(variable)
            weight = slices.get(id(variable))
            for axis, ids in (weight.axes if weight else {}).items():
                values = np.compress(stays(ids, self._channels, self._removed), values, axis=axis)
            found.append(values)
        return found

    def _count(self, ids: Ids) -> int:
        return int(stays(ids, self._channels, self._removed).sum())


def _set(config: dict[str, Any], path: str, value: int) -> None:
    *folders, last = path.split(".")
    for folder in folders:
        if not isinstance(config[folder], dict):
            config[folder] = list(config[folder])  # a tuple or TensorShape
        config = config[folder]
    if last == "output_shape":
        config[last] = (value,)
    elif isinstance(config, list):
        config[int(last)] = value
    else:
        config[last] = value


def _is_softmax(layer: Any) -> bool:
    """Whether the layer's own activation is one: the model's last may be, for its channels stay."""
    return getattr(getattr(layer, "activation", None), "__name__", "") == "softmax"


def _unbuilt(config: Any) -> Any:
    """Without the shapes that wrapped layers were built for."""
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(part) for part in config] if isinstance(config, list) else config


def _whole(layer: Any) -> Followed:
    """The variables of a layer that nobody looks into; they count as parameters, not as MACs."""
    weights = [Weight(v, tuple(int(e) for e in v.shape), {}, 0, counts=False) for v in getattr(layer, "weights", [])]
    return Followed(np.zeros(0, np.int64), tuple(weights))


def _along(mask: Any, axis: int, rank: int) -> Any:
    return mask.reshape([-1 if i == axis else 1 for i in range(rank)])


def _check_graph(model: Any) -> None:
    if not _is_model(model) or not getattr(model, "inputs", None):
        raise ModelError(
            f"the channels of the subclassed or unbuilt model {type(model).__name__} cannot be followed",
            hint="structured pruning reads the graph of Functional and built Sequential models",
        )


def _generation(model: Any) -> str:
    names = [base.__module__ for base in type(model).__mro__]
    return "tf_keras" if any(name.startswith("tf_keras.") for name in names) else "keras"


def _is_model(layer: Any) -> bool:
    names = {base.__name__ for base in type(layer).__mro__}
    return bool(names & {"Functional", "Sequential"})


def _nodes(model: Any) -> Iterator[_Node]:
    """Calls in the order in which they run."""
    graph = getattr(model, "_functional", None) or model
    own = {id(t) for t in model.inputs}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            made = _node(node)
            if not (made.outputs and id(made.outputs[0]) in own):
                yield made


def _node(node: Any) -> _Node:
    if hasattr(node, "operation"):
        arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
        inputs, outputs, layer = node.input_tensors, node.outputs, node.operation
    else:
        arguments = [*node.call_args, *node.call_kwargs.values()] if node.call_args is not None else []
        inputs, outputs, layer = node.keras_inputs, _flat(node.outputs), node.layer
    plain = [a for a in _flat(arguments) if not hasattr(a, "_keras_history") and a is not None]
    return _Node(layer, list(inputs), list(outputs), [a for a in plain if not isinstance(a, bool | str)])


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _flat(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _flat(part)]
    return [value]


def _key(tensor: Any) -> tuple[int, int, int]:
    history = tensor._keras_history
    layer = getattr(history, "operation", None)
    return id(layer if layer is not None else history.layer), history.node_index, history.tensor_index


def _shape(tensor: Any) -> Shape:
    return tuple(None if extent is None else int(extent) for extent in tensor.shape)


def _extent(tensor: Any) -> int:
    """Channels of a tensor; 1 where it has no axis besides the batch."""
    return int(tensor.shape[-1] or 1) if len(tensor.shape) > 1 else 1
