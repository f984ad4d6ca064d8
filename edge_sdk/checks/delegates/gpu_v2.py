"""What the GPU delegate asks of an op beyond what ``device_profiles/rules/gpu_v2.toml`` can say.

Each function is named there in ``also``. All of it is *predicted*; source of every bound:
``tflite/tools/versioning/gpu_compatibility.cc`` and ``tflite/delegates/gpu/common/model_builder.cc`` of LiteRT v2.1.0.
"""

from __future__ import annotations

from edge_sdk.artifact.model import Op, Tensor
from edge_sdk.checks.placement.site import Check, Reason, Site

_FLOATS = frozenset({"float32", "float16"})
_FULL_KERNEL = 0
_FULL_INPUTS = frozenset({20, 24})
_TAKES_TRUTH = frozenset({"CAST", "SELECT", "SELECT_V2"})


def computed(site: Site) -> list[Tensor]:
    """Inputs that are made at run time; constants that the delegate widens from float16 are not."""
    tensors = [tensor for _, tensor in site.inputs if tensor is not None]
    return [tensor for tensor in tensors if not tensor.is_stored and tensor.index not in site.unpacked]


def some_computed(site: Site) -> Reason | None:
    """One input or more is made at run time: there is nothing to run otherwise."""
    return _count(site, 1, len(site.op.inputs))


def all_computed(site: Site) -> Reason | None:
    """No input is a constant."""
    return _count(site, len(site.op.inputs), len(site.op.inputs))


def two_computed_at_most(site: Site) -> Reason | None:
    """Weights and bias cannot both be made at run time."""
    return _count(site, 0, 2)


def _count(site: Site, low: int, high: int) -> Reason | None:
    found = len(computed(site))
    if low <= found <= high:
        return None
    takes = f"{low} or more" if found < low else f"{high} or less"
    message = f"{found} inputs of {site.op.name} are computed at run time, {site.rules.title} takes {takes}"
    return site.reason("computed-inputs", message, found, takes)


def input_computed(site: Site) -> Reason | None:
    """The input of a layer is no constant."""
    if site["input"] in computed(site):
        return None
    return site.about("tensor-constant", site["input"], "is a constant", "one that is computed at run time")


def first_computed(site: Site) -> Reason | None:
    """The left side of a product is made at run time; source: edge-compat, measured on phones with LiteRT 2.2."""
    left = site["first input"]
    if left in computed(site):
        return None
    return site.about("tensor-constant", left, "is a constant", "one that is computed at run time")


def no_dense_weights(site: Site) -> Reason | None:
    """Not what widens 8-bit weights of FULLY_CONNECTED: the whole file is refused (LiteRT issues 9523, 10445)."""
    source, result = site["input"], site["output"]
    if not source.is_stored or source.dtype not in ("int8", "uint8"):
        return None
    readers = [op for op in _readers(site, result) if op.name == "FULLY_CONNECTED" and op.inputs[1] == result.index]
    if not readers:
        return None
    found = f"is stored in {source.dtype} and widened for op {readers[0].index} FULLY_CONNECTED"
    return site.about("dequantized-weights", source, found, "such weights in float32, or widened from float16")


def no_scalars(site: Site) -> Reason | None:
    """A value made at run time has a dimension: a statistic reduced to none is refused ("has bad input dims size: 0").

    Measured by edge-compat with LiteRT 0.16.1 on Metal, for DIV and MUL; ``ExtractTensorShape`` in LiteRT's
    model_builder_helper.cc takes one to four dimensions.
    """
    bare = next((tensor for tensor in computed(site) if not tensor.shape), None)
    return None if bare is None else site.about("tensor-rank", bare, "has no dimension", "rank 1 to 4")


def broadcast(site: Site) -> Reason | None:
    """Where ranks differ, both above 1: [1, h, w, c] takes three dimensions or [1, 1], [b, h, w, c] takes [b, c]."""
    first, second = site["first input"], site["second input"]
    long, short = sorted((first.shape, second.shape), key=len, reverse=True)
    if len(short) < 2 or len(long) == len(short) or _broadcasts(long, short):
        return None
    takes = "equal ranks, one dimension, or [b, c] with [b, h, w, c]"
    return site.about("tensor-shape", second, f"has shape {list(second.shape)} beside {list(first.shape)}", takes)


def _broadcasts(long: tuple[int, ...], short: tuple[int, ...]) -> bool:
    if len(long) != 4:
        return False
    if len(short) == 3:
        return long[0] == 1
    return (long[0] == 1 and short == (1, 1)) or (long[0], long[3]) == short


def read_as_number(site: Site) -> Reason | None:
    """A comparison's only reader must turn it into a float: CAST or SELECT."""
    result = site["output"]
    readers = _readers(site, result)
    names = ", ".join(op.name for op in readers) or "nobody"
    if len(readers) == 1 and readers[0].name in _TAKES_TRUTH and _result_type(site, readers[0]) in _FLOATS:
        return None
    return site.about("tensor-readers", result, f"is read by {names}", "one CAST or SELECT that makes floats")


def cast_pair(site: Site) -> Reason | None:
    """Between bool and float, or among float32 and int32; a bool must come from an op and go nowhere else."""
    source, result = site["input"], site["output"]
    types = {source.dtype, result.dtype}
    if source.dtype == "bool" and result.dtype in _FLOATS:
        return _sole_reader(site, source) or _sole_reader(site, result)
    if (source.dtype in _FLOATS and result.dtype == "bool") or types <= {"float32", "int32"}:
        return None
    takes = "bool to or from float, float32 and int32"
    return site.about("mixed-types", result, f"is {result.dtype} from {source.dtype}", takes)


