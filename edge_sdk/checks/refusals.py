"""Files that no engine opens as they are, however it would place them: what TFLite refuses as it reads and prepares.

Tried on ai-edge-litert 2.1.0 and 2.3.0 and on tflite-runtime 2.14.0 (``tests/core/checks/test_refusals.py``), which
agree. Mistakes that a public file had are here, not every one that a damaged file may have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.findings import Finding

_VALID = 1
_KEEP_EXTENTS = frozenset(
    {"CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RELU", "RELU6", "SQUEEZE", "TRANSPOSE", "LOGISTIC", "TANH"}
)
_SCHEMA_VERSION = 3
_STEPS = MappingProxyType({"stride_h": 0, "stride_w": 0, "dilation_h_factor": 1, "dilation_w_factor": 1})
_TYPE_OPTIONS = MappingProxyType(
    {
        "ARG_MAX": ("output_type",),
        "ARG_MIN": ("output_type",),
        "CAST": ("in_data_type", "out_data_type"),
        "CONV_2D": ("quantized_bias_type",),
        "FULLY_CONNECTED": ("quantized_bias_type",),
        "SHAPE": ("out_type",),
    }
)
_ONE = (
    *(
        "ABS",
        "CAST",
        "CEIL",
        "COS",
        "ELU",
        "EXP",
        "FLOOR",
        "GELU",
        "HARD_SWISH",
        "L2_NORMALIZATION",
        "LEAKY_RELU",
        "LOG",
    ),
    *(
        "LOGISTIC",
        "LOG_SOFTMAX",
        "NEG",
        "RELU",
        "RELU6",
        "ROUND",
        "RSQRT",
        "SIN",
        "SOFTMAX",
        "SQRT",
        "SQUARE",
        "SQUEEZE",
    ),
    *("TANH", "ZEROS_LIKE"),
)
_TWO = (
    *("ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "LESS", "MAXIMUM", "MINIMUM", "MUL", "POW", "PRELU"),
    *("SQUARED_DIFFERENCE", "SUB"),
)
_OPERANDS = MappingProxyType({**dict.fromkeys(_ONE, (1,)), **dict.fromkeys(_TWO, (2,)), "RESHAPE": (1, 2)})
_OPEN = "give open inputs a size first: resize_tensor_input before allocate_tensors, or convert with that size"
_DAMAGED = "convert it again with a current converter: what wrote it, or what edited it, left it so"


def refusals(artifact: Artifact) -> Iterator[Finding]:
    """The first mistake of each kind, in words; each by itself keeps every engine from opening the file."""
    seen: set[str] = set()
    for finding in _all(artifact):
        if finding.rule not in seen:
            seen.add(finding.rule)
            yield finding


def _all(artifact: Artifact) -> Iterator[Finding]:
    if artifact.schema_version != _SCHEMA_VERSION:
        message = (
            f"schema version {artifact.schema_version}, engines read {_SCHEMA_VERSION}: every one refuses the file"
        )
        yield Finding("schema-version", "error", message, "file", _DAMAGED)
    yield from _entered(artifact)
    entered = {0, artifact.signature.subgraph}
    for graph in artifact.subgraphs:
        for tensor in graph.tensors:
            yield from _stored(tensor)
            yield from _scales(tensor)
        for op in graph.ops:
            seen = _Seen(graph, op, artifact.subgraphs)
            yield from _overlapping(seen)
            yield from _typed(seen)
            for look in _OPS.get(op.name, ()):
                yield from look(seen)
            # What only another signature runs is prepared when that is entered.
            if graph.index in entered:
                yield from _counted(seen)
                for look in _ENTERED.get(op.name, ()):
                    yield from look(seen)


def _entered(artifact: Artifact) -> Iterator[Finding]:
    """What a session needs of the signature that it enters by, and the engine's Python of all of them."""
    if artifact.implicit_signature:
        return
    for one in artifact.signatures:
        for name in (one.key, *one.inputs, *one.outputs):
            if not _is_text(name):
                message = (
                    f"signature `{_shown(one.key)}` has a name that is not UTF-8, `{_shown(name)}`: it cannot be read"
                )
                yield Finding("name-not-text", "error", message, "file", _DAMAGED)
    signature, graph = artifact.signature, artifact.main
    where = f"signature `{_shown(signature.key)}`"
    named = {tensor.index for tensor in signature.inputs.values()}
    for index in graph.inputs:
        if index not in named and not graph.tensors[index].is_stored:
            message = (
                f"{where} has no name for input `{_shown(graph.tensors[index].name)}` (tensor {index}): it stays unset"
            )
            yield Finding("signature-mismatch", "error", message, "file", _DAMAGED)
    for what, tensors, listed in (
        ("input", signature.inputs, graph.inputs),
        ("output", signature.outputs, graph.outputs),
    ):
        for name, tensor in tensors.items():
            if tensor.index not in listed:
                message = f"{where} calls tensor {tensor.index} its {what} `{_shown(name)}`, and the subgraph does not"
                yield Finding("signature-mismatch", "error", message, "file", _DAMAGED)


