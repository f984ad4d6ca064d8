"""The rule sets that a profile's delegates may name: each file in ``device_profiles/rules``."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def rule_set_names() -> tuple[str, ...]:
    """Names of the built-in rule sets, sorted; reads no file."""
    names = [file.name for file in resources.files("edge_sdk.device_profiles.rules").iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))
