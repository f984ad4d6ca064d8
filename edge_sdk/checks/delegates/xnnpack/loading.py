"""Ops that XNNPACK claims and then cannot build: the engine refuses the whole file, and nothing falls back.

The delegate does not test its claim again. Where building a partition fails, ``allocate_tensors()`` raises; the file
loads only without the default delegates. *Predicted* from ``xnnpack_delegate.cc`` of LiteRT v2.1.0 and from XNNPACK
77468446ebfd, and tried on ai-edge-litert 2.1.0; the list covers what converters write, not every attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from edge_sdk.artifact.model import Blockwise, Op, Quantization, Tensor
from edge_sdk.checks.delegates.xnnpack.claims import positive_width
from edge_sdk.checks.placement.site import EIGHT_BITS, Check, Reason, Site, normal, pair, pair_in_words, stored_as

_MAX_RANK = 6
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int32": (0, 0), "int4": (-8, 7)}
_FLOAT_TYPES = frozenset({"float32", "float16"})


def load_failure(site: Site, checks: Mapping[str, Check]) -> Reason | None:
    """Why a claimed op keeps the file from loading; None if nothing is known to."""
    for tensor in site.values():
        if reason := next(_value_faults(site, tensor), None):
            return reason
    return next((reason for name in site.rule.to_load if (reason := checks[name](site))), None)


def crash(site: Site) -> Reason | None:
    """What makes the engine crash, not fail, as it looks at the op: claimed or not, the file cannot be opened."""
    if site.op.name not in {"QUANTIZE", "BATCH_MATMUL"}:
        return None
    looked_at = site.values() if site.op.name == "QUANTIZE" else site.values()[:2]
    tensors = [tensor for tensor in looked_at if tensor.dtype in EIGHT_BITS and tensor.quantization]
    faults = (fault for tensor in tensors for fault in _value_faults(site, tensor))
    fault = next((fault for fault in faults if fault.rule in {"load-scale", "load-zero-point"}), None)
    return replace(fault, rule="engine-crash", message=f"{fault.message}; the engine crashes on it") if fault else None


def _value_faults(site: Site, tensor: Tensor) -> Iterator[Reason]:
    """Every tensor of a partition becomes a value of XNNPACK's graph, whatever the op asks of it."""
    flattened = site.op.name == "FULLY_CONNECTED" and tensor is site.find("bias")
    if len(tensor.shape) > _MAX_RANK and not flattened:
        yield site.about("load-rank", tensor, f"has rank {len(tensor.shape)}", f"rank {_MAX_RANK} or less")
    if tensor.dtype in _FLOAT_TYPES:
        return
    if tensor.blockwise is not None:
        yield from _block_faults(site, tensor, tensor.blockwise)
    elif tensor.dtype not in _ZERO_POINTS:
        yield site.about("load-type", tensor, f"is {tensor.dtype}", "float32, float16 and quantized integers")
    elif tensor.quantization is None:
        found = f"is {tensor.dtype} with no quantization"
        yield site.about("load-quantization", tensor, found, "a scale for integers")
    else:
        yield from _quantization_faults(site, tensor, tensor.quantization)


def _block_faults(site: Site, tensor: Tensor, blocks: Blockwise) -> Iterator[Reason]:
    """Read in the source. Whole blocks of 32, which converters write, load in LiteRT 2.1.0 and 2.3.0 (tried)."""
    scales = site.graph.tensors[blocks.scales].elements if 0 <= blocks.scales < len(site.graph.tensors) else 0
    if scales * blocks.block_size != tensor.elements:
        found = f"has {scales} scales for blocks of {blocks.block_size}"
        yield site.about("load-quantization", tensor, found, f"one scale for each block of {tensor.elements} values")


def _quantization_faults(site: Site, tensor: Tensor, quantization: Quantization) -> Iterator[Reason]:
    # Each value once: files repeat them for thousands of channels.
    for scale in dict.fromkeys(quantization.scale):
        if not (scale > 0 and normal(scale)):
            yield site.about("load-scale", tensor, f"has scale {scale:g}", "positive, normal scales")
    if quantization.per_channel and tensor.dtype == "uint8":
        yield site.about("load-quantization", tensor, "is uint8 with a scale for each channel", "one scale")
    extents = tensor.shape[quantization.axis : quantization.axis + 1]
    if quantization.per_channel and extents != (len(quantization.scale),):
        found = f"has {len(quantization.scale)} scales along dimension {quantization.axis} of {list(tensor.shape)}"
        yield site.about("load-quantization", tensor, found, "one scale for each channel")
    low, high = _ZERO_POINTS[tensor.dtype]
    for point in dict.fromkeys(quantization.zero_point):
        # 2.1.0 lets 8 through as well, 2.1.2 does not.
        if quantization.per_channel and tensor.dtype != "int4" and point != 0:
            yield site.about("load-zero-point", tensor, f"has zero point {point}", "0 per channel")
        elif not quantization.per_channel and not low <= point <= high:
            yield site.about("load-zero-point", tensor, f"has zero point {point}", f"{low} to {high}")


