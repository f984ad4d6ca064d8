"""A quantizer that died: which op types it dies on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_sdk.converters.workers.worker import Worker
from edge_sdk.errors import ConversionError


def named_crash(error: ConversionError, worker: Worker, arguments: Mapping[str, Any]) -> ConversionError:
    """The error with the op types that kill the quantizer, where a second look finds them.

    Args:
        error: of the worker that died.
        worker: a new one of the same kind.
        arguments: that it died with.
    """
    kinds = worker.function(
        "edge_sdk.converters.quantize.static_range:find_crashing_ops", "looking for the op at fault", **arguments
    )
    if not kinds:
        return error
    return ConversionError(
        f"{error}; it dies on ops of type {', '.join(kinds)}",
        tool="tensorflow",
        log_tail=error.log_tail,
        hint=f"leave them in float: --keep-float-op '{'|'.join(kinds)}'",
    )
