"""Which delegate a session runs on: a pure function of a policy, candidates in order, and facts of each attempt.

``POLICY.md`` beside this file states the rules in words, ``tests/vectors/policy.json`` in cases, for the Java wrapper
as well. Nothing here opens, measures or reads anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from edge_sdk.errors import PolicyError, nearest

Accelerator = Literal["cpu", "gpu", "npu", "dsp"]
Rule = Literal["require", "prefer", "allow", "forbid"]
Pick = Literal["first", "fastest"]
Reason = Literal[
    "forbidden", "not-required", "unavailable", "placement-unknown", "ops-on-cpu", "too-many-partitions",
    "too-few-macs", "wrong-results", "too-slow", "slower", "not-tried",
]  # fmt: skip
"""Why a candidate was not taken; see ``POLICY.md``."""


@dataclass(frozen=True)
class Policy:
    """What a session may run on, and what it must reach there.

    Attributes:
        cpu: rule for the accelerator: ``require`` (nothing but the required ones will do), ``prefer`` (tried first),
            ``allow`` (in the profile's order) or ``forbid``. Forbidding the CPU asks that no op is left to it.
        gpu: likewise.
        npu: likewise.
        dsp: likewise.
        max_partitions: of the graph, on accelerators other than the CPU.
        min_mac_share: share of multiply-accumulates that must run on the accelerator, 0 to 1.
        max_latency_ms: what one run may take, measured here when the model is opened.
        min_sqnr_db: what every output must reach in the self-test; None takes the default for the arithmetic.
        self_test: False admits a delegate whose results nobody looked at; the receipt says so.
        pick: the first candidate that is admitted, or the fastest of all that are.
    """

    cpu: Rule = "allow"
    gpu: Rule = "allow"
    npu: Rule = "allow"
    dsp: Rule = "allow"
    max_partitions: int | None = None
    min_mac_share: float | None = None
    max_latency_ms: float | None = None
    min_sqnr_db: float | None = None
    self_test: bool = True
    pick: Pick = "first"

    def __post_init__(self) -> None:
        for name in get_args(Accelerator):
            _one_of(name, getattr(self, name), get_args(Rule))
        _one_of("pick", self.pick, get_args(Pick))
        _at_least("max_partitions", self.max_partitions, 1)
        _at_least("max_latency_ms", self.max_latency_ms, 0)
        _at_least("min_mac_share", self.min_mac_share, 0)
        if self.min_mac_share is not None and self.min_mac_share > 1:
            raise PolicyError(f"policy: min_mac_share: expected 0 to 1, got {self.min_mac_share:g}")

    def rule(self, accelerator: str) -> Rule:
        """The rule for an accelerator."""
        found: Rule = getattr(self, accelerator)
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain data, read back by :func:`policy_from`."""
        return asdict(self)


@dataclass(frozen=True)
class Facts:
    """What one attempt showed.

    Attributes:
        unavailable: why it could not be opened; all else is then void.
        ops: of the main subgraph.
        delegated: how many of them the delegate took; None where unknown.
        partitions: None where unknown.
        mac_share: 0 to 1; None where unknown.
        self_test: None where it was not made.
        run_ms: one run, the median of a few; None where none was made.
    """

    unavailable: str | None = None
    ops: int = 0
    delegated: int | None = None
    partitions: int | None = None
    mac_share: float | None = None
    self_test: Literal["passed", "failed"] | None = None
    run_ms: float | None = None


@dataclass(frozen=True)
class Decision:
    """What to do next: try a candidate, take one, or (neither) refuse.

    Attributes:
        next: name of the candidate to attempt now.
        chosen: name of the candidate to take.
        reasons: of every other candidate that is settled, in the candidates' order.
    """

    next: str | None
    chosen: str | None
    reasons: Mapping[str, Reason]


def decide(policy: Policy, candidates: Sequence[tuple[str, Accelerator]], facts: Mapping[str, Facts]) -> Decision:
    """The next step, from what is known so far.

    Args:
        policy: the contract.
        candidates: names with the accelerator that each runs on, in the order of the user or the profile.
        facts: of the candidates that were attempted, by name.
    """
    order, ruled_out = _order(policy, candidates)
    reasons: dict[str, Reason] = dict(ruled_out)
    admitted: list[str] = []
    for name, accelerator in order:
        if admitted and policy.pick == "first":
            reasons[name] = "not-tried"
            continue
        if name not in facts:
            return Decision(name, None, _sorted(reasons, candidates))
        reason = objection(policy, accelerator, facts[name])
        if reason is None:
            admitted.append(name)
        else:
            reasons[name] = reason
    chosen = fastest(admitted, facts)
    reasons |= {name: "slower" for name in admitted if name != chosen}
    return Decision(None, chosen, _sorted(reasons, candidates))


def objection(policy: Policy, accelerator: Accelerator, facts: Facts) -> Reason | None:
    """The first thing that keeps an attempted candidate out, None if it is admitted."""
    if facts.unavailable is not None:
        return "unavailable"
    placed = _placement_objection(policy, facts) if accelerator != "cpu" else None
    if placed is not None:
        return placed
    if facts.self_test == "failed":
        return "wrong-results"
    if policy.max_latency_ms is not None and (facts.run_ms is None or facts.run_ms > policy.max_latency_ms):
        return "too-slow"
    return None


def policy_from(given: Policy | str | Mapping[str, Any] | None) -> Policy:
    """A policy from itself, from plain data, or from text such as ``npu=require,min_mac_share=0.9``.

    Raises:
        PolicyError: an unknown key, or a value of another kind.
    """
    if isinstance(given, Policy):
        return given
    if isinstance(given, str):
        given = dict(_word(part) for part in given.split(",") if part.strip())
    known = {one.name: one for one in fields(Policy)}
    values = {}
    for key, value in (given or {}).items():
        if key not in known:
            raise PolicyError(f"policy: unknown key `{key}`{nearest(key, known)}", hint=f"keys: {', '.join(known)}")
        values[key] = _value(key, value)
    return Policy(**values)


def _order(
    policy: Policy, candidates: Sequence[tuple[str, Accelerator]]
) -> tuple[list[tuple[str, Accelerator]], dict[str, Reason]]:
    required = {name for name in get_args(Accelerator) if policy.rule(name) == "require"}
    out: dict[str, Reason] = {}
    for name, accelerator in candidates:
        if policy.rule(accelerator) == "forbid":
            out[name] = "forbidden"
        elif required and accelerator not in required:
            out[name] = "not-required"
    left = [one for one in candidates if one[0] not in out]
    return sorted(left, key=lambda one: policy.rule(one[1]) != "prefer"), out


def _placement_objection(policy: Policy, facts: Facts) -> Reason | None:
    if policy.cpu == "forbid" and facts.delegated != facts.ops:
        return "placement-unknown" if facts.delegated is None else "ops-on-cpu"
    if policy.max_partitions is not None and (facts.partitions is None or facts.partitions > policy.max_partitions):
        return "placement-unknown" if facts.partitions is None else "too-many-partitions"
    if policy.min_mac_share is not None and (facts.mac_share is None or facts.mac_share < policy.min_mac_share):
        return "placement-unknown" if facts.mac_share is None else "too-few-macs"
    return None


def fastest(admitted: Sequence[str], facts: Mapping[str, Facts]) -> str | None:
    """Of several the one with the shortest run, the first of equals; one that was not timed comes last."""

    def took(name: str) -> float:
        run_ms = facts[name].run_ms
        return float("inf") if run_ms is None else run_ms

    return min(admitted, key=took, default=None)


def _sorted(reasons: Mapping[str, Reason], candidates: Sequence[tuple[str, Accelerator]]) -> dict[str, Reason]:
    return {name: reasons[name] for name, _ in candidates if name in reasons}


def _word(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise PolicyError(f"policy: `{text.strip()}`: expected KEY=VALUE", hint="such as npu=require,max_latency_ms=20")
    return key.strip(), value.strip()


def _value(key: str, value: Any) -> Any:
    """The value in the type of its field, from text where it is one."""
    kinds = {"max_partitions": int, "min_mac_share": float, "max_latency_ms": float, "min_sqnr_db": float}
    if key == "self_test" and isinstance(value, str):
        return _one_of(key, value, ("on", "off")) == "on"
    if key == "self_test" and not isinstance(value, bool):
        raise PolicyError(f"policy: self_test: expected on or off, got {value!r}")
    if key not in kinds or value is None:
        return value
    if key == "max_partitions" and isinstance(value, float) and not value.is_integer():
        raise PolicyError(f"policy: {key}: expected a whole number, got {value:g}")
    try:
        return kinds[key](value)
    except (TypeError, ValueError):
        raise PolicyError(f"policy: {key}: expected a number, got {value!r}") from None


def _one_of(key: str, value: Any, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise PolicyError(
            f"policy: {key}: expected {', '.join(allowed)}, got {value!r}{nearest(str(value), allowed)}",
            hint="such as npu=require,max_latency_ms=20",
        )
    return str(value)


def _at_least(key: str, value: float | None, least: int) -> None:
    if value is not None and not value >= least:
        raise PolicyError(f"policy: {key}: expected {least} or more, got {value:g}")
