"""References of models whose number of rows depends on data: the source's own rows, and padding behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.counts import PADDING, Padded
from edge_sdk.errors import ConversionError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays


def padded(own: Arrays, outputs: Sequence[Padded]) -> Arrays:
    """What a file with padded rows shall give.

    Args:
        own: the source's outputs, with as many rows as there are.
        outputs: those of them that are padded.

    Returns:
        The outputs, with padding behind the source's own rows, and the counts.

    Raises:
        ConversionError: the source has more rows than the file can hold, or outputs of one count have several.
    """
    made = dict(own)
    for one in outputs:
        rows = own[one.name].shape[one.axis] if own[one.name].ndim > one.axis else -1
        before = made.get(one.count)
        if not 0 <= rows <= one.extent or (before is not None and int(before) != rows):
            raise ConversionError(
                f"output `{one.name}` is {list(own[one.name].shape)} in the source; axis {one.axis} has padding up to "
                f"{one.extent} in the file, and `{one.count}` is {before if before is not None else rows}",
                tool="padding",
                hint="return the rows as they are chosen, and do what follows outside the model",
            )
        made[one.count] = np.array(rows, np.int64)
        made[one.name] = _filled(own[one.name], one)
    return made


def _filled(own: npt.NDArray[Any], one: Padded) -> npt.NDArray[Any]:
    ends = [(0, one.extent - own.shape[one.axis] if axis == one.axis else 0) for axis in range(own.ndim)]
    return np.pad(own, ends, constant_values=PADDING.get(own.dtype.name, 0 if own.dtype.kind == "f" else -1))


def padded_finding(outputs: Sequence[Padded]) -> Finding:
    """What the report says of outputs of one count.

    Args:
        outputs: those outputs.
    """
    names = "`, `".join(one.name for one in outputs)
    one = outputs[0]
    return Finding(
        "rows-padded",
        "info",
        f"`{names}`: as many rows as the data says, and a tensor of TFLite has a known shape: in the file there are "
        f"{one.extent}, as many as there can be at most; the first of them, as many as output `{one.count}` says, are "
        "the source's, the others hold 0 (-1 in whole numbers) and are not to be read",
        one.count,
    )


def padded_findings(outputs: Sequence[Padded]) -> list[Finding]:
    """One for each count."""
    counts = dict.fromkeys(one.count for one in outputs)
    return [padded_finding([one for one in outputs if one.count == count]) for count in counts]
