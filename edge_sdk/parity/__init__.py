"""Does the converted model compute what its source computes: errors per output, bounds with a reason, blame."""

from edge_sdk.parity.bounds import Bound, float_bound, measured_bound
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.parity.localize import TensorParity, compare_tensors

__all__ = [
    "Bound",
    "OutputParity",
    "ParityMeter",
    "TensorParity",
    "compare_tensors",
    "float_bound",
    "measured_bound",
]