def _sole_reader(site: Site, tensor: Tensor) -> Reason | None:
    made = any(tensor.index in op.outputs for op in site.graph.ops)
    readers = len(_readers(site, tensor))
    if made and readers == 1:
        return None
    found = f"has {readers} readers" if made else "comes from outside"
    return site.about("tensor-readers", tensor, found, "a tensor that one op makes and one op reads")


def _readers(site: Site, tensor: Tensor) -> list[Op]:
    return [op for op in site.graph.ops if tensor.index in op.inputs]


def _result_type(site: Site, op: Op) -> str:
    return next((tensor.dtype for tensor in site.graph.results(op)), "")


def choices(site: Site) -> Reason | None:
    """Each choice is one value, or has the result's shape; a constant of two dimensions is neither."""
    shape = site["output"].shape
    for name in ("first choice", "second choice"):
        tensor = site[name]
        single = len(tensor.shape) <= 1 and tensor.elements <= 1
        flat = len(tensor.shape) == 2 and tensor not in computed(site)
        if flat or not (single or tensor.shape == shape):
            takes = f"one value or the shape of the output, {list(shape)}, and no constant of two dimensions"
            return site.about("tensor-shape", tensor, f"has shape {list(tensor.shape)}", takes)
    return None


def depthwise_shapes(site: Site) -> Reason | None:
    """Batches agree; channels of the result are those of the filter and a multiple of the input's."""
    source, result, multiplier = site["input"], site["output"], int(site.option("depth_multiplier"))
    if source.shape[0] != result.shape[0]:
        return site.about("tensor-shape", result, f"has batch {result.shape[0]}", f"{source.shape[0]}, as the input")
    channels = result.shape[3]
    wanted = {site["filter"].shape[3]: "the filter's", source.shape[3] * multiplier: "input times depth_multiplier"}
    if (bias := site.find("bias")) is not None:
        wanted.setdefault(bias.elements, "the bias's")
    for number, whose in wanted.items():
        if number != channels:
            return site.about("tensor-shape", result, f"has {channels} channels", f"{number}, {whose}")
    return None


def kept_dimensions(site: Site) -> Reason | None:
    """``keep_num_dims`` asks for as many dimensions behind the layer as before it."""
    before, after = len(site["input"].shape), len(site["output"].shape)
    if not site.option("keep_num_dims") or before == after:
        return None
    return site.about("tensor-rank", site["output"], f"has rank {after}", f"{before} as the input, with keep_num_dims")


def lstm_kernel(site: Site) -> Reason | None:
    """Full: 20 or 24 inputs and one result. Basic: five inputs, two of them constants, four results, no clipping."""
    inputs, outputs = len(site.op.inputs), len(site.op.outputs)
    if int(site.option("kernel_type")) == _FULL_KERNEL:
        fits, takes = inputs in _FULL_INPUTS and outputs == 1, "20 or 24 inputs and 1 output"
    else:
        fits, takes = (
            (inputs, outputs, len(computed(site))) == (5, 4, 3),
            "5 inputs, 2 of them constants, and 4 outputs",
        )
        for name in ("cell_clip", "proj_clip"):
            if fits and site.option(name):
                message = f"{name} is {site.option(name):g}, {site.rules.title} takes 0"
                return site.reason("option-value", message, f"{site.option(name):g}", 0)
    if fits:
        return None
    message = f"this LSTM has {inputs} inputs and {outputs} outputs, {site.rules.title} takes {takes}"
    return site.reason("input-count", message, f"{inputs} and {outputs}", takes)


def one_hot_indices(site: Site) -> Reason | None:
    """Along the last axis, and all other dimensions 1; with four dimensions the first is free."""
    indices, axis = site["indices"], int(site.option("axis"))
    last = indices.shape[-1] if indices.shape else -1
    if axis not in {-1, last}:
        # The source compares with the last dimension's extent, not with its place.
        return site.reason("option-value", f"axis is {axis}, {site.rules.title} takes -1", axis, -1)
    checked = indices.shape[1 if len(indices.shape) > 3 else 0 : -1]
    if all(extent == 1 for extent in checked):
        return None
    takes = "dimensions of 1 before the last"
    return site.about("tensor-shape", indices, f"has shape {list(indices.shape)}", takes)


def paddings_shape(site: Site) -> Reason | None:
    """Two numbers for each of three or four dimensions."""
    shape = site["paddings"].shape
    if shape in {(3, 2), (4, 2)}:
        return None
    return site.about("tensor-shape", site["paddings"], f"has shape {list(shape)}", "[3, 2] or [4, 2]")


def corners_or_centers(site: Site) -> Reason | None:
    """Not both at once."""
    if not (site.option("align_corners") and site.option("half_pixel_centers")):
        return None
    message = f"align_corners and half_pixel_centers are both set, {site.rules.title} takes one of them"
    return site.reason("option-value", message, "both", "one of them")


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        some_computed, all_computed, two_computed_at_most, input_computed, first_computed, no_dense_weights, no_scalars,
        broadcast, read_as_number, cast_pair,
        choices, depthwise_shapes, kept_dimensions, lstm_kernel, one_hot_indices, paddings_shape, corners_or_centers,
    )
}  # fmt: skip
