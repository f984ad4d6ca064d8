"""State in resource variables (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE): who reads it, who sets it, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.errors import ModelError

_Handles = dict[int, str]
_DEEPEST = 16
# How often a graph may be entered on average: one that is called from two places is entered twice, and so on down.
_OFTEN, _AT_LEAST = 64, 10_000


@dataclass(frozen=True)
class Variables:
    """What one run of a subgraph does with variables, by name.

    Attributes:
        needs: read before the run has assigned them: something else must have, or their memory is undefined.
        gives: assigned when the run is over, whatever branch it took.
        inits: subgraphs that CALL_ONCE runs and that assign variables, with what each of them gives. Run once more,
            they set the variables back.
    """

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    inits: Mapping[int, frozenset[str]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there are variables at all."""
        return bool(self.needs or self.gives or self.inits)


def variables(artifact: Artifact) -> Variables:
    """Of the subgraph that the artifact's signature runs.

    Raises:
        ModelError: its subgraphs call each other so often that the time would not be linear in the file.
    """
    return _Walk(artifact).graph(artifact.main, {}, 0)


class _Walk:
    """Through subgraphs that call others."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._left = _OFTEN * sum(len(graph.ops) for graph in artifact.subgraphs) + _AT_LEAST

    def graph(self, graph: Subgraph, handles: _Handles, depth: int) -> Variables:
        known = dict(handles)
        needs: set[str] = set()
        gives: set[str] = set()
        inits: dict[int, frozenset[str]] = {}
        self._left -= len(graph.ops)
        if self._left < 0:
            where = self._artifact.path or "the file"
            raise ModelError(f"{where}: its subgraphs call each other more often than variables can be followed")
        for op in graph.ops:
            done = self._op(op, known, depth)
            needs |= done.needs - gives
            gives |= done.gives
            inits |= done.inits
        return Variables(frozenset(needs), frozenset(gives), inits)

    def _op(self, op: Op, handles: _Handles, depth: int) -> Variables:
        if op.name == "VAR_HANDLE" and op.outputs:
            handles[op.outputs[0]] = f"{op.options.get('container') or ''}/{op.options.get('shared_name') or ''}"
            return Variables()
        name = handles.get(op.inputs[0]) if op.inputs else None
        if op.name == "READ_VARIABLE" and name is not None:
            return Variables(needs=frozenset({name}))
        if op.name == "ASSIGN_VARIABLE" and name is not None:
            return Variables(gives=frozenset({name}))
        return self._call(op, handles, depth) if depth < _DEEPEST else Variables()

    def _call(self, op: Op, handles: _Handles, depth: int) -> Variables:
        def called(option: str, passed: tuple[int, ...] = ()) -> Variables:
            index = int(op.options.get(option, -1))
            if not 0 <= index < len(self._artifact.subgraphs):
                return Variables()
            graph = self._artifact.subgraphs[index]
            inner = {own: handles[given] for own, given in zip(graph.inputs, passed, strict=False) if given in handles}
            return self.graph(graph, inner, depth + 1)

        if op.name == "CALL_ONCE":
            done = called("init_subgraph_index")
            own = {int(op.options["init_subgraph_index"]): done.gives} if done.gives else {}
            return Variables(done.needs, done.gives, {**done.inits, **own})
        if op.name == "IF":
            one, other = (called(f"{side}_subgraph_index", op.inputs[1:]) for side in ("then", "else"))
            return Variables(one.needs | other.needs, one.gives & other.gives, {**one.inits, **other.inits})
        if op.name == "WHILE":
            test, body = called("cond_subgraph_index", op.inputs), called("body_subgraph_index", op.inputs)
            return Variables(test.needs | body.needs - test.gives, test.gives, {**test.inits, **body.inits})
        return Variables()
