"""From an ONNX graph to ops: one node after the other, constants folded on the way."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.expanding import expand, is_function
from edge_sdk.converters.lower.direct.folding import fold
from edge_sdk.converters.lower.direct.lengths import measured
from edge_sdk.converters.lower.direct.linear_regions import Region, grouped
from edge_sdk.converters.lower.direct.node import (
    DataDependentError,
    Node,
    NoFormError,
    attributes_of,
    module_path,
    traced_op,
    user_line,
)
from edge_sdk.converters.lower.direct.ops import form_of
from edge_sdk.converters.lower.direct.ops.steps.sequences import TAKES_SEQUENCES
from edge_sdk.converters.lower.direct.ops.without_form import REASONS
from edge_sdk.converters.lower.direct.reading import OWN_DOMAINS, array_of, as_computed, in_order
from edge_sdk.converters.lower.direct.separable import separable
from edge_sdk.converters.lower.direct.value import Entry, Value, Values
from edge_sdk.errors import ModelError, UnsupportedOpError

Form = Callable[[Builder, Node], Entry | Sequence[Entry]]


class Lost:
    """What a name stands for when the node that makes it has no form."""


class LostInBodyError(Exception):
    """A body has nodes without a form; they are listed already."""


@dataclass
class Walk:
    """Where the walk is: the names that are known, and the builder that ops go to.

    Attributes:
        builder: of the graph in the making.
        opset: version of ONNX's op set.
        folder: where weights beside the file lie.
        unroll: loops with a known count become ops without a loop, however long: integer recipes need that.
        values: name to value.
        failures: ``(op, where, why)`` of each node without a form, in all graphs.
        final: those of them that no other tool has a form for either.
        whole: the op that the nodes together are, where the standard defines it by them.
    """

    builder: Builder
    opset: int
    folder: str = ""
    unroll: bool = False
    values: MutableMapping[str, Entry | Lost] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    final: list[tuple[str, str, str]] = field(default_factory=list)
    whole: str = ""

    def graph(self, proto: Any, inputs: Mapping[str, Value]) -> list[Value]:
        """Lowers a model's GraphProto; returns its outputs.

        Args:
            proto: the graph.
            inputs: its own inputs.

        Raises:
            UnsupportedOpError: lists every node that has no form.
            ModelError: the graph is not valid.
        """
        outputs = self._graph(proto, inputs)
        for name, value in zip((output.name for output in proto.output), outputs, strict=True):
            if value is None or isinstance(value, Values):
                self.failures.append(("output", name, "a sequence or optional; TFLite has tensors only"))
            elif isinstance(value, Value) and not value.tensor.size:
                self.failures.append(("output", name, f"no elements ({list(value.shape)}), which TFLite cannot return"))
        if self.failures:
            raise unsupported(self.failures, final=bool(self.final))
        return [value for value in outputs if isinstance(value, Value)]

    def _graph(self, proto: Any, inputs: Mapping[str, Entry]) -> list[Entry | Lost]:
        self.values.update({name: _known_if_empty(self.builder, value) for name, value in inputs.items()})
        for weight in proto.initializer:
            if weight.name not in inputs:
                self.builder.origin = weight.name
                self.values[weight.name] = self.builder.fixed(as_computed(array_of(weight, self.folder)))
        taken = {value.name for value in (*proto.input, *proto.initializer)}
        known = (name for name, value in self.values.items() if isinstance(value, Value) and value.is_constant)
        wanted = [output.name for output in proto.output]
        for step in grouped(in_order(proto.node, taken), known, wanted):
            if isinstance(step, Region):
                self._region(step)
            else:
                self._step(step)
        return [self._read(name, "the graph's outputs") for name in wanted]

    def _region(self, region: Region) -> None:
        """Known matrices where that is what the region does, else its nodes."""
        source = self._read(region.source, "a region")
        read = {name: self.values.get(name) for name in region.reads}
        constants = {name: value.data for name, value in read.items() if isinstance(value, Value)}
        self.builder.origin = module_path(region.nodes[-1])
        made = None
        if isinstance(source, Value) and len(constants) == len(read):
            made = separable(self.builder, region, source, constants, self.opset)
        if made is not None:
            self.values[region.result] = made
            return
        for node in region.nodes:
            self._step(node)

    def _step(self, proto: Any) -> None:
        entries = [self._read(name, f"{proto.op_type} `{proto.name}`") if name else None for name in proto.input]
        inputs = [entry for entry in entries if not isinstance(entry, Lost)]
        self.builder.origin = module_path(proto)
        made: Sequence[Entry | Lost] | None = None
        if len(inputs) == len(entries):
            made = self._made(proto, inputs)
        elif not _may_have_form(proto, self.opset):
            self._fail(proto, _no_form(proto))
        made = [_known_if_empty(self.builder, v) for v in made] if made is not None else [Lost()] * len(proto.output)
        self.values.update((name, value) for name, value in zip(proto.output, made, strict=False) if name)

    def _read(self, name: str, reader: str) -> Entry | Lost:
        if name not in self.values:
            raise ModelError(f"{reader} reads `{name}`, which nothing makes", hint="check the model with onnx.checker")
        return self.values[name]

    def _made(self, proto: Any, inputs: Sequence[Entry]) -> Sequence[Entry] | None:
        """A node's results; None where it has no form, which is noted."""
        plain = [None if isinstance(entry, Values) else entry for entry in inputs]
        sequences = {i: entry for i, entry in enumerate(inputs) if isinstance(entry, Values)}
        if proto.op_type == "Identity" and proto.domain in OWN_DOMAINS:
            return inputs
        if proto.domain in OWN_DOMAINS and not sequences:
            known = self._folded(proto, plain) or self._sized(proto, plain)
            if known is not None:
                return known
        try:
            return self._formed(proto, plain, sequences)
        except NoFormError as error:
            self._fail(proto, str(error))
            if isinstance(error, DataDependentError):
                self.final.append(self.failures[-1])
        except LostInBodyError:
            pass
        return None

    def _fail(self, proto: Any, why: str) -> None:
        op = _op_name(proto)
        self.failures.append((self.whole or op, _where(proto), f"its {op}: {why}" if self.whole else why))

    def _folded(self, proto: Any, inputs: Sequence[Value | None]) -> list[Entry] | None:
        if not all(value is None or value.is_constant for value in inputs):
            return None
        arrays: list[npt.NDArray[Any] | None] = [value.data if value is not None else None for value in inputs]
        results = fold(proto, arrays, self.opset)
        return None if results is None else [self.builder.fixed(result) for result in results]

    def _sized(self, proto: Any, inputs: Sequence[Value | None]) -> list[Entry] | None:
        """Arithmetic on sizes that depend on data."""
        if not any(value is not None and value.tensor in self.builder.sizes for value in inputs):
            return None
        cells = [self.builder.cells(value) for value in inputs]
        if any(found is None and value is not None for found, value in zip(cells, inputs, strict=True)):
            return None
        made = measured(proto.op_type, cells, attributes_of(proto), self.opset)
        return None if made is None else [self.builder.sized(made)]

    def _formed(self, proto: Any, inputs: Sequence[Value | None], sequences: Mapping[int, Values]) -> Sequence[Entry]:
        form = form_of(proto.domain, proto.op_type)
        if sequences and proto.op_type not in TAKES_SEQUENCES:
            raise NoFormError("its input is a sequence")
        if form is None:
            return self._expanded(proto, inputs)
        node = Node(
            op=proto.op_type,
            name=proto.name,
            inputs=inputs,
            attributes=attributes_of(proto),
            outputs=list(proto.output),
            opset=self.opset,
            traced=traced_op(proto),
            input_names=list(proto.input),
            body=self._body,
            sequences=sequences,
            unroll=self.unroll,
        )
        made: Entry | Sequence[Entry] = form(self.builder, node)
        return [made] if made is None or isinstance(made, Value | Values) else list(made)

    def _expanded(self, proto: Any, inputs: Sequence[Value | None]) -> Sequence[Entry]:
        """The nodes that the standard says the op is, lowered in its place."""
        expansion = expand(proto, inputs, self.opset) if proto.domain in OWN_DOMAINS else None
        if expansion is None:
            raise NoFormError(_no_form(proto))
        given = (*inputs, *[None] * (len(expansion.inputs) - len(inputs)))
        names = dict(zip(expansion.inputs, given, strict=True))
        inner = Walk(
            self.builder,
            expansion.opset,
            self.folder,
            self.unroll,
            {**names},
            self.failures,
            self.final,
            self.whole or proto.op_type,
        )
        origin = self.builder.origin
        for node in expansion.nodes:
            inner._step(_named_after(node, proto))
            self.builder.origin = origin
        wanted = zip(expansion.outputs, proto.output, strict=False)
        return _found([inner._read(name, proto.op_type) if asked else None for name, asked in wanted])

    def _body(self, proto: Any, builder: Builder, inputs: Mapping[str, Entry]) -> list[Entry]:
        """Lowers the body of a loop or branch with a builder; it sees all names of this graph."""
        names = ChainMap({}, self.values)
        inner = Walk(builder, self.opset, self.folder, self.unroll, names, self.failures, self.final, self.whole)
        origin = builder.origin
        outputs = inner._graph(proto, inputs)
        builder.origin = origin
        return _found(outputs)


