"""What Qualcomm's compiler answers about files, asked here."""

from __future__ import annotations

from functools import cache

from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.excerpt import named_apart
from edge_sdk.converters.compilers.qualcomm import answer
from edge_sdk.converters.compilers.qualcomm.asking import ask
from edge_sdk.converters.compilers.qualcomm.libraries import Parts, find_parts
from edge_sdk.folders import temporary_folder

SOC = "SM8650"


@cache
def parts() -> Parts:
    return find_parts(None, "asking an oracle")


def taken(content: bytes) -> set[int] | None:
    """The ops of the main subgraph that it takes; None where it refuses the file as a whole."""
    with temporary_folder("oracle") as folder:
        said, made = ask(parts(), "partition", folder, content=named_apart(content), target=SOC)
    if said.status or not made:
        return None
    return set(answer.taken_ops(parse_artifact(content), made, said.text)[0])
