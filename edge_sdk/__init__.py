"""edge-sdk: models to TFLite files that are proven to compute what their source computes, and to fit a device.

Names are loaded on first use: ``import edge_sdk`` costs nothing, and the core needs no ML toolchain.
"""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

from edge_sdk.version import __version__

if TYPE_CHECKING:
    from edge_sdk.artifact import Artifact as Artifact
    from edge_sdk.artifact import read_artifact as read_artifact
    from edge_sdk.bundle.creating import create_bundle as create_bundle
    from edge_sdk.bundle.reading import Bundle as Bundle
    from edge_sdk.bundle.reading import open_bundle as open_bundle
    from edge_sdk.bundle.verifying import verify_bundle as verify_bundle
    from edge_sdk.checks.checking import check as check
    from edge_sdk.converters import Options as Options
    from edge_sdk.converters import Workers as Workers
    from edge_sdk.converters import convert as convert
    from edge_sdk.converters import convert_all as convert_all
    from edge_sdk.converters.bundling import convert_bundle as convert_bundle
    from edge_sdk.converters.comparing import compare as compare
    from edge_sdk.converters.search.optimizing import optimize as optimize
    from edge_sdk.converters.search.records import Budgets as Budgets
    from edge_sdk.converters.search.records import Limits as Limits
    from edge_sdk.data.images import ImageOptions as ImageOptions
    from edge_sdk.errors import EdgeSdkError as EdgeSdkError
    from edge_sdk.measure.benchmarking import benchmark as benchmark
    from edge_sdk.measure.records import Benchmark as Benchmark
    from edge_sdk.profile.reading import find_profile as find_profile
    from edge_sdk.profile.reading import profile_names as profile_names
    from edge_sdk.profile.records import DeviceProfile as DeviceProfile
    from edge_sdk.recipe import Recipe as Recipe
    from edge_sdk.recipe import find_recipe as find_recipe
    from edge_sdk.recipe import recipe_names as recipe_names
    from edge_sdk.runtime import Deadline as Deadline
    from edge_sdk.runtime import MemoryBudget as MemoryBudget
    from edge_sdk.runtime import Policy as Policy
    from edge_sdk.runtime import Receipt as Receipt
    from edge_sdk.runtime import Runner as Runner
    from edge_sdk.runtime import Session as Session

_PUBLIC = {
    "Artifact": "edge_sdk.artifact:Artifact",
    "Benchmark": "edge_sdk.measure.records:Benchmark",
    "Budgets": "edge_sdk.converters.search.records:Budgets",
    "Bundle": "edge_sdk.bundle.reading:Bundle",
    "Deadline": "edge_sdk.runtime:Deadline",
    "DeviceProfile": "edge_sdk.profile.records:DeviceProfile",
    "EdgeSdkError": "edge_sdk.errors:EdgeSdkError",
    "ImageOptions": "edge_sdk.data.images:ImageOptions",
    "Limits": "edge_sdk.converters.search.records:Limits",
    "MemoryBudget": "edge_sdk.runtime:MemoryBudget",
    "Options": "edge_sdk.converters:Options",
    "Policy": "edge_sdk.runtime:Policy",
    "Receipt": "edge_sdk.runtime:Receipt",
    "Recipe": "edge_sdk.recipe:Recipe",
    "Runner": "edge_sdk.runtime:Runner",
    "Session": "edge_sdk.runtime:Session",
    "Workers": "edge_sdk.converters:Workers",
    "benchmark": "edge_sdk.measure.benchmarking:benchmark",
    "check": "edge_sdk.checks.checking:check",
    "compare": "edge_sdk.converters.comparing:compare",
    "convert": "edge_sdk.converters:convert",
    "convert_all": "edge_sdk.converters:convert_all",
    "convert_bundle": "edge_sdk.converters.bundling:convert_bundle",
    "create_bundle": "edge_sdk.bundle.creating:create_bundle",
    "find_profile": "edge_sdk.profile.reading:find_profile",
    "find_recipe": "edge_sdk.recipe:find_recipe",
    "open_bundle": "edge_sdk.bundle.reading:open_bundle",
    "optimize": "edge_sdk.converters.search.optimizing:optimize",
    "profile_names": "edge_sdk.profile.reading:profile_names",
    "read_artifact": "edge_sdk.artifact:read_artifact",
    "recipe_names": "edge_sdk.recipe:recipe_names",
    "verify_bundle": "edge_sdk.bundle.verifying:verify_bundle",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - names of strings


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module `edge_sdk` has no attribute `{name}`")
    return pkgutil.resolve_name(_PUBLIC[name])


def __dir__() -> list[str]:
    return sorted(__all__)
