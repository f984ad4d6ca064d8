"""One rule set for many versions of an engine: what it says for one of them."""

from __future__ import annotations

from dataclasses import replace

from edge_sdk.checks.placement.rules import Form, OpRule, RuleSet


def nearest_engine(rules: RuleSet, version: str | None) -> str | None:
    """The newest engine of the data that is not newer than ``version``; the oldest for one that is older than all.

    None where the rules do not tell engines apart.
    """
    if not rules.engines or version is None:
        return rules.engine
    older = [engine for engine in rules.engines if order(engine) <= order(version)]
    return older[-1] if older else rules.engines[0]


def at_engine(rules: RuleSet, version: str | None) -> RuleSet:
    """The rules of one engine, without what is there for others."""
    engine = nearest_engine(rules, version)
    if engine is None:
        return rules
    types = {name: tuple(form for form in forms if _holds(form, engine)) for name, forms in rules.types.items()}
    kept = tuple(_changed(rule, engine) for rule in rules.rules if not rule.since or order(rule.since) <= order(engine))
    return replace(rules, types=types, rules=kept, engine=engine)


def order(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 2.10 comes after 2.9; what is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def _holds(form: Form, engine: str) -> bool:
    begun = form.since is None or order(form.since) <= order(engine)
    return begun and (form.until is None or order(engine) < order(form.until))


def _changed(rule: OpRule, engine: str) -> OpRule:
    for change in rule.changes:
        if order(change.since) <= order(engine):
            also = rule.also if change.also is None else change.also
            to_load = rule.to_load if change.to_load is None else change.to_load
            rule = replace(rule, also=also, to_load=to_load)
    return replace(rule, changes=())
