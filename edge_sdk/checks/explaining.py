"""What a rule id means, why it matters and what to do, read from ``explanations/*.toml``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from edge_sdk.checks.placement.rule_sets import rule_set
from edge_sdk.profile.rule_sets import rule_set_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "findings": "a conclusion about a file on a device",
        "placement": "why a delegate leaves an op outside",
        "loading": "why a file does not load once a delegate has claimed an op",
        "lint": "a mistake in a file, whatever the device",
        "conversion": "what a conversion, comparison or bundle says of model, data and file",
        "measuring": "why a measurement is INVALID",
        "apk": "what is wrong in an Android app",
    }
)
"""File of explanations to what its rules are."""


@dataclass(frozen=True)
class Explanation:
    """One rule in plain words; ``sources`` name where it was read or measured."""

    rule: str
    kind: str
    means: str
    why: str
    do: str
    sources: tuple[str, ...]


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every rule that a command can name, by its id; sorted."""
    found = {one.rule: one for kind in KINDS for one in _read(kind)}
    return MappingProxyType(dict(sorted(found.items())))


def _read(kind: str) -> Iterator[Explanation]:
    text = resources.files("edge_sdk.checks.explanations").joinpath(f"{kind}.toml").read_text(encoding="utf-8")
    for rule, entry in tomllib.loads(text).items():
        source = entry.get("source")
        sources = (source,) if source else _of_rule_sets() if kind == "placement" else (_of_rule_set("xnnpack"),)
        yield Explanation(rule, kind, entry["means"], entry["why"], entry["do"], sources)


@cache
def _of_rule_sets() -> tuple[str, ...]:
    return tuple(_of_rule_set(name) for name in rule_set_names())


def _of_rule_set(name: str) -> str:
    source = rule_set(name).source
    return f"{name}: {source.file}, {source.version}"
