"""Every rule id with what ``edge-sdk check --explain`` says of it."""

from __future__ import annotations

from itertools import groupby

from escaping import escaped

from edge_sdk.checks.explaining import KINDS, Explanation, explanations


def page() -> str:
    """By kind, each rule under a heading that is its id."""
    lines = ["# Rules", "", "What a `[rule]` in a report means; `edge-sdk check --explain RULE` says the same.", ""]
    found = sorted(explanations().values(), key=lambda one: (list(KINDS).index(one.kind), one.rule))
    for kind, group in groupby(found, key=lambda one: one.kind):
        lines += [f"## {kind}: {KINDS[kind]}", ""]
        for rule in group:
            lines += _rule(rule)
    return "\n".join(lines)


def _rule(rule: Explanation) -> list[str]:
    parts = (("Means", rule.means), ("Why it matters", rule.why), ("What to do", rule.do))
    sources = " ".join(f"`{source.replace('`', '')}`" for source in rule.sources)
    return [
        f"### {rule.rule}",
        "",
        *(f"**{name}.** {escaped(text)}\n" for name, text in parts),
        f"Read in: {sources}\n",
    ]
