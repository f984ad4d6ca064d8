"""Loops of which nothing in the file says that they end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.lint.scene import Mark, Rule, Scene

_CONDITION, _BODY = "cond_subgraph_index", "body_subgraph_index"
# What they give is not in the file, whatever they are given.
_STATE = frozenset({"READ_VARIABLE", "HASHTABLE_FIND", "HASHTABLE_SIZE"})
_CHANCE = frozenset({"RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL"})
# A shape is known, whatever the values are; where it is not, `open-shape` says so.
_SHAPES = frozenset({"SHAPE", "RANK"})
# Sides of LOGICAL_ANDs that are looked at: time stays linear in the file.
_MOST_SIDES = 8
_Side = tuple[set[int], bool]


def open_loop(scene: Scene) -> Iterator[Mark]:
    """Loops whose number of turns is decided by what the model is given, by its state or by chance."""
    loops = [op for op in scene.graph.ops if op.name == "WHILE"]
    unknown = _unknown(scene) if loops else frozenset()
    known: dict[tuple[int, int], list[_Side]] = {}
    for op in loops:
        condition, body = (_called(scene.artifact, op, name) for name in (_CONDITION, _BODY))
        if condition is None or body is None:
            continue
        key = (condition.index, body.index)
        if key not in known:
            known[key] = [_deciding(side, condition, body) for side in _sides(condition)]
        found = [_decided_by(scene, op, side, unknown) for side in known[key]]
        # One of the conditions that must all hold is enough to bound it.
        if found and all(one is not None for one in found):
            by = next((f"`{name}`, which is" for name in found if name), "what is")
            message = f"how often it turns is decided by {by} known at run time only: it may never end"
            yield Mark("warning", message, op, scene.tensor(op.outputs, 0), "no bound", "a count in the file")


def _decided_by(scene: Scene, loop: Op, side: _Side, unknown: frozenset[int]) -> str | None:
    """The loop's input that decides and is not in the file, empty where it is no input of it; None: a count decides."""
    places, opened = side
    inputs = [loop.inputs[place] for place in sorted(places) if place < len(loop.inputs)]
    own = next((index for index in inputs if index in unknown), None)
    if own is not None:
        return scene.graph.tensors[own].name or ""
    return "" if opened or not places else None


def _unknown(scene: Scene) -> frozenset[int]:
    """Tensors that depend on inputs, on state or on chance."""
    graph = scene.graph
    found = _given(scene) | {tensor.index for tensor in graph.tensors if tensor.is_variable}
    for op in graph.ops:
        if op.name not in _SHAPES and (_is_open(op) or any(tensor in found for tensor in op.inputs)):
            found.update(op.outputs)
    return frozenset(found)


def _is_open(op: Op) -> bool:
    return op.name in _STATE | _CHANCE or op.name.startswith("CUSTOM:")


def _deciding(side: int, condition: Subgraph, body: Subgraph) -> _Side:
    """Places of the loop's values that one side reads, itself or by the turn before; and whether state or chance is."""
    reached, opened = _behind(condition, [side], condition.makers)
    makers, at = body.makers, {tensor: place for place, tensor in enumerate(body.inputs)}
    places = {place for place, tensor in enumerate(condition.inputs) if tensor in reached}
    seen: set[int] = set()
    waiting = list(places)
    while waiting:
        ends = [body.outputs[place] for place in waiting if place < len(body.outputs)]
        more, chance = _behind(body, ends, makers, seen)
        opened |= chance
        waiting = [at[tensor] for tensor in more if tensor in at and at[tensor] not in places]
        places |= set(waiting)
    return places, opened


def _behind(
    graph: Subgraph, ends: Iterable[int], makers: Mapping[int, Op], seen: set[int] | None = None
) -> tuple[set[int], bool]:
    """Tensors that these are computed from, them among it; and whether state or chance is among what made them."""
    seen = set() if seen is None else seen
    found: set[int] = set()
    waiting, opened = list(ends), False
    while waiting:
        tensor = waiting.pop()
        if tensor < 0 or tensor in seen:
            continue
        seen.add(tensor)
        found.add(tensor)
        opened |= graph.tensors[tensor].is_variable
        maker = makers.get(tensor)
        if maker is None or maker.name in _SHAPES:
            continue
        opened |= _is_open(maker)
        waiting += maker.inputs
    return found, opened


def _sides(condition: Subgraph) -> list[int]:
    """What the last LOGICAL_ANDs join: each must hold for one more turn."""
    makers = dict(condition.makers)
    found: list[int] = []
    waiting = list(condition.outputs[:1])
    while waiting and len(found) < _MOST_SIDES:
        tensor = waiting.pop()
        maker = makers.pop(tensor, None)
        if maker is not None and maker.name == "LOGICAL_AND":
            waiting += maker.inputs
        else:
            found.append(tensor)
    return found


def _given(scene: Scene) -> set[int]:
    """Inputs of the subgraph, by its own list or a signature's."""
    graph = scene.graph
    named = (s for s in scene.artifact.signatures if s.subgraph == graph.index)
    given = {*graph.inputs} | {tensor.index for signature in named for tensor in signature.inputs.values()}
    return {index for index in given if graph.tensors[index].constant is None}


def _called(artifact: Artifact, op: Op, option: str) -> Subgraph | None:
    index = int(op.options.get(option, -1))
    return artifact.subgraphs[index] if 0 <= index < len(artifact.subgraphs) else None


RULES = (
    Rule(
        "open-loop",
        open_loop,
        "run it with `--time-limit`, or in a process of its own; or bound the loop by a count in the source",
    ),
)
