"""The entry point of a model as an engine runs it: every input is reached by a name, every output may be read."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from edge_sdk.artifact.model import Signature, Subgraph, Tensor
from edge_sdk.artifact.sound import check_operands, check_order
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.values import is_scaled
from edge_sdk.errors import ModelError

_OPAQUE = frozenset({"resource", "variant"})


def entry_of(model: ModelSource) -> Signature:
    """The signature, once it is sure that running it by name gives right values.

    Raises:
        ModelError: an op leaves out an operand that its kernel reads, or reads what a later one makes; an input of the
            subgraph has no name in the signature, so that it would never be written; or a name stands for a tensor
            that is no input or output of it, whose memory belongs to others.
    """
    for one, op in model.artifact.all_ops():
        with _named(f"{model.name}: subgraph {one.index}"):
            check_operands(op.index, op.name, op.inputs, op.outputs)
    for one in model.artifact.subgraphs:
        present = {tensor.index for tensor in one.tensors if tensor.is_stored or tensor.is_variable} | {*one.inputs}
        with _named(f"{model.name}: subgraph {one.index}"):
            check_order([(op.name, op.inputs, op.outputs) for op in one.ops], present)
    signature, graph = model.artifact.signature, model.artifact.main
    where = f"{model.name}: signature `{signature.key}`"
    named = {tensor.index for tensor in signature.inputs.values()}
    for index in graph.inputs:
        if index not in named and not graph.tensors[index].is_stored:
            raise ModelError(
                f"{where} has no name for input `{graph.tensors[index].name}` (tensor {index}), which would stay unset",
                hint="save the model with a signature that names all inputs, or with none",
            )
    for name, tensor in signature.inputs.items():
        _check(where, "input", name, tensor, graph)
    for name, tensor in signature.outputs.items():
        _check(where, "output", name, tensor, graph)
    return signature


@contextlib.contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{where}: {error}", hint="the file is damaged: copy or convert it again") from error


def _check(where: str, what: str, name: str, tensor: Tensor, graph: Subgraph) -> None:
    listed = graph.inputs if what == "input" else graph.outputs
    if tensor.index not in listed:
        raise ModelError(f"{where} calls tensor {tensor.index} its {what} `{name}`, and the subgraph does not")
    if what == "input" and tensor.is_stored:
        raise ModelError(f"{where}: input `{name}` is a constant, which cannot be written")
    if tensor.dtype in _OPAQUE:
        raise ModelError(f"{where}: {what} `{name}` is a {tensor.dtype}, which no array can hold")
    if is_scaled(tensor) and tensor.quantization is not None:
        for scale in tensor.quantization.scale:
            if not (math.isfinite(scale) and scale > 0):
                raise ModelError(f"{where}: {what} `{name}` has the scale {scale:g}, expected a finite one above 0")
