"""The truth about a file: what computes in which type, what is left over, what it needs to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_sdk.artifact.compute import ComputeType, compute_type, macs
from edge_sdk.artifact.model import Artifact, Op, Signature, Subgraph, Tensor
from edge_sdk.artifact.runtimes import RuntimeNeed, runtime_need
from edge_sdk.artifact.sound import formed


@dataclass(frozen=True)
class OpUse:
    """Ops of one kind that compute in one type."""

    op: str
    version: int
    compute: ComputeType
    count: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """Counts and sizes of one artifact.

    ``ops`` and ``macs`` map a compute type to a number of ops and to multiply-accumulates; ops inside control flow
    are counted once, however often they run. ``float_ops`` names every op that computes in float or hybrid
    arithmetic, by its result. ``weight_storage`` maps a dtype to bytes of constants.
    """

    uses: tuple[OpUse, ...]
    ops: Mapping[str, int]
    macs: Mapping[str, int]
    float_ops: tuple[str, ...]
    quantize_ops: int
    dequantize_ops: int
    weight_expansions: int
    transpose_ops: int
    subgraphs: int
    weights_bytes: int
    weight_storage: Mapping[str, int]
    per_channel_tensors: int
    stateful: bool
    runtime: RuntimeNeed

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(self.macs.values())

    @property
    def computing_ops(self) -> int:
        """Ops that compute: all but conversions between types, control flow and index bookkeeping."""
        return sum(n for kind, n in self.ops.items() if kind not in ("convert", "control", "integer"))

    def mac_share(self, compute: ComputeType) -> float:
        """Share of multiply-accumulates in this type, 0 to 1; 0 where the file has none."""
        return self.macs.get(compute, 0) / self.total_macs if self.total_macs else 0.0


def summarize(artifact: Artifact) -> Summary:
    """Reads the summary off an artifact.

    Raises:
        ModelError: an op is not formed as its kernel needs it.
    """
    with formed(artifact.path):
        return _summary(artifact)


def _summary(artifact: Artifact) -> Summary:
    counts: Counter[tuple[str, int, ComputeType]] = Counter()
    work: Counter[tuple[str, int, ComputeType]] = Counter()
    for graph, op in artifact.all_ops():
        key = (op.name, op.version, compute_type(graph, op))
        counts[key] += 1
        work[key] += macs(graph, op)
    uses = tuple(OpUse(*key, count=n, macs=work[key]) for key, n in sorted(counts.items(), key=_by_count))
    names = Counter(op.name for _, op in artifact.all_ops())
    expansions = sum(_expands_weights(g, op) for g, op in artifact.all_ops())
    return Summary(
        uses=uses,
        ops=_total(uses, "count"),
        macs=_total(uses, "macs"),
        float_ops=tuple(f"{op.name} {_result_name(g, op)}" for g, op in float_ops(artifact)),
        quantize_ops=names["QUANTIZE"],
        dequantize_ops=names["DEQUANTIZE"] - expansions,
        weight_expansions=expansions,
        transpose_ops=names["TRANSPOSE"],
        subgraphs=len(artifact.subgraphs),
        weights_bytes=artifact.weights_bytes,
        weight_storage=_weight_storage(artifact),
        per_channel_tensors=sum(_is_per_channel(t) for g in artifact.subgraphs for t in g.tensors),
        stateful=artifact.is_stateful,
        runtime=runtime_need(artifact),
    )


def float_ops(artifact: Artifact) -> list[tuple[Subgraph, Op]]:
    """Ops that compute in float or hybrid arithmetic; conversions at the boundary are not among them."""
    kinds = ("float32", "float16", "hybrid_int8")
    return [(graph, op) for graph, op in artifact.all_ops() if compute_type(graph, op) in kinds]


def signature_rows(signature: Signature) -> list[dict[str, Any]]:
    """Inputs, then outputs, as plain data: role, name, dtype, shape, scale and zero point."""
    rows = [("input", n, t) for n, t in signature.inputs.items()]
    rows += [("output", n, t) for n, t in signature.outputs.items()]
    return [_tensor_row(role, name, tensor) for role, name, tensor in rows]


def summary_as_json(artifact: Artifact, summary: Summary) -> dict[str, Any]:
    """Everything `inspect` shows, as plain data."""
    return {
        "path": str(artifact.path) if artifact.path else None,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "description": artifact.description,
        "signatures": [
            {"key": s.key, "subgraph": s.subgraph, "tensors": signature_rows(s)} for s in artifact.signatures
        ],
        "implicit_signature": artifact.implicit_signature,
        "ops": [vars(use) for use in summary.uses],
        "ops_by_compute": dict(summary.ops),
        "macs_by_compute": dict(summary.macs),
        "total_macs": summary.total_macs,
        "float_ops": list(summary.float_ops),
        "quantize_ops": summary.quantize_ops,
        "dequantize_ops": summary.dequantize_ops,
        "weight_expansions": summary.weight_expansions,
        "transpose_ops": summary.transpose_ops,
        "subgraphs": summary.subgraphs,
        "weights_bytes": summary.weights_bytes,
        "weight_storage_bytes": dict(summary.weight_storage),
        "per_channel_tensors": summary.per_channel_tensors,
        "stateful": summary.stateful,
        "minimum_runtime": summary.runtime.runtime,
        "minimum_runtime_because": [list(pair) for pair in summary.runtime.because],
        "metadata": {name: len(data) for name, data in artifact.metadata.items()},
        "unknown_fields": list(artifact.unknown),
    }


def _tensor_row(role: str, name: str, tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "role": role,
        "name": name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "scale": quantization.scale[0] if quantization else None,
        "zero_point": quantization.zero_point[0] if quantization else None,
    }


def _by_count(item: tuple[tuple[str, int, ComputeType], int]) -> tuple[int, str]:
    return -item[1], item[0][0]


def _total(uses: tuple[OpUse, ...], what: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for use in uses:
        total[use.compute] += getattr(use, what)
    return {kind: n for kind, n in total.most_common() if n}


def _result_name(graph: Subgraph, op: Op) -> str:
    results = graph.results(op)
    return results[0].name if results else f"#{op.index}"


def _expands_weights(graph: Subgraph, op: Op) -> bool:
    return op.name == "DEQUANTIZE" and graph.tensors[op.inputs[0]].constant is not None


def _weight_storage(artifact: Artifact) -> dict[str, int]:
    seen: dict[int, tuple[str, int]] = {}
    for graph in artifact.subgraphs:
        for tensor in graph.tensors:
            if tensor.constant is not None:
                seen[tensor.buffer] = (tensor.dtype, tensor.constant.nbytes)
    total: Counter[str] = Counter()
    for dtype, size in seen.values():
        total[dtype] += size
    return dict(total.most_common())


def _is_per_channel(tensor: Tensor) -> bool:
    return tensor.constant is not None and tensor.quantization is not None and tensor.quantization.per_channel
