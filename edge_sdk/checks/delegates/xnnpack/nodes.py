"""What XNNPACK is told of a partition: its nodes, and the values that flow between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One operator of XNNPACK.

    Attributes:
        name: the op it comes from, or ``convert``, ``clamp``, ``reshape``, ``transpose``.
        inputs: ids of the values that it reads, constants left out.
        outputs: ids of those that it writes.
        in_place: whether its result may lie where an input of the same size lay.
        single: whether each result depends on one element of each input and on nothing else but a scalar.
        is_table: whether it looks its result up, which 8 bits in and out make possible.
        workspace_bytes: room that it needs while it runs.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    in_place: bool = False
    single: bool = False
    is_table: bool = False
    workspace_bytes: int = 0


@dataclass(frozen=True)
class Values:
    """What is defined of one partition.

    Attributes:
        nodes: in the order in which they run.
        inside: value to its bytes, for those that neither come from outside nor leave.
        unpacked_bytes: constants that are converted to float32 beforehand.
        defined_values: how many there were before rewriting; what describes them is kept for all.
        tensors: of the file, that are values here.
        crossing: those among them that come from outside or leave, constants left out.
    """

    nodes: tuple[Node, ...]
    inside: Mapping[int, int]
    unpacked_bytes: tuple[int, ...]
    defined_values: int
    tensors: int
    crossing: int
