"""What a page shows of a file beyond its numbers: errors of results, values of the worst, samples that flipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_sdk.checks.timeline import Timeline


@dataclass(frozen=True)
class Flip:
    """A sample of which the file says another class than the source.

    Attributes:
        sample: its place among the samples compared.
        output: name of the output.
        reference: the source's class, an index.
        candidate: the file's.
        lost: by how much the source preferred its own class over the file's, in units of the output.
        picture: the input as PNG in base64, its values from least to largest; None where it is no image.
    """

    sample: int
    output: str
    reference: int
    candidate: int
    lost: float
    picture: str | None = None


@dataclass(frozen=True)
class OpAlone:
    """Microseconds of a run of one op of the main subgraph, alone in a file of its own."""

    op: int
    us: float


@dataclass(frozen=True)
class Details:
    """Looked at only where a page is wanted. Results were measured on TFLite's own kernels.

    Attributes:
        timeline: the file's ops in execution order.
        tensors: results of the file against the float file's, as ``TensorParity.as_json`` has them; where one at a time
            was rounded the worst first, with their ``module`` and ``alone_db``: the outputs' SQNR in dB when that op
            alone is rounded and all else stays in float (emulated), null where it was not tried.
        modules: of the source, the worst first: ``module``, the number of its ``ops``, and ``alone_db`` of all of them.
        tensor_samples: samples they were taken on.
        histograms: of the worst of them, as ``Histogram.as_json`` has them.
        flips: the gravest samples with another class.
        flipped: how many there are.
        op_times: of the ops with the most multiply-accumulates, measured here one by one; empty where not timed.
    """

    timeline: Timeline
    tensors: tuple[Mapping[str, Any], ...] = ()
    tensor_samples: int = 0
    histograms: tuple[Mapping[str, Any], ...] = ()
    flips: tuple[Flip, ...] = ()
    flipped: int = 0
    op_times: tuple[OpAlone, ...] = ()
    modules: tuple[Mapping[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **vars(self),
            "timeline": asdict(self.timeline),
            "flips": [vars(flip) for flip in self.flips],
            "op_times": [vars(one) for one in self.op_times],
        }