def _is_text(name: str) -> bool:
    try:
        # To the engine it ends at a NUL.
        name.partition("\0")[0].encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _stored(tensor: Tensor) -> Iterator[Finding]:
    if tensor.is_variable and tensor.constant is not None:
        message = f"tensor {tensor.index} `{tensor.name}` is a variable and has data: every engine refuses the file"
        yield Finding("variable-with-data", "error", message, "file", _DAMAGED)
    held = 0 if tensor.constant is None else tensor.constant.nbytes
    if tensor.is_stored and not tensor.is_sparse and held < tensor.size_bytes:
        message = (
            f"tensor {tensor.index} `{_shown(tensor.name)}` needs {tensor.size_bytes} bytes, its buffer has {held}: "
        )
        yield Finding("shape-contradiction", "error", message + "every engine refuses the file", "file", _DAMAGED)


def _scales(tensor: Tensor) -> Iterator[Finding]:
    """``ParseQuantization`` of TFLite's ``interpreter_builder.cc``: one scale too is held to its dimension."""
    known = tensor.quantization
    if known is None or not tensor.shape:
        return
    where = f"tensor {tensor.index} `{tensor.name}` of shape {list(tensor.shape)}"
    if not 0 <= known.axis < len(tensor.shape):
        message = f"{where} is quantized along dimension {known.axis}: every engine refuses the file"
        yield Finding("quantized-dimension", "error", message, "file", _DAMAGED)
    elif known.per_channel and len(known.scale) != tensor.shape[known.axis]:
        message = f"{where} has {len(known.scale)} scales along dimension {known.axis}: every engine refuses the file"
        yield Finding("quantized-dimension", "error", message, "file", _DAMAGED)


class _Seen(NamedTuple):
    """An op in its subgraph."""

    graph: Subgraph
    op: Op
    subgraphs: tuple[Subgraph, ...]

    @property
    def source(self) -> Tensor | None:
        """The first operand."""
        inputs = self.op.inputs
        return self.graph.tensors[inputs[0]] if inputs and inputs[0] >= 0 else None


def _windowed(seen: _Seen) -> Iterator[Finding]:
    """A window that leaves no room for one value, along height or width, without padding."""
    op, source, window = seen.op, seen.source, _window(seen)
    if op.options.get("padding") != _VALID or source is None or len(source.shape) != 4 or window is None:
        return
    if not _is_known(seen, source):
        return
    strides = [int(op.options.get(f"stride_{side}", 1)) for side in "hw"]
    for extent, size, stride in zip(source.shape[1:3], window, strides, strict=True):
        if size > extent and stride > 0:
            # The kernel divides towards 0: less than a step too small gives an output without values.
            refused = extent - size + stride <= -stride
            so = "no engine prepares it" if refused else "it computes nothing"
            message = f"{op.name} {op.index} has a window of {size} for {extent} of `{source.name}`: at the sizes "
            message += f"that the file states {so}"
            yield Finding("window-beyond-input", "error" if refused else "warning", message, "file", _OPEN)
            return


