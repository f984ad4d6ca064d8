"""What users import, and what importing costs."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys

import pytest

import edge_sdk
from edge_sdk.cli import COMMANDS
from edge_sdk.converters.lower import LOWERINGS
from edge_sdk.converters.quantize import QUANTIZERS
from edge_sdk.converters.sources.source import FRONT_ENDS
from edge_sdk.recipe import find_recipe, recipe_names


def test_every_public_name_exists_and_is_documented() -> None:
    assert edge_sdk.__all__ == ["__version__", *sorted(edge_sdk.__all__[1:])]
    for name in edge_sdk.__all__[1:]:
        assert inspect.getdoc(getattr(edge_sdk, name)), name
    assert set(edge_sdk.__all__) <= set(dir(edge_sdk))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute `convrt`"):
        _ = edge_sdk.convrt


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("edge_sdk", set()),
        ("edge_sdk.cli", set()),
        ("edge_sdk.errors", set()),
        ("edge_sdk.bundle.reading", set()),
        ("edge_sdk.converters", {"numpy", "cattrs"}),
    ],
)
def test_import_is_light(module: str, allowed: set[str]) -> None:
    heavy = "{'numpy', 'cattrs', 'tensorflow', 'keras', 'torch', 'onnx', 'ai_edge_litert', 'cryptography'}"
    script = f"import sys, {module}; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= allowed


@pytest.mark.parametrize("reference", [*COMMANDS.values(), *FRONT_ENDS.values(), *QUANTIZERS.values()])
def test_every_table_entry_resolves(reference: str) -> None:
    assert pkgutil.resolve_name(reference) is not None


def test_tables_are_complete() -> None:
    from pathlib import Path

    from edge_sdk.converters import sources

    folder = Path(sources.__file__).parent
    listed = {reference.split(":")[0].rpartition(".")[2] for reference in FRONT_ENDS.values()}
    assert listed == {path.stem for path in folder.glob("from_*.py")}
    assert {find_recipe(name).mode for name in recipe_names()} == {*QUANTIZERS, "float"}
    assert set(LOWERINGS) == {"direct", "onnx2tf", "litert-torch"}
