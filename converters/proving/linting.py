"""What ``check``'s lint says of a file that was just made: a rule once, at its worst place."""

from __future__ import annotations

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.lint.linting import lint
from edge_sdk.findings import Finding

# Told by `float-ops-left` where a source is quantized already, which says what to do there.
_OF_QUANTIZERS = frozenset({"conversion-pair", "float-island"})
_GRAVE = ("error", "warning")
# Ops in float that were not meant are told by `float-ops-left`.
_OF_ISLANDS = frozenset({"float-constants", "float-island", "int8-is-float"})
# What a quantizer hides: integers have no NaN.
_OF_THE_SOURCE = frozenset({"nan-constant"})
# What a quantizer of weights of 4 bits says itself, for each engine: `int4-outside-delegate`.
_SAID_BEFORE = frozenset({"int4-expanded", "int4-unpacked"})


def lint_findings(
    artifact: Artifact, lowered: Artifact, *, islands: bool = False, quantized: bool = False
) -> list[Finding]:
    """Errors and warnings of the lint, one for each rule, with the number of other places; `edge-sdk check` has all.

    Args:
        artifact: the file.
        lowered: the float file that it was made of.
        islands: whether ops in float between integers are meant, and told elsewhere.
        quantized: whether the source rounds itself, and said where.
    """
    elsewhere = _OF_THE_SOURCE | _SAID_BEFORE | (_OF_ISLANDS if islands else set())
    elsewhere |= _OF_QUANTIZERS if quantized else set()
    found = [finding for finding in lint(lowered) if finding.rule in _OF_THE_SOURCE]
    found += [finding for finding in lint(artifact) if finding.severity in _GRAVE and finding.rule not in elsewhere]
    worst = {finding.rule: finding for finding in reversed(found)}
    return [_told(worst[rule], sum(f.rule == rule for f in found) - 1) for rule in dict.fromkeys(f.rule for f in found)]


def _told(finding: Finding, others: int) -> Finding:
    more = f", and so in {others} more place{'s' * (others != 1)}" if others else ""
    return Finding(finding.rule, finding.severity, f"{finding.message}{more}", finding.where, finding.hint)