def _window(seen: _Seen) -> tuple[int, int] | None:
    op = seen.op
    kernel = seen.graph.tensors[op.inputs[1]].shape if len(op.inputs) > 1 and op.inputs[1] >= 0 else ()
    if len(kernel) != 4:
        return None
    steps = (op.options.get(f"dilation_{side}_factor", 1) for side in "hw")
    high, wide = ((size - 1) * int(step) + 1 for size, step in zip(kernel[1:3], steps, strict=True))
    return high, wide


def _is_known(seen: _Seen, tensor: Tensor) -> bool:
    """Whether the engine too has these extents here: what an op computes may be stated as 1 where it was not known."""
    for _ in range(len(seen.graph.ops) + 1):
        op = seen.graph.makers.get(tensor.index)
        if op is None:
            return tensor.index in seen.graph.inputs
        if op.name not in _KEEP_EXTENTS or not op.inputs or op.inputs[0] < 0:
            return False
        tensor = seen.graph.tensors[op.inputs[0]]
    return False


def _squeezed(seen: _Seen) -> Iterator[Finding]:
    """Dimensions that are dropped are there, and 1; a shape of rank 0 may be one that is not known."""
    source, dropped = seen.source, seen.op.options.get("squeeze_dims")
    if source is None or dropped is None or not source.shape or -1 in source.shape_signature:
        return
    for stated in dropped:
        axis = int(stated) + len(source.shape) * (stated < 0)
        extent = source.shape[axis] if 0 <= axis < len(source.shape) else 0
        if extent != 1:
            message = f"SQUEEZE {seen.op.index} drops dimension {stated} of {list(source.shape)}: no engine prepares it"
            yield Finding("shape-contradiction", "error", message, "file", _DAMAGED)
            return


def _reshaped(seen: _Seen) -> Iterator[Finding]:
    """As many values behind as before, at the sizes that the file states."""
    source, wanted = seen.source, seen.op.options.get("new_shape")
    inputs = seen.op.inputs
    if source is None or not _is_known(seen, source):
        return
    if len(inputs) > 1 and inputs[1] >= 0:
        shape = seen.graph.tensors[inputs[1]]
        if shape.constant is None or shape.dtype != "int32" or len(shape.shape) != 1:
            return
        wanted = shape.values().tolist()
    extents = [int(extent) for extent in (() if wanted is None else wanted)]
    if any(extent < -1 for extent in extents):
        return
    before, after = math.prod(source.shape), math.prod(extent for extent in extents if extent >= 0)
    fits = before == after if -1 not in extents else bool(after) and not before % after
    if not fits:
        message = f"RESHAPE {seen.op.index} makes {extents} of {list(source.shape)}: no engine prepares it"
        yield Finding("shape-contradiction", "error", message, "file", _DAMAGED)


def _strided(seen: _Seen) -> Iterator[Finding]:
    """Steps of one at least; without options of its own kind an op has steps of 0."""
    for name, usual in _STEPS.items():
        step = seen.op.options.get(name, usual)
        if int(step) < 1:
            message = f"{seen.op.name} {seen.op.index} has {name} {step}: no engine prepares it"
            yield Finding("op-malformed", "error", message, "file", _DAMAGED)
            return


def _calling(seen: _Seen) -> Iterator[Finding]:
    """CALL_ONCE runs another subgraph, that is there."""
    index = int(seen.op.options.get("init_subgraph_index", 0))
    if index == seen.graph.index or not 0 <= index < len(seen.subgraphs):
        which = "its own" if index == seen.graph.index else "which does not exist"
        message = f"CALL_ONCE {seen.op.index} runs subgraph {index}, {which}: no engine prepares it"
        yield Finding("op-malformed", "error", message, "file", _DAMAGED)


def _overlapping(seen: _Seen) -> Iterator[Finding]:
    """No result of an op is its operand."""
    both = sorted({index for index in seen.op.inputs if index >= 0} & set(seen.op.outputs))
    if both:
        message = f"{seen.op.name} {seen.op.index} reads and writes tensor {both[0]}: every engine refuses the file"
        yield Finding("op-malformed", "error", message, "file", _DAMAGED)


