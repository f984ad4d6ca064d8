"""The one thing about a .dex file that must be known here: whether it calls Java's lambda machinery.

Layout: the Dalvik executable format (source.android.com/docs/core/runtime/dex-format), ``map_list``.
"""

from __future__ import annotations

import struct

from edge_sdk.errors import ModelError

_MAP_OFFSET = 0x34
_CALL_SITES = 0x0007


def lambda_machinery(content: bytes) -> bool:
    """Whether the file has call sites: what ``invoke-custom`` needs.

    They bootstrap through ``LambdaMetafactory`` or ``StringConcatFactory``, which Android does not have.

    Raises:
        ModelError: not a .dex file, or a truncated one.
    """
    try:
        if content[:4] != b"dex\n":
            raise ModelError("not a .dex file")
        (begin,) = struct.unpack_from("<I", content, _MAP_OFFSET)
        (count,) = struct.unpack_from("<I", content, begin)
        kinds = [struct.unpack_from("<H", content, begin + 4 + 12 * index)[0] for index in range(count)]
    except struct.error as error:
        raise ModelError(f"the .dex file is truncated: {len(content)} bytes") from error
    return _CALL_SITES in kinds
