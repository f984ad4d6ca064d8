"""References of models whose number of rows depends on data: the source's own rows, and padding behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ConversionError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays


def padded(own: Arrays, whole: Arrays, counts: Sequence[str]) -> Arrays:
    """What a file with padded rows shall give.

    Args:
        own: the source's outputs, with as many rows as there are.
        whole: the same outputs of the model that pads them, and its counts.
        counts: their names.

    Returns:
        Each output as large as the padded one: its first rows are the source's own, whatever the model that pads
        computes there.

    Raises:
        ConversionError: an output of the source is no beginning of the padded one.
    """
    made = {name: _filled(name, values, np.array(whole[name])) for name, values in own.items()}
    return {**made, **{name: whole[name] for name in counts}}


def _filled(name: str, own: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[Any]:
    differing = [axis for axis, (a, b) in enumerate(zip(own.shape, whole.shape, strict=False)) if a != b]
    fits = own.ndim == whole.ndim and all(own.shape[axis] <= whole.shape[axis] for axis in differing)
    if not fits or len(differing) > 1:
        raise ConversionError(
            f"output `{name}` is {list(own.shape)} in the source and {list(whole.shape)} with rows padded behind "
            "NonMaxSuppression: its rows are not those that were kept",
            tool="padding",
            hint="return the boxes that NonMaxSuppression keeps, and do what follows outside the model",
        )
    whole[tuple(slice(extent) for extent in own.shape)] = own
    return whole


def padded_finding(count: str, node: str) -> Finding:
    """What the report says of a NonMaxSuppression.

    Args:
        count: name of the output with the number of rows.
        node: in words.
    """
    return Finding(
        "rows-padded",
        "info",
        "keeps as many rows as the data says, and a tensor of TFLite has a known shape: what it gives has as many rows "
        f"as it can keep at most; the first of them, as many as output `{count}` says, are the source's, the others "
        "have -1 for an index and are not to be read",
        node,
    )