def _typed(seen: _Seen) -> Iterator[Finding]:
    """Options that name a type name one that there is."""
    for name in _TYPE_OPTIONS.get(seen.op.name, ()):
        stated = seen.op.options.get(name, 0)
        if stated not in schema().enums["TensorType"]:
            message = (
                f"{seen.op.name} {seen.op.index} has {name} {stated}, which is no type: every engine refuses the file"
            )
            yield Finding("op-malformed", "error", message, "file", _DAMAGED)


def _counted(seen: _Seen) -> Iterator[Finding]:
    """So many operands as the kernel takes, and one result."""
    takes = _OPERANDS.get(seen.op.name)
    if takes is None:
        return
    given, made = len(seen.op.inputs), len(seen.op.outputs)
    if given not in takes or made != 1:
        wanted = f"{' or '.join(map(str, takes))} and 1"
        message = f"{seen.op.name} {seen.op.index} has {given} operands and {made} results, expected {wanted}: "
        yield Finding("op-malformed", "error", message + "no engine prepares it", "file", _DAMAGED)


def _biased(seen: _Seen) -> Iterator[Finding]:
    """A bias for each filter, by the first dimension of the weights."""
    inputs = seen.op.inputs
    if len(inputs) < 3 or min(inputs[1:3]) < 0:
        return
    weights, bias = (seen.graph.tensors[index] for index in inputs[1:3])
    if weights.shape and bias.elements != weights.shape[0]:
        message = f"{seen.op.name} {seen.op.index} has {bias.elements} biases for {weights.shape[0]} filters: "
        yield Finding("shape-contradiction", "error", message + "no engine prepares it", "file", _DAMAGED)


def _branching(seen: _Seen) -> Iterator[Finding]:
    """IF and WHILE run subgraphs that are there, and take and give what these do."""
    op, options = seen.op, seen.op.options
    passed = op.inputs[1:] if op.name == "IF" else op.inputs
    for name in ("then", "else") if op.name == "IF" else ("cond", "body"):
        index = int(options.get(f"{name}_subgraph_index", 0))
        if not 0 <= index < len(seen.subgraphs):
            message = f"{op.name} {op.index} runs subgraph {index}, which does not exist: no engine prepares it"
            yield Finding("op-malformed", "error", message, "file", _DAMAGED)
            return
        called = seen.subgraphs[index]
        made = 1 if name == "cond" else len(op.outputs)
        if (len(called.inputs), len(called.outputs)) != (len(passed), made):
            message = (
                f"{op.name} {op.index} gives {len(passed)} values to subgraph {index} and takes {made}, which has "
            )
            message += f"{len(called.inputs)} inputs and {len(called.outputs)} outputs: no engine prepares it"
            yield Finding("op-malformed", "error", message, "file", _DAMAGED)
            return


def _optionless(seen: _Seen) -> Iterator[Finding]:
    if not seen.op.options:
        message = f"{seen.op.name} {seen.op.index} has no options: every engine refuses the file"
        yield Finding("options-missing", "error", message, "file", _DAMAGED)


_Looks = Mapping[str, tuple[Callable[[_Seen], Iterator[Finding]], ...]]
_OPS: _Looks = MappingProxyType(
    {
        "CONV_2D": (_windowed,),
        "DEPTHWISE_CONV_2D": (_windowed,),
        "LSTM": (_optionless,),
        "SQUEEZE": (_squeezed,),
    }
)
_ENTERED: _Looks = MappingProxyType(
    {
        "AVERAGE_POOL_2D": (_strided,),
        "CALL_ONCE": (_calling,),
        "CONV_2D": (_strided, _biased),
        "DEPTHWISE_CONV_2D": (_strided,),
        "FULLY_CONNECTED": (_biased,),
        "IF": (_branching,),
        "MAX_POOL_2D": (_strided,),
        "RESHAPE": (_reshaped,),
        "WHILE": (_branching,),
    }
)
