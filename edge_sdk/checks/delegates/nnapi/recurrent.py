"""What the NNAPI delegate asks of recurrent layers; see ``edge_sdk/checks/delegates/nnapi/rules.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge_sdk.artifact.model import Tensor
from edge_sdk.checks.placement.site import EIGHT_BITS, Reason, Site, pair, pair_in_words

_NNAPI_1_2, _NNAPI_1_3 = 29, 30
_BASIC_INPUTS, _FULL_INPUTS = 5, (20, 24)
# Places of the weights that are looked at: to the forget gate, and to the output gate.
_WEIGHTS, _BASIC_WEIGHTS, _BASIC_BIAS, _FULL_WEIGHTS = 2, 2, 3, 4
_VALUES, _CELL_SCALE = (1 / 128, 128), 16 / 32768


def hybrid(source: Tensor | None, weights: Tensor | None) -> bool:
    """Whether weights are of 8 bits under a float32 input."""
    return source is not None and weights is not None and source.dtype == "float32" and weights.dtype in EIGHT_BITS


def _at(site: Site, place: int) -> Tensor | None:
    indices = site.op.inputs
    return site.graph.tensors[indices[place]] if place < len(indices) and indices[place] >= 0 else None


def recurrent_hybrid(site: Site) -> Reason | None:
    """No 8-bit weights under a float input."""
    return _hybrid(site, _WEIGHTS)


def rnn_hybrid(site: Site) -> Reason | None:
    """Likewise; the weights stand elsewhere."""
    return _hybrid(site, 1)


def _hybrid(site: Site, place: int) -> Reason | None:
    weights = _at(site, place)
    if weights is None or not hybrid(_at(site, 0), weights):
        return None
    return site.about("mixed-types", weights, f"is {weights.dtype} under a float32 input", "one type for both")


def sequence_lstm_inputs(site: Site) -> Reason | None:
    """20 or 24 inputs."""
    return None if len(site.op.inputs) in _FULL_INPUTS else _inputs(site, "20 or 24")


def _inputs(site: Site, takes: str) -> Reason:
    count = len(site.op.inputs)
    message = f"{site.op.name} has {count} inputs, {site.rules.title} takes {takes}"
    return site.reason("input-count", message, count, takes)


def lstm_kernel(site: Site) -> Reason | None:
    """Five inputs are the basic kernel; any other number is read as the full one."""
    faults = _basic(site) if len(site.op.inputs) == _BASIC_INPUTS else _full(site)
    return next(faults, None)


def _basic(site: Site) -> Iterator[Reason]:
    """uint8 throughout, with the quantization that the kernel has built in."""
    weights, source = _at(site, _BASIC_WEIGHTS), _at(site, 0)
    if weights is None or weights.dtype != "uint8":
        yield _weights_type(site, weights, "uint8")
        return
    outputs = [tensor for _, tensor in site.outputs if tensor is not None]
    for tensor in (source, outputs[0]):
        if tensor is not None and pair(tensor) != _VALUES:
            takes = "scale 1/128 and zero point 128"
            yield site.about("tensor-quantization", tensor, f"has {pair_in_words(tensor)}", takes)
    if len(outputs) > 1 and pair(outputs[1])[0] != _CELL_SCALE and pair(outputs[1])[1] != 0:
        takes = "scale 1/2048 or zero point 0"
        yield site.about("tensor-quantization", outputs[1], f"has {pair_in_words(outputs[1])}", takes)
    for place in (_BASIC_WEIGHTS, _BASIC_BIAS):
        tensor = _at(site, place)
        if tensor is not None and not tensor.is_stored:
            yield site.about("tensor-constant", tensor, "is computed at run time", "a constant there")


def _full(site: Site) -> Iterator[Reason]:
    weights, level = _at(site, _FULL_WEIGHTS), site.level
    if len(site.op.inputs) == _FULL_INPUTS[1] and site.below(_NNAPI_1_2):
        takes = f"{site.rules.title} takes 24 inputs from feature level {_NNAPI_1_2} on"
        yield site.reason("feature-level", f"the device has {level}, {takes}", level, _NNAPI_1_2)
    if site.below(_NNAPI_1_2) and (fault := _hybrid(site, _WEIGHTS)):
        yield fault
    types = ["float32", "uint8"] if site.below(_NNAPI_1_3) else ["float32", "uint8", "int8"]
    if weights is None or weights.dtype not in types:
        yield _weights_type(site, weights, ", ".join(types))


def _weights_type(site: Site, weights: Tensor | None, takes: str) -> Reason:
    if weights is None:
        return site.reason("operand-absent", f"weights are absent, {site.rules.title} needs them", "absent", "weights")
    return site.about("tensor-type", weights, f"is {weights.dtype}", takes)


RECURRENT_CHECKS: tuple[Callable[[Site], Reason | None], ...] = (
    recurrent_hybrid, rnn_hybrid, sequence_lstm_inputs, lstm_kernel,
)  # fmt: skip