def _known_if_empty(builder: Builder, entry: Any) -> Any:
    """Of a tensor without elements everything is known."""
    if not isinstance(entry, Value) or entry.tensor.size or entry.is_constant:
        return entry
    return builder.fixed(np.empty(entry.shape, entry.dtype))


def _found(entries: Sequence[Entry | Lost]) -> list[Entry]:
    found = [entry for entry in entries if not isinstance(entry, Lost)]
    if len(found) < len(entries):
        raise LostInBodyError
    return found


def _named_after(node: Any, caller: Any) -> Any:
    """A function's node under the name of the op that it is a part of."""
    node.name = caller.name or next((name for name in caller.output if name), caller.op_type)
    node.metadata_props.extend(caller.metadata_props)
    return node


def _may_have_form(proto: Any, opset: int) -> bool:
    own = proto.domain in OWN_DOMAINS and is_function(proto.op_type, opset)
    return own or form_of(proto.domain, proto.op_type) is not None


def _no_form(proto: Any) -> str:
    if proto.domain not in OWN_DOMAINS:
        return f"an op of the domain `{proto.domain}`"
    return REASONS.get(proto.op_type, "no TFLite form is known")


def unsupported(rows: Sequence[tuple[str, str, str]], *, final: bool) -> UnsupportedOpError:
    """The user's error for nodes that TFLite cannot say, each as ``(op, where, why)``.

    Args:
        rows: in the graph's order.
        final: no other tool can lower some of them either.
    """
    listing = "; ".join(f"{op} at `{where}`: {why}" for op, where, why in rows[:4])
    more = f"; and {len(rows) - 4} more" if len(rows) > 4 else ""
    return UnsupportedOpError(
        f"{len(rows)} node{'s' if len(rows) > 1 else ''} cannot be lowered to TFLite: {listing}{more}",
        ops=rows,
        hint=_way_out(rows),
        final=final,
    )


def _way_out(rows: Sequence[tuple[str, str, str]]) -> str:
    kinds = {op for op, _, _ in rows}
    if any(kind.startswith("ai.onnx.ml::Tree") for kind in kinds):
        return (
            "trees, as of gradient boosting or a random forest, have no kernel in TFLite: run them where ONNX Runtime "
            "is, or rewrite them as tensors; --json lists every node"
        )
    return (
        "replace these ops in the source model, or end an .onnx file before them with --end-at VALUE, once for each "
        "output; --json lists every node"
    )


def _op_name(proto: Any) -> str:
    return str(proto.op_type) if proto.domain in OWN_DOMAINS else f"{proto.domain}::{proto.op_type}"


def _where(proto: Any) -> str:
    line = user_line(proto)
    return module_path(proto) + (f" ({line})" if line else "")