def one_type(site: Site) -> Reason | None:
    """There are no kernels from one type to another."""
    first, *others = site.values()
    for other in others:
        if other.dtype != first.dtype:
            takes = f"the type of {site.called(first)}, {first.dtype}"
            return site.about("load-type", other, f"is {other.dtype}", takes)
    return None


def one_quantization(site: Site) -> Reason | None:
    """Values are moved, not scaled."""
    first, *others = site.values()
    for other in others:
        if other.dtype in EIGHT_BITS and pair(other) != pair(first):
            takes = f"{pair_in_words(first)} as {site.called(first)}"
            return site.about("load-quantization", other, f"has {pair_in_words(other)}", takes)
    return None


def broadcastable(site: Site) -> Reason | None:
    """Dimensions from the last on are equal, or one of them is 1."""
    first, second = site.values()[:2]
    pairs = zip(reversed(first.shape), reversed(second.shape), strict=False)
    if all(a == b or 1 in {a, b} for a, b in pairs):
        return None
    takes = f"shapes that broadcast with {list(first.shape)}"
    return site.about("load-shape", second, f"has shape {list(second.shape)}", takes)


_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_CLAMPS = frozenset({"MAXIMUM", "MINIMUM"})
_ACTIVATIONS = frozenset({"RELU", "RELU6", "RELU_N1_TO_1"})


def range_with_zero(site: Site) -> Reason | None:
    """Zero is in the range to which one number clamps a convolution, whose activation XNNPACK makes of it."""
    known = _number(site, site.op)
    if known is None or site.op.name not in _CLAMPS or not _follows_a_convolution(site):
        return None
    tensor, number = known
    if number <= 0 if site.op.name == "MAXIMUM" else number >= 0:
        return None
    word = "0 or less" if site.op.name == "MAXIMUM" else "0 or more"
    return site.about("load-clamp", tensor, f"is {number:g} after a convolution", word)


def _number(site: Site, op: Op) -> tuple[Tensor, float] | None:
    """The op's constant operand of one float, with its value."""
    constants = [site.graph.tensors[index] for index in op.inputs if 0 <= index < len(site.graph.tensors)]
    for tensor in constants:
        if tensor.dtype == "float32" and tensor.elements == 1 and tensor.constant is not None:
            return tensor, float(tensor.values().ravel()[0])
    return None


def _follows_a_convolution(site: Site) -> bool:
    """Nothing but activations and other clamps stand between, each read once."""
    op: Op | None = site.op
    for _ in site.graph.ops:
        before = [site.producers[index] for index in op.inputs if index in site.producers] if op is not None else []
        op = before[0] if len(before) == 1 else None
        if op is None or op.name in _CONVOLUTIONS:
            return op is not None and not _is_pointwise(site, op)
        if op.name not in _ACTIVATIONS and (op.name not in _CLAMPS or _number(site, op) is None):
            return False
    return False


def _is_pointwise(site: Site, op: Op) -> bool:
    """Its kernel is a product of matrices, which takes every range (tried)."""
    window = site.graph.tensors[op.inputs[1]].shape[1:3] if len(op.inputs) > 1 else ()
    return op.name == "CONV_2D" and window == (1, 1) and op.options.get("stride_h") == op.options.get("stride_w") == 1


def distinct_axes(site: Site) -> Reason | None:
    """Each axis once, and one that is there; else the file loads, or not, but never runs."""
    axes, rank = site["axes"].values().ravel().tolist(), len(site["input"].shape)
    places = {axis + rank if axis < 0 else axis for axis in axes}
    if len(places) == len(axes) and places <= set(range(rank)):
        return None
    return site.about("load-axes", site["axes"], f"holds {axes}", f"each axis of {rank} once")


def inner_axes(site: Site) -> Reason | None:
    """Axes that are there; one may come twice."""
    axes, rank = site["axes"].values().ravel().tolist(), len(site["input"].shape)
    if all(-rank <= axis < rank for axis in axes):
        return None
    return site.about("load-axes", site["axes"], f"holds {axes}", f"axes of {rank}")


