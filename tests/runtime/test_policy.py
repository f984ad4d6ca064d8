"""The policy: cases shared with the Java wrapper, and what a policy may be written as."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any, get_args

import pytest

from edge_sdk.errors import PolicyError
from edge_sdk.runtime.policy import Decision, Facts, Policy, Reason, decide, policy_from

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "policy.json").read_text())["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_shared_case(case: dict[str, Any]) -> None:
    facts = {name: Facts(**values) for name, values in case["facts"].items()}
    decision = decide(policy_from(case["policy"]), [tuple(one) for one in case["candidates"]], facts)
    assert decision == Decision(case["next"], case["chosen"], case["reasons"])
    assert list(decision.reasons) == [name for name, _ in case["candidates"] if name in case["reasons"]]


def test_shared_cases_are_many_and_show_every_reason() -> None:
    assert len(VECTORS) >= 60
    assert {reason for case in VECTORS for reason in case["reasons"].values()} == set(get_args(Reason))


def test_walk_ends_with_every_candidate_settled() -> None:
    """Whatever the policy and the facts: at most one attempt each, then one is chosen or all have a reason."""
    generator = random.Random(0)
    candidates: list[tuple[str, Any]] = [("a", "npu"), ("b", "gpu"), ("c", "dsp"), ("xnnpack", "cpu"), ("cpu", "cpu")]
    outcomes = set()
    for rules in itertools.product(("require", "prefer", "allow", "forbid"), repeat=4):
        limits = {"min_mac_share": generator.choice([None, 0.5]), "max_latency_ms": generator.choice([None, 5.0])}
        pick = generator.choice(["first", "fastest"])
        policy = policy_from({**dict(zip(("cpu", "gpu", "npu", "dsp"), rules, strict=True)), **limits, "pick": pick})
        facts: dict[str, Facts] = {}
        while (step := decide(policy, candidates, facts)).next is not None:
            assert step.next not in facts
            assert policy.rule(dict(candidates)[step.next]) != "forbid"
            facts[step.next] = _any_facts(generator)
        settled = set(step.reasons) | ({step.chosen} if step.chosen else set())
        assert settled == {name for name, _ in candidates}
        assert step.chosen not in step.reasons
        assert step.chosen is None or facts[step.chosen].unavailable is None
        outcomes.add(step.chosen)
    assert outcomes == {"a", "b", "c", "xnnpack", "cpu", None}


def _any_facts(generator: random.Random) -> Facts:
    share = generator.choice([None, 0.2, 0.5, 1.0])
    return Facts(
        unavailable=generator.choice([None, None, "no driver"]),
        ops=10,
        delegated=None if share is None else round(10 * share),
        partitions=None if share is None else generator.choice([1, 4]),
        mac_share=share,
        self_test=generator.choice(["passed", "passed", "failed"]),
        run_ms=generator.choice([1.0, 5.0, 6.0]),
    )


def test_policy_reads_text_mappings_and_itself() -> None:
    written = "npu=require, cpu=forbid,min_mac_share=0.9,max_partitions=3,max_latency_ms=20,self_test=off,pick=fastest"
    policy = Policy(
        npu="require",
        cpu="forbid",
        min_mac_share=0.9,
        max_partitions=3,
        max_latency_ms=20.0,
        self_test=False,
        pick="fastest",
    )
    assert policy_from(written) == policy == policy_from(policy) == policy_from(policy.as_json())
    assert policy_from(None) == policy_from("") == policy_from({}) == Policy()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("npu", "`npu`: expected KEY=VALUE"),
        ("npi=require", "unknown key `npi`, did you mean `npu`"),
        ("npu=required", "npu: expected require, prefer, allow, forbid, got 'required', did you mean `require`"),
        ("max_partitions=two", "max_partitions: expected a number, got 'two'"),
        ("max_partitions=0", "max_partitions: expected 1 or more, got 0"),
        ({"max_partitions": 2.5}, "max_partitions: expected a whole number, got 2.5"),
        ("min_mac_share=1.5", "min_mac_share: expected 0 to 1, got 1.5"),
        ("min_mac_share=-1", "min_mac_share: expected 0 or more"),
        ("min_mac_share=nan", "min_mac_share: expected 0 or more, got nan"),
        ("max_latency_ms=-1", "max_latency_ms: expected 0 or more"),
        ({"max_latency_ms": [1]}, "max_latency_ms: expected a number"),
        ("self_test=maybe", "self_test: expected on, off"),
        ({"self_test": 1}, "self_test: expected on or off, got 1"),
        ("pick=best", "pick: expected first, fastest"),
    ],
)
def test_ill_formed_policy_is_one_clear_error(given: Any, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        policy_from(given)
