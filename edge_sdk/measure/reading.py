"""A result file read back: the inverse of ``Benchmark.as_json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cattrs
from cattrs.errors import BaseValidationError

from edge_sdk.errors import MeasurementError
from edge_sdk.measure.records import Benchmark


def read_benchmark(data: Mapping[str, Any], where: str) -> Benchmark:
    """A benchmark as records.

    Args:
        data: as ``edge-sdk benchmark --json`` prints it.
        where: it comes from, for messages.

    Raises:
        MeasurementError: it is of another form.
    """
    converter = cattrs.Converter(forbid_extra_keys=True)
    try:
        return converter.structure(data, Benchmark)
    except (BaseValidationError, ValueError, TypeError, KeyError) as error:
        faults = "; ".join(cattrs.transform_error(error)) if isinstance(error, BaseValidationError) else str(error)
        raise MeasurementError(f"{where}: this is no benchmark result of this version: {faults}") from error