def even_parts(site: Site) -> Reason | None:
    """Parts of one size."""
    source, count = site["input"], int(site.option("num_splits"))
    axis = int(site["axis"].values().ravel()[0])
    extent = source.shape[axis] if -len(source.shape) <= axis < len(source.shape) else 0
    if extent and extent % count == 0:
        return None
    return site.about("load-shape", source, f"has {extent} along dimension {axis}", f"multiples of {count}")


def whole_groups(site: Site) -> Reason | None:
    """The input's channels are a multiple of the filter's depth."""
    channels, depth = site["input"].shape[3], site["filter"].shape[3]
    if channels % depth == 0:
        return None
    return site.about(
        "load-shape", site["filter"], f"has depth {depth}", f"a divisor of {channels}, the input's channels"
    )


def multiplied_channels(site: Site) -> Reason | None:
    """The filter has ``depth_multiplier`` channels for each of the input's."""
    wanted = site["input"].shape[3] * int(site.option("depth_multiplier"))
    if site["filter"].shape[3] == wanted:
        return None
    return site.about("load-shape", site["filter"], f"has {site['filter'].shape[3]} channels", f"{wanted}")


def split_count(site: Site) -> Reason | None:
    """The delegate reads past its outputs otherwise, and crashes."""
    count, outputs = int(site.option("num_splits")), len(site.op.outputs)
    if count == outputs:
        return None
    message = f"num_splits is {count}, and there are {outputs} outputs; the engine crashes on it"
    return site.reason("engine-crash", message, count, outputs)


def channels_of_blocks(site: Site) -> Reason | None:
    """Channels are a multiple of the square of ``block_size``."""
    source, block = site["input"], int(site.option("block_size"))
    if source.shape[3] % block**2 == 0:
        return None
    return site.about("load-shape", source, f"has {source.shape[3]} channels", f"multiples of {block**2}")


def kind(site: Site, tensor: Tensor | None) -> str:
    """XNNPACK's name of a type: ``qs8`` and ``qs32`` have one scale, ``qc8``, ``qc32`` and ``qc4`` many."""
    if tensor is None:
        return "none"
    dtype = site.dtype(tensor)
    form = {"per_tensor": "s", "per_channel": "c", "blockwise": "b", "none": "?"}[stored_as(tensor)]
    names = {"float32": "f32", "float16": "f16", "uint8": "qu8"}
    return names.get(dtype, f"q{form}{dtype.removeprefix('int')}")


_PRODUCTS: frozenset[tuple[str, ...]] = frozenset(
    {
        ("f32", "f32", "f32", "f32"),
        ("f32", "f16", "f16", "f32"),
        ("qs8", "qs8", "qs32", "qs8"),
        ("qs8", "qc8", "qc32", "qs8"),
        ("qu8", "qu8", "qs32", "qu8"),
    }
)
_HYBRID = frozenset({("f32", kernel, "f32", "f32") for kernel in ("f16", "qs8", "qc8")})
_NARROW = frozenset({("f32", kernel, "f32", "f32") for kernel in ("qc4", "qb4")} | {("qs8", "qc4", "qc32", "qs8")})


_HALF: frozenset[tuple[str, ...]] = frozenset(
    {("f32", "f16", "f32", "f32"), ("f16", "f16", "f32", "f16"), ("f16", "f16", "f16", "f16")}
)
_ANY_BIAS: frozenset[tuple[str, ...]] = frozenset(
    {("qs8", "qs8", "qc32", "qs8"), ("qs8", "qc8", "qs32", "qs8"), ("f32", "qs4", "f32", "f32")}
)


def product_types(site: Site) -> Reason | None:
    """Types of input, filter, bias and output for which there is a kernel; an absent bias fits all."""
    return _kernel_for(site, frozenset())


def half_products(site: Site) -> Reason | None:
    """Likewise, with float16 weights and any float bias."""
    return _kernel_for(site, _HALF)


def any_bias_products(site: Site) -> Reason | None:
    """Likewise, and it does not matter whether weights and bias both have one scale or many."""
    return _kernel_for(site, _HALF | _ANY_BIAS)


def _kernel_for(site: Site, more: frozenset[tuple[str, ...]]) -> Reason | None:
    found = tuple(kind(site, site.find(name)) for name in ("input", "filter", "bias", "output"))
    known = _PRODUCTS | more
    known |= _HYBRID if site.op.name != "DEPTHWISE_CONV_2D" else frozenset()
    known |= _NARROW if site.op.name == "FULLY_CONNECTED" else frozenset()
    if any(all(f in {k, "none"} for f, k in zip(found, candidate, strict=True)) for candidate in known):
        return None
    message = f"input, filter, bias and output are {', '.join(found)}, a mixture for which XNNPACK has no kernel"
    return site.reason("load-type", message, ", ".join(found), "a mixture that has a kernel")


