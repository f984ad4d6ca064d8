"""What a device's own limits and a delegate's default options take away from what the rules allow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.checks.on_device import place_on_device
from edge_sdk.profile.records import Delegate
from tests.graphs import Graph

GPU = Delegate("gpu", "gpu_v2", "gpu", ("float16",))


def chain(*names: str, dtype: str = "float32") -> Subgraph:
    """Ops of one input and one output, one after the other."""
    graph = Graph()
    scale = [0.1] if dtype == "int8" else None
    tensors = [graph.tensor(f"t{place}", (1, 4, 4, 8), dtype, scale=scale) for place in range(len(names) + 1)]
    for place, name in enumerate(names):
        graph.op(name, tensors[place : place + 1], tensors[place + 1 : place + 2])
    return parse_artifact(graph.finish(tensors[:1], tensors[-1:])).main


def test_gpu_keeps_only_its_largest_partition() -> None:
    placement = place_on_device(chain("RELU", "CEIL", "RELU", "TANH", "CEIL", "TANH"), GPU)
    assert placement.claimed == (2, 3)
    assert placement.refused[0].rule == placement.refused[5].rule == "partition-not-kept"
    assert "one of the smaller of 3 partitions; by default the GPU delegate keeps the 1 largest" in str(
        placement.refused[0].message
    )
    assert placement.refused[1].rule == "op-not-handled"


def test_nothing_is_lost_where_there_is_one_partition() -> None:
    placement = place_on_device(chain("RELU", "TANH", "CEIL"), GPU)
    assert placement.claimed == (0, 1)
    assert set(placement.refused) == {2}


def test_nnapi_keeps_three_partitions() -> None:
    nnapi = Delegate("nnapi", "nnapi", "npu", ("int8",), nnapi_feature_level=31)
    names = ["RELU", "CEIL"] * 3 + ["TANH", "TANH", "CEIL", "RELU"]
    placement = place_on_device(chain(*names), nnapi)
    assert placement.claimed == (0, 2, 6, 7)


@pytest.mark.parametrize(("names", "claimed"), [(("TANH", "CEIL"), ()), (("TANH", "LOGISTIC", "CEIL"), (0, 1))])
def test_hexagon_takes_no_op_alone(names: tuple[str, ...], claimed: tuple[int, ...]) -> None:
    hexagon = Delegate("external", "hexagon", "dsp", ("int8",))
    placement = place_on_device(chain(*names, dtype="int8"), hexagon)
    assert placement.claimed == claimed
    if not claimed:
        assert placement.refused[0].rule == "partition-too-small"


def test_limits_of_the_device_come_before_the_choice_of_partitions() -> None:
    flat = replace(GPU, max_rank=3)
    placement = place_on_device(chain("RELU", "TANH"), flat)
    assert placement.claimed == ()
    assert {reason.rule for reason in placement.refused.values()} == {"device-rank"}
