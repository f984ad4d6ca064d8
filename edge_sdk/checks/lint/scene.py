"""What lint rules look at, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.dtypes import READABLE
from edge_sdk.artifact.model import Artifact, Op, Quantization, Subgraph, Tensor
from edge_sdk.findings import Finding, Severity

EIGHT_BITS = frozenset({"int8", "uint8"})
INTEGERS = frozenset({"int8", "uint8", "int16", "int32"})
LEVELS = 256
LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int4": (-8, 7)}
)


@dataclass(frozen=True)
class LintFinding(Finding):
    """A finding about one place in a file.

    ``op`` and ``tensor`` are indices in subgraph ``subgraph``, None where the finding is not about one; ``found`` is
    the value and ``limit`` what it should be. ``share`` orders findings: of the file's MACs, or of its bytes, 0 to 1.
    """

    subgraph: int = 0
    op: int | None = None
    tensor: int | None = None
    found: str = ""
    limit: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Mark:
    """What a rule found in one place; the rule's id and hint are added to it."""

    severity: Severity
    message: str
    op: Op | None = None
    tensor: Tensor | None = None
    found: str = ""
    limit: str = ""
    share: float = 0.0
    where: str = ""


@dataclass(frozen=True)
class Scene:
    """One subgraph, with who makes and who reads each tensor."""

    artifact: Artifact
    graph: Subgraph
    producers: Mapping[int, Op] = field(repr=False)
    readers: Mapping[int, tuple[Op, ...]] = field(repr=False)

    @property
    def is_main(self) -> bool:
        """Whether this is the subgraph that an interpreter runs."""
        return self.graph.index == 0

    @cached_property
    def file_macs(self) -> int:
        """Multiply-accumulates of the whole file, 1 or more."""
        return max(1, sum(macs(graph, op) for graph, op in self.artifact.all_ops()))

    def share(self, *ops: Op) -> float:
        """Share of the file's MACs that these ops have."""
        return sum(macs(self.graph, op) for op in ops) / self.file_macs

    def tensor(self, indices: tuple[int, ...], place: int) -> Tensor | None:
        """The tensor at a place of an op's inputs or outputs; None where there is none."""
        return self.graph.tensors[indices[place]] if place < len(indices) and indices[place] >= 0 else None

    def readers_of(self, tensor: Tensor) -> tuple[Op, ...]:
        """Ops that read it, in order."""
        return self.readers.get(tensor.index, ())

    def is_output(self, tensor: Tensor) -> bool:
        """Whether the caller gets it, by the subgraph's outputs or by a signature."""
        return tensor.index in self._outputs

    @cached_property
    def _outputs(self) -> frozenset[int]:
        named = (s for s in self.artifact.signatures if s.subgraph == self.graph.index)
        return frozenset(self.graph.outputs) | {t.index for signature in named for t in signature.outputs.values()}


Check = Callable[[Scene], Iterator[Mark]]


@dataclass(frozen=True)
class Rule:
    """One line of a family's table. ``whole_file`` rules are asked once, of the main subgraph."""

    id: str
    check: Check
    hint: str
    whole_file: bool = False


def scene_of(artifact: Artifact, graph: Subgraph) -> Scene:
    """A subgraph ready to be looked at."""
    return Scene(artifact, graph, graph.makers, graph.readers)


def values_of(tensor: Tensor | None) -> npt.NDArray[Any] | None:
    """A constant's values; None where it is not constant, packed, sparse, or of another size than its shape."""
    if tensor is None or tensor.constant is None or tensor.is_sparse or tensor.dtype not in READABLE:
        return None
    return tensor.values() if tensor.constant.nbytes == tensor.size_bytes else None


def one_scale(tensor: Tensor | None) -> Quantization | None:
    """The quantization of a tensor of 8 or 16 bits with one usable scale."""
    if tensor is None or tensor.quantization is None or tensor.dtype not in LIMITS or tensor.blockwise:
        return None
    quantization = tensor.quantization
    fits = not quantization.per_channel and quantization.scale[0] > 0 and np.isfinite(quantization.scale[0])
    return quantization if fits else None


def representable(tensor: Tensor) -> tuple[float, float] | None:
    """The smallest and the largest real value that a tensor with one scale can hold."""
    quantization = one_scale(tensor)
    if quantization is None:
        return None
    low, high = LIMITS[tensor.dtype]
    return tuple((edge - quantization.zero_point[0]) * quantization.scale[0] for edge in (low, high))  # type: ignore[return-value]


def named(tensor: Tensor) -> str:
    """The tensor's name in a message, or its index."""
    return f"`{tensor.name or tensor.index}`"
