"""Scales of 16 bits beside the powers of two, where TFLite's kernels of ADD and SUB leave the usual way.

Where both operands and the result have such scales, as all that reaches from -1 to 1 has (2^-15), the kernel takes an
older form that knows shifts alone, and aborts where one operand of an ADD is broadcast (coordinates of ``grid_sample``;
measured on ai-edge-litert 2.1.0). A range wider by a few thousandths avoids it, at 0.03 dB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from edge_sdk.engines.observe import Observation

_LARGEST = 32767
# The kernel's own test is a thousandth of a power.
_NEAR, _WIDER = 2e-3, 1.003


def off_powers(observations: Mapping[int, Observation]) -> dict[int, Observation]:
    """Ranges, wider where their scale of 16 bits would be a power of two to TFLite."""
    return {index: _off(one) for index, one in observations.items()}


def _off(seen: Observation) -> Observation:
    largest = max(abs(seen.minimum), abs(seen.maximum))
    if not 0 < largest < math.inf:
        return seen
    power = math.log2(largest / _LARGEST)
    if abs(power - round(power)) > _NEAR:
        return seen
    return replace(seen, minimum=seen.minimum * _WIDER, maximum=seen.maximum * _WIDER)
