"""The published JSON Schema of results; ``python -m edge_sdk.measure.schema`` writes it from the records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sdk.errors import ModelError
from edge_sdk.measure.records import SCHEMA, Benchmark
from edge_sdk.profile.schema import schema_text
from edge_sdk.records import RecordError, read_record

PATH = Path(__file__).parent / "schema.json"


def read_benchmark(table: Mapping[str, Any], where: str = "") -> Benchmark:
    """A result from what its JSON holds, whoever wrote it.

    Args:
        table: the JSON.
        where: it comes from, for messages.

    Raises:
        ModelError: it is not in the form of the schema; every fault with its path.
    """
    what = f"{where}: not a benchmark result" if where else "not a benchmark result"
    if table.get("schema") != SCHEMA:
        raise ModelError(f"{what}: `schema` is {table.get('schema')!r}, expected {SCHEMA!r}")
    try:
        return read_record(Benchmark, table)
    except RecordError as error:
        raise ModelError(f"{what}: {error}") from error


def load_benchmark(path: Path) -> Benchmark:
    """A result from its file, as ``edge-sdk benchmark -o`` writes it.

    Raises:
        ModelError: it cannot be read, or is none.
    """
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else f"it is not JSON: {error}"
        raise ModelError(f"{path}: cannot be read: {what}") from error
    if not isinstance(table, dict):
        raise ModelError(f"{path}: not a benchmark result: expected an object, got {type(table).__name__}")
    return read_benchmark(table, str(path))


if __name__ == "__main__":
    PATH.write_text(schema_text(Benchmark), encoding="utf-8")
