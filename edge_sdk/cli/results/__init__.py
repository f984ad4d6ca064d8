"""The form of what each command prints under ``--json``: a JSON Schema, made from the types of its result.

``edge-sdk COMMAND --json-schema`` prints it, ``docs/reference`` lists it, and tests hold every result against it. It is
made where it is asked for: a file of it could be older than the code.
"""

from __future__ import annotations

import json
import pkgutil
from importlib import resources
from typing import Any

_SHAPES = "edge_sdk.cli.results.shapes"
RESULTS: dict[str, tuple[str, ...]] = {
    "convert": (
        "edge_sdk.converters.reports.conversion:ConversionReport",
        f"{_SHAPES}:Conversions",
        f"{_SHAPES}:ConvertedBundle",
    ),
    "optimize": ("edge_sdk.converters.search.records:Result",),
    "sweep": ("edge_sdk.converters.search.sweep.sweeping:SweepResult",),
    "inspect": (f"{_SHAPES}:Inspected", f"{_SHAPES}:InspectedSource", f"{_SHAPES}:InspectedBundle"),
    "check": (
        "edge_sdk.checks.verdict:CheckReport",
        f"{_SHAPES}:CheckedBundle",
        f"{_SHAPES}:Predicted",
        "edge_sdk.checks.explaining:Explanation",
        f"{_SHAPES}:Explanations",
    ),
    "compare": ("edge_sdk.converters.comparing:Comparison",),
    "compose": ("edge_sdk.converters.composing.compose:Composed",),
    "compile": ("edge_sdk.converters.compilers.compiling:Compiled",),
    "bundle create": ("edge_sdk.bundle.report:BundleReport",),
    "bundle inspect": (f"{_SHAPES}:InspectedBundle",),
    "bundle verify": ("edge_sdk.bundle.verifying:Verified",),
    "bundle keygen": (f"{_SHAPES}:Keys",),
    "run": (f"{_SHAPES}:Ran",),
    "benchmark": ("edge_sdk.measure.records:Benchmark", f"{_SHAPES}:Benchmarks"),
    "report": (f"{_SHAPES}:PageWritten", f"{_SHAPES}:FilesWritten"),
    "profiles list": (f"{_SHAPES}:Profiles",),
    "profiles show": ("edge_sdk.profile.records:DeviceProfile",),
    "profiles validate": (f"{_SHAPES}:Faults",),
    "profiles detect": (f"{_SHAPES}:Draft",),
    "devices list": (f"{_SHAPES}:Devices",),
    "devices prepare": ("edge_sdk.devices.prepare:Prepared", f"{_SHAPES}:Removed"),
    "devices calibrate": ("edge_sdk.checks.timing.table:Table",),
    "devices translate": ("edge_sdk.measure.translating:Translation",),
    "android build": ("edge_sdk.android.building:BuildReport",),
    "android check": ("edge_sdk.android.checking:ApkReport",),
    "android install": ("edge_sdk.android.driving:Installed",),
    "android benchmark": ("edge_sdk.measure.records:Benchmark",),
    "recipes": (f"{_SHAPES}:Recipes", "edge_sdk.recipe:Recipe"),
    "doctor": ("edge_sdk.doctor:Diagnosis",),
    "demo": (f"{_SHAPES}:Demo",),
}
"""Command to the forms of its result, each as ``module:type``; a command and a line add one."""


def schema_of(command: str) -> dict[str, Any]:
    """The schema (draft 2020-12) of every object that a command prints under ``--json``, failures included.

    Args:
        command: its words, such as ``bundle create``.
    """
    from edge_sdk.cli.results.schema import Schemas

    schemas = Schemas()
    results = [schemas.of(pkgutil.resolve_name(name)) for name in RESULTS[command]]
    failure = failure_schema()
    definitions = {**schemas.definitions, "Failure": {k: v for k, v in failure.items() if k != "$schema"}}
    return {
        "$schema": failure["$schema"],
        "title": f"edge-sdk {command} --json",
        "anyOf": [*results, {"$ref": "#/$defs/Failure"}],
        "$defs": dict(sorted(definitions.items())),
    }


def failure_schema() -> dict[str, Any]:
    """The form of every failure, ``edge_sdk/errors/schema.json``."""
    found: dict[str, Any] = json.loads(resources.files("edge_sdk.errors").joinpath("schema.json").read_bytes())
    return found
