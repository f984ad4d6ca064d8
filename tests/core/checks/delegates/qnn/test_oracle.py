"""QNN's own placement is ours: ops of each kind, type, rank and option side by side, and small networks.

The rules were read from these answers, so this test holds them against the next version of the compiler; networks, and
the probes that were written for XNNPACK, are what they were not read from.
"""

from __future__ import annotations

import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from tests.core.checks.delegates.qnn.compiler import parts, taken
from tests.core.checks.delegates.qnn.probes import FAMILIES, file_of
from tests.core.checks.delegates.xnnpack import FAMILIES as ONE_OP

pytestmark = pytest.mark.qualcomm


@pytest.fixture(autouse=True)
def rules_are_of_this_compiler() -> None:
    if f"onnxruntime-qnn {parts().qnn}" not in rule_set("qnn_htp").source.file:
        pytest.skip(f"the rules are those of {rule_set('qnn_htp').source.file}")


def test_each_op_in_each_type_and_rank() -> None:
    compared, kept, different = 0, 0, []
    for family in FAMILIES.values():
        probes = list(family())
        content = file_of(probes)
        theirs, ours = taken(content), place_by("qnn_htp", parse_artifact(content).main)
        assert theirs is not None
        for place, probe in enumerate(probes):
            compared, kept = compared + 1, kept + (place not in theirs)
            if (place in theirs) == (place in ours.refused):
                different.append(f"{probe.label}: {ours.refused.get(place, 'taken')}")
    assert not different, "\n".join(different)
    # Both answers must be there in number, or agreement proves nothing.
    assert compared > 1600
    assert min(kept, compared - kept) > 500


def test_small_networks() -> None:
    """At least 98 % of the ops of files that the rules were not read from."""
    files, ops, different = 0, 0, []
    for family in ("models", "graphs"):
        for label, content in ONE_OP[family]():
            theirs = taken(content)
            # One that it refuses as a whole, as for variables, has no placement to agree with.
            if theirs is None:
                continue
            graph = parse_artifact(content).main
            ours = place_by("qnn_htp", graph)
            files, ops = files + 1, ops + len(graph.ops)
            for op in graph.ops:
                if (op.index in theirs) == (op.index in ours.refused):
                    reason = ours.refused.get(op.index)
                    different.append(f"{label} {op.name}: {reason.message if reason else 'ours takes it'}")
    assert files >= 20
    assert len(different) <= 0.02 * ops, "\n".join([f"{len(different)} of {ops}", *different])
