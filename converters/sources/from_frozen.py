"""Frozen graphs of TensorFlow 1: a ``.pb`` that holds a GraphDef whose variables are constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.converters.sources.fixed_inputs import fixed_array, fixed_finding
from edge_sdk.converters.sources.from_saved_model import Entry, SavedModelSource
from edge_sdk.converters.workers.child import first_line, running
from edge_sdk.errors import MissingDependencyError, ModelError, SignatureError, nearest
from edge_sdk.findings import Finding
from edge_sdk.signature import TensorSpec

_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp", "HashTableV2", "MutableHashTableV2"})
_DEFAULTED = "PlaceholderWithDefault"
# Nobody reads their results: they are no outputs.
_NO_RESULT = frozenset({"Assert", "Const", "NoOp", "Placeholder", _DEFAULTED, "SaveV2"})


class FrozenSource(SavedModelSource):
    """A frozen graph: placeholders are its inputs, what nothing in it reads are its outputs.

    A placeholder with a constant default of one number, such as ``keras_learning_phase``, keeps it and is no input.
    """

    kind = "frozen graph"

    @staticmethod
    def reads(source: object) -> bool:
        """A ``.pb`` file."""
        return isinstance(source, str | Path) and Path(source).suffix == ".pb" and Path(source).is_file()

    def _opened(self) -> Entry:
        if self._options.signature:
            raise SignatureError(f"{self._path}: a frozen graph has no signatures", hint="leave --signature out")
        graph = _read(self._path)
        findings = [*_set(graph, self._options.fixed, self._options.shapes), *_defaults(graph)]
        inputs, outputs = _ports(self._path, graph, self._options.ends)
        function = _function(self._path, graph, inputs, outputs)
        return Entry(tuple(inputs.values()), tuple(outputs), function, graph, keeps=function, findings=tuple(findings))


def _read(path: Path) -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError("tensorflow", extra="keras", why="reading a frozen graph") from error
    from google.protobuf.message import DecodeError

    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ModelError(
            f"{path}: is no frozen graph of TensorFlow",
            hint="of a SavedModel give the folder that holds saved_model.pb",
        ) from error
    variables = [f"`{node.name}` ({node.op})" for node in graph.node if node.op in _VARIABLES]
    if variables:
        raise ModelError(
            f"{path}: the graph is not frozen: {', '.join(variables[:3])} ({len(variables)} in all) have no values",
            hint="freeze it beside its checkpoint: tf.compat.v1.graph_util.convert_variables_to_constants",
        )
    return graph


def _set(graph: Any, fixed: Mapping[str, Sequence[float]], shapes: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    """Makes constants of the placeholders that the user gave numbers."""
    placeholders = {node.name: node for node in graph.node if node.op in ("Placeholder", _DEFAULTED)}
    for name, numbers in fixed.items():
        if name not in placeholders:
            raise SignatureError(f"there is no input `{name}` to fix", hint=f"inputs are {', '.join(placeholders)}")
        array = fixed_array(_spec(placeholders[name]), numbers, shapes.get(name))
        _become(placeholders[name], "Const", value=array)
        yield fixed_finding(name, numbers)


def _defaults(graph: Any) -> Iterator[Finding]:
    """Placeholders with a default: a number is kept, all else is an input."""
    from tensorflow.python.framework.tensor_util import MakeNdarray

    nodes = {node.name: node for node in graph.node}
    for node in graph.node:
        if node.op != _DEFAULTED:
            continue
        given = nodes[_node(node.input[0])]
        if given.op == "Const" and _spec(node).shape == ():
            value = MakeNdarray(given.attr["value"].tensor)
            _become(node, "Const", value=value)
            words = f"is {value} in every run, its default: the file has no such input; --fix-input sets another"
            yield Finding("input-fixed", "info", words, f"`{node.name}`")
        else:
            _become(node, "Placeholder")


def _become(node: Any, op: str, *, value: Any = None) -> None:
    """A node of another op that has the same name and dtype, and reads nothing."""
    import tensorflow as tf

    kept = {key: node.attr[key] for key in ("dtype", "shape") if key in node.attr and (value is None or key == "dtype")}
    kept = {key: type(attribute).FromString(attribute.SerializeToString()) for key, attribute in kept.items()}
    node.op = op
    del node.input[:]
    node.attr.clear()
    for key, attribute in kept.items():
        node.attr[key].CopyFrom(attribute)
    if value is not None:
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.as_dtype(node.attr["dtype"].type)))


def _ports(path: Path, graph: Any, asked: Sequence[str]) -> tuple[dict[str, TensorSpec], list[str]]:
    """Inputs by the names of their placeholders, and names of the outputs; only what one reaches of the other."""
    nodes = {node.name: node for node in graph.node}
    for name in asked:
        if _node(name) not in nodes:
            raise SignatureError(f"--end-at {name}: no node of the graph has this name{nearest(_node(name), nodes)}")
    read = {_node(name) for node in graph.node for name in node.input}
    ends = list(asked) or [node.name for node in graph.node if node.name not in read and node.op not in _NO_RESULT]
    reached = _reached(nodes, ends)
    inputs = {n.name: _spec(n) for n in graph.node if n.op == "Placeholder" and n.name in reached}
    if not ends or not inputs:
        what = "no op whose result is not read" if not ends else "no placeholder that an output depends on"
        raise ModelError(
            f"{path}: a frozen graph with {what}, so its {'outputs' if not ends else 'inputs'} are not known",
            hint="say where it ends: --end-at NAME, once for each output",
        )
    iterators = [f"`{name}` ({nodes[name].op})" for name in reached if nodes[name].op.startswith("Iterator")]
    if iterators:
        raise ModelError(
            f"{path}: {', '.join(ends)} needs data that the graph fetches by itself: {', '.join(sorted(iterators))}",
            hint=f"end before what reads it: --end-at NAME, where NAME is one of {_before(graph, reached)}",
        )
    return inputs, ends


def _reached(nodes: Mapping[str, Any], ends: Sequence[str]) -> set[str]:
    reached: set[str] = set()
    todo = [_node(name) for name in ends]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += [_node(one) for one in nodes[name].input]
    return reached


def _before(graph: Any, reached: set[str]) -> str:
    """The last values that need no iterator, for a hint."""
    nodes = {node.name: node for node in graph.node}
    free = {n for n in reached if not any(nodes[m].op.startswith("Iterator") for m in _reached(nodes, [n]))}
    free = {n for n in free if any(nodes[m].op == "Placeholder" for m in _reached(nodes, [n]) - {n})}
    read = {_node(one) for name in free for one in nodes[name].input}
    return ", ".join(f"`{name}`" for name in sorted(free - read)) or "its results"


def _function(path: Path, graph: Any, inputs: Mapping[str, TensorSpec], outputs: Sequence[str]) -> Any:
    import tensorflow as tf

    def load() -> None:
        wanted = [_node(name) for name in outputs]
        tf.graph_util.import_graph_def(tf.compat.v1.graph_util.extract_sub_graph(graph, wanted), name="")

    try:
        loaded = tf.compat.v1.wrap_function(load, [])
        tensors = loaded.graph.as_graph_element
        ends = [name if ":" in name else f"{name}:0" for name in outputs]
        pruned = loaded.prune([tensors(f"{name}:0") for name in inputs], [tensors(name) for name in ends])
    except Exception as error:  # TensorFlow raises anything on ops that it does not know
        raise ModelError(
            f"{path}: tensorflow {tf.__version__} cannot load this graph: {first_line(error)}",
            hint="ops of tf.contrib and of custom libraries went with TensorFlow 1: export without them",
        ) from error

    def call(*tensors: Any) -> list[Any]:
        with running("tensorflow", "running the graph"):
            return list(pruned(*tensors))

    return call


def _spec(node: Any) -> TensorSpec:
    """A placeholder's input; one of unknown rank is refused.

    Raises:
        ModelError: the graph does not say how many dimensions it has.
    """
    import tensorflow as tf

    shape = node.attr["shape"].shape
    if shape.unknown_rank or "shape" not in node.attr:
        raise ModelError(
            f"input `{node.name}` has no shape in this graph, not even a number of dimensions",
            hint=f"fix it to a number with --fix-input {node.name}=NUMBER, or freeze the graph with its shape",
        )
    extents = tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)
    layout = "NHWC" if len(extents) == 4 and extents[3] in (1, 3, 4) else None
    return TensorSpec(node.name, extents, tf.as_dtype(node.attr["dtype"].type).name, layout)


def _node(name: str) -> str:
    """The node behind ``name:1`` or ``^name``."""
    return name.lstrip("^").partition(":")[0]
