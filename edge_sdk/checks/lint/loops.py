"""Loops of which nothing in the file says that they end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.lint.scene import Mark, Rule, Scene

_CONDITION, _BODY = "cond_subgraph_index", "body_subgraph_index"
_KEPT = frozenset({"READ_VARIABLE", "HASHTABLE_FIND", "HASHTABLE_SIZE"})
_DRAWN = frozenset({"RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL", "BUCKETIZE"})
# Among the places of inputs: state, or chance.
_ANYTHING = -1
_Sources = Mapping[int, frozenset[int]]


def open_loop(scene: Scene) -> Iterator[Mark]:
    """Loops whose number of turns is decided by what the model is given, by its state or by chance."""
    given = _sources_of(scene)
    for op in scene.graph.ops:
        condition, body = (_called(scene.artifact, op, name) for name in (_CONDITION, _BODY))
        if op.name != "WHILE" or condition is None or body is None:
            continue
        opened = [_decided_by(op, deciding, given) for deciding in _deciding(condition, body)]
        # One of the conditions that must all hold is enough to bound it.
        if opened and all(one is not None for one in opened):
            tensors = [scene.graph.tensors[index] for index in opened if index is not None and index >= 0]
            by = f"`{tensors[0].name}`, which is" if tensors and tensors[0].name else "what is"
            message = f"how often it turns is decided by {by} known at run time only: it may never end"
            yield Mark("warning", message, op, scene.tensor(op.outputs, 0), "no bound", "a count in the file")


def _decided_by(loop: Op, deciding: Collection[int], given: _Sources) -> int | None:
    """The loop's input that decides and that is not in the file, -1 where it is none of its inputs; else None."""
    inputs = (loop.inputs[place] for place in sorted(deciding) if 0 <= place < len(loop.inputs))
    found = next((tensor for tensor in inputs if given.get(tensor)), None)
    return _ANYTHING if found is None and (_ANYTHING in deciding or not deciding) else found


def _deciding(condition: Subgraph, body: Subgraph) -> list[frozenset[int]]:
    """Of each condition that must hold, places of the loop's values that it reads, itself or by the turn before."""
    turns = _results(body)
    made = []
    for read in _conditions(condition):
        wanted, waiting = set(read), list(read)
        while waiting:
            place = waiting.pop()
            more = set(turns[place]) - wanted if 0 <= place < len(turns) else set()
            wanted |= more
            waiting += more
        made.append(frozenset(wanted))
    return made


def _conditions(graph: Subgraph) -> list[frozenset[int]]:
    """What each side of the last LOGICAL_ANDs depends on."""
    sources: dict[int, frozenset[int]] = {tensor: frozenset({place}) for place, tensor in enumerate(graph.inputs)}
    _follow(graph, sources)
    makers = {tensor: op for op in graph.ops for tensor in op.outputs}
    waiting, found = list(graph.outputs[:1]), []
    while waiting:
        tensor = waiting.pop()
        maker = makers.pop(tensor, None)
        if maker is not None and maker.name == "LOGICAL_AND":
            waiting += maker.inputs
        else:
            found.append(sources.get(tensor, frozenset()))
    return found


def _results(graph: Subgraph) -> list[frozenset[int]]:
    """Of each output, the places of inputs that it depends on."""
    sources: dict[int, frozenset[int]] = {tensor: frozenset({place}) for place, tensor in enumerate(graph.inputs)}
    _follow(graph, sources)
    return [sources.get(tensor, frozenset()) for tensor in graph.outputs]


def _follow(graph: Subgraph, sources: dict[int, frozenset[int]]) -> None:
    for op in graph.ops:
        made = frozenset().union(*(sources.get(tensor, frozenset()) for tensor in op.inputs))
        if op.name in _KEPT | _DRAWN or op.name.startswith("CUSTOM:"):
            made |= {_ANYTHING}
        # A shape is known, whatever the values are; where it is not, `open-shape` says so.
        made = frozenset() if op.name in {"SHAPE", "RANK"} else made
        sources |= dict.fromkeys(op.outputs, made)


def _sources_of(scene: Scene) -> _Sources:
    """Of each tensor, what it depends on that the file does not say: any set but the empty one."""
    graph = scene.graph
    named = (s for s in scene.artifact.signatures if s.subgraph == graph.index)
    given = {*graph.inputs} | {tensor.index for signature in named for tensor in signature.inputs.values()}
    sources = {tensor: frozenset({tensor}) for tensor in given if graph.tensors[tensor].constant is None}
    sources |= {t.index: frozenset({_ANYTHING}) for t in graph.tensors if t.is_variable}
    _follow(graph, sources)
    return sources


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