def filter_zero_point(site: Site) -> Reason | None:
    """Kernels leave the zero point of int8 weights out."""
    kernel = site["filter"]
    if kernel.dtype != "int8" or kernel.quantization is None or pair(kernel)[1] == 0:
        return None
    if site["input"].dtype == "float32":
        return None
    return site.about("load-zero-point", kernel, f"has zero point {pair(kernel)[1]}", "0")


def requantization(site: Site) -> Reason | None:
    """Scale of input times scale of filter over scale of output must stay below 256 in every channel."""
    source, kernel, result = site["input"], site["filter"], site["output"]
    if result.dtype not in EIGHT_BITS or kernel.quantization is None:
        return None
    with np.errstate(all="ignore"):
        products = np.float32(pair(source)[0]) * np.array(kernel.quantization.scale, np.float32)
        worst = float(np.max(products / np.float32(pair(result)[0])))
    if worst < 256:
        return None
    message = (
        f"scales of {site.called(source)} and {site.called(kernel)} multiply to {worst:g} times that of "
        f"{site.called(result)}, XNNPACK takes less than 256"
    )
    return site.reason("load-requantization", message, f"{worst:g}", "less than 256", result)


def image(site: Site) -> Reason | None:
    """Batch, height, width and at least one channel; further dimensions are not looked at."""
    source = site["input"]
    if len(source.shape) >= 4 and source.shape[3]:
        return None
    return site.about("load-shape", source, f"has shape {list(source.shape)}", "four dimensions with channels")


def classes(site: Site) -> Reason | None:
    """At least one value to choose from."""
    source = site["input"]
    if not source.shape or source.shape[-1]:
        return None
    return site.about("load-shape", source, f"has shape {list(source.shape)}", "a last dimension of 1 or more")


def joined_axis(site: Site) -> Reason | None:
    """The first input has the dimension along which all are joined."""
    axis, first = int(site.option("axis")), site["input"]
    if -len(first.shape) <= axis < len(first.shape):
        return None
    return site.about("load-shape", first, f"has rank {len(first.shape)}", f"inputs with a dimension {axis}")


def permutation(site: Site) -> Reason | None:
    """Each dimension once. The delegate reads int32 whatever the type is, and does not compare with the input."""
    order, rank = site["permutation"], site["permutation"].elements
    data = order.constant if order.constant is not None else np.empty(0, np.uint8)
    found = [int(word) for word in data[: data.size // 4 * 4].view(np.int32)][:rank]
    if sorted(word % rank for word in found) == list(range(rank)):
        return None
    return site.about("load-axes", order, f"holds {found}", f"each of {rank} dimensions once")


def batch_matmul_kernels(site: Site) -> Reason | None:
    """No kernel for uint8, and one type of input and result."""
    first, second, result = site["first input"], site["second input"], site["output"]
    if first.dtype == "uint8":
        return site.about("load-type", first, "is uint8", "float32 or int8")
    if result.dtype != first.dtype:
        return site.about("load-type", result, f"is {result.dtype}", f"the type of the first input, {first.dtype}")
    return next((_hollow(site, tensor) for tensor in (first, second) if 0 in tensor.shape), None)


def batch_matmul_arithmetic(site: Site) -> Reason | None:
    """Likewise; float32 by int8 packs the second input, which must be constant."""
    first, second = site["first input"], site["second input"]
    if first.dtype != second.dtype and not second.is_stored and second.index not in site.unpacked:
        return site.about("load-constant", second, "is computed at run time", "a constant int8 under a float32 input")
    return batch_matmul_kernels(site)


def _hollow(site: Site, tensor: Tensor) -> Reason:
    return site.about("load-shape", tensor, f"has shape {list(tensor.shape)}", "dimensions of 1 or more")


_CHECKS: tuple[Callable[[Site], Reason | None], ...] = (
    one_type, one_quantization, broadcastable, distinct_axes, split_count, channels_of_blocks, product_types,
    filter_zero_point, requantization, batch_matmul_arithmetic, positive_width, image, classes, joined_axis,
    permutation, inner_axes, even_parts, whole_groups, multiplied_channels, half_products, any_bias_products,
    batch_matmul_kernels, range_with_zero,
)  # fmt: skip
LOAD_CHECKS: dict[str, Check] = {check.__name__: check for check in _CHECKS}
