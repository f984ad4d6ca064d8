"""Our schema facts against the accessor module that the installed engine ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.artifact.schema import Field, parse_schema, schema
from tests.core.artifact.schema_oracle import schema_lines

pytestmark = pytest.mark.runtime


@pytest.fixture(scope="module")
def shipped() -> object:
    import ai_edge_litert as engine

    source = Path(engine.__file__).parent / "schema_py_generated.py"
    return parse_schema("\n".join(schema_lines(source.read_text())))


def test_every_table_of_the_engine_is_a_prefix_of_ours(shipped: object) -> None:
    ours = schema().tables
    for name, fields in shipped.tables.items():  # type: ignore[attr-defined]
        assert list(ours[name][: len(fields)]) == list(fields), name


def test_every_enum_value_of_the_engine_is_ours(shipped: object) -> None:
    for name, members in shipped.enums.items():  # type: ignore[attr-defined]
        assert members.items() <= schema().enums[name].items(), name


def test_every_kind_that_a_field_names_exists() -> None:
    scalars = {"bool", "string", "union", "deprecated", *(f"{s}{n}" for s in ("int", "uint") for n in (8, 16, 32, 64))}
    known = scalars | {"float32", "float64"} | set(schema().tables)
    fields: list[Field] = [field for fields in schema().tables.values() for field in fields]
    assert {field.kind for field in fields} <= known
    assert {field.union for field in fields if field.union} <= set(schema().enums)
