"""What XNNPACK and its delegate keep of a partition besides weights and values: records of operators, nodes, tensors.

Sizes are those of LiteRT v2.1.0 (XNNPACK 77468446ebfd) on a 64-bit machine, seen block for block with a traced
``malloc`` on x86-64.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_sdk.checks.delegates.xnnpack.blocks import aligned_block, bucket_block, grown_block, heap_block
from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels
from edge_sdk.checks.delegates.xnnpack.nodes import Node, Values
from edge_sdk.checks.placement.partition import Partition

# ``struct xnn_operator``, one of ``compute_parameters``, ``xnn_convolution_operator``, and what a subgraph keeps.
_OPERATOR, _COMPUTE, _SHAPE, _VALUE, _NODE, _RUNTIME = 496, 88, 224, 160, 240, 96
_TABLE, _PHASE, _SCRATCH = 256, 72, 40
_INDEX = 4
# Blocks of an operator: those of plain ``malloc``, and those with values for vector registers.
_RECORDS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": ((_COMPUTE, _SHAPE), ()),
        "BATCH_MATMUL": ((3 * _COMPUTE,), (288, 672)),
        "CONV_2D": ((3 * _COMPUTE, _SHAPE), (264, 408)),
        "DEPTHWISE_CONV_2D": ((3 * _COMPUTE, _SHAPE), (264, 336)),
        "FULLY_CONNECTED": ((2 * _COMPUTE, _SHAPE), (288, 672)),
        "MAX_POOL_2D": ((_COMPUTE, _SHAPE), ()),
        **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), ((_COMPUTE, _SCRATCH), (272,))),
        "SOFTMAX": ((_COMPUTE,), ()),
        "TRANSPOSE_CONV": ((3 * _COMPUTE, _SHAPE, 4 * _PHASE), (264,)),
    }
)
# Size of a record that lists kernels to what it has more where there is one for each kind of core.
_PER_CORE: Mapping[int, int] = MappingProxyType({264: 1280, 288: 1280, 408: 16, 672: 16})
_BINARY = frozenset({"ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "POW", "PRELU", "SQUARED_DIFFERENCE", "SUB"})
# What the delegate keeps of each partition whatever is in it: its own object, parameters, empty lists.
_PARTITION = sum(map(heap_block, (248, 64, 4, 4)))
_LINK = heap_block(24)


def record_bytes(part: Partition, values: Values, kernels: CpuKernels) -> int:
    """All of one partition."""
    runtime = sum(map(heap_block, (_RUNTIME, values.defined_values * _VALUE, len(values.nodes) * _NODE)))
    return runtime + _delegate(part, values) + sum(_operators(node, kernels) for node in values.nodes)


def _delegate(part: Partition, values: Values) -> int:
    """``xnnpack_delegate.cc`` and ``TfLiteDelegateParams``: lists of ops and tensors, and links to each tensor."""
    lists = (len(part.ops), len(part.ops), len(part.inputs), len(part.outputs))
    links = values.tensors + values.crossing + len(part.outputs)
    ends = sum(grown_block(_INDEX, len(tensors)) for tensors in (part.inputs, part.outputs))
    maps = ends + bucket_block(values.tensors) + bucket_block(values.crossing)
    return _PARTITION + maps + sum(heap_block(_INDEX + _INDEX * count) for count in lists) + _LINK * links


def _operators(node: Node, kernels: CpuKernels) -> int:
    """A concatenation copies once for each input, a split once for each output."""
    count = {"CONCATENATION": len(node.inputs), "SPLIT": len(node.outputs)}.get(node.name, 1)
    plain, aligned = _RECORDS.get(node.name, ((_COMPUTE, _SCRATCH) if node.name in _BINARY else (2 * _COMPUTE,), ()))
    table = heap_block(_TABLE) if node.is_table else 0
    sizes = (_OPERATOR, *(size + (_PER_CORE.get(size, 0) if kernels.per_core else 0) for size in aligned))
    blocks = sum(map(heap_block, plain)) + sum(aligned_block(size, kernels.alignment) for size in sizes)
    return table + count * blocks
