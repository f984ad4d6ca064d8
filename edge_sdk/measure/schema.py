"""The published JSON Schema of results; ``python -m edge_sdk.measure.schema`` writes it from the records."""

from __future__ import annotations

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


if __name__ == "__main__":
    PATH.write_text(schema_text(Benchmark), encoding="utf-8")
