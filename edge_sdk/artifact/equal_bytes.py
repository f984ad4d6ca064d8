"""Which of many constants hold the same bytes, without a hash of all of them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

_Kept = TypeVar("_Kept")
# Bytes from the front, and as many spread over the whole.
_LOOKED_AT = 64


class EqualBytes(Generic[_Kept]):
    """Constants seen so far.

    Two are compared whole only where length and some bytes agree: hashing weights takes as long as writing them.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, bytes, bytes], list[tuple[npt.NDArray[np.uint8], _Kept]]] = {}

    def first(self, values: npt.NDArray[Any], kept: _Kept) -> _Kept:
        """What was given with the first constant of these bytes: ``kept`` where it is this one.

        Args:
            values: contiguous, of any dtype and shape; not to be changed later.
            kept: whatever stands for it.
        """
        raw = values.reshape(-1).view(np.uint8)
        step = max(1, raw.size // _LOOKED_AT)
        like = self._seen.setdefault((raw.size, raw[:_LOOKED_AT].tobytes(), raw[::step].tobytes()), [])
        for other, found in like:
            if np.array_equal(raw, other):
                return found
        like.append((raw, kept))
        return kept
