"""An Ethos-U delegate judged: by Vela where it is installed, by our own rules where it is not, and never silently."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Subgraph
from edge_sdk.checks.delegates.ethos_u.vela import compile_for_ethos_u, vela_version
from edge_sdk.checks.delegates.ethos_u.vela_answer import VelaAnswer, VelaOp
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.site import Reason
from edge_sdk.errors import ConversionError
from edge_sdk.profile.records import Delegate

RULES = frozenset({"ethos_u", "ethos_u85"})


def ask_vela(artifact: Artifact, delegate: Delegate) -> tuple[VelaAnswer | None, str]:
    """Vela's answer for the delegate's hardware, or the words with which it failed; neither where it is not installed.

    A file that was not read from a path cannot be asked about: an artifact does not keep its bytes.
    """
    if delegate.rules not in RULES or delegate.variant is None or artifact.path is None or vela_version() is None:
        return None, ""
    try:
        return compile_for_ethos_u(artifact.path.read_bytes(), delegate.variant).answer, ""
    except ConversionError as error:
        return None, str(error)


def as_vela_places(graph: Subgraph, ours: Placement, answer: VelaAnswer) -> Placement:
    """Vela's placement in place of ours; where both keep an op on the CPU, our reason stays, with Vela's words."""
    kept = {op.index: _reason(op, ours.refused.get(op.index)) for op in answer.ops if op.target == "cpu"}
    claimed = tuple(op.index for op in graph.ops if op.index not in kept)
    return replace(ours, claimed=claimed, refused=MappingProxyType(kept))


def _reason(op: VelaOp, ours: Reason | None) -> Reason:
    words = f"Vela keeps it on the CPU: {op.reason or 'it does not say why'}"
    if ours is None:
        return Reason("vela-cpu", words, op.index, op.name, "CPU", "NPU")
    # Ours names the limit already; of Vela's words what it found is enough.
    found = op.reason.partition("; ")[0]
    return replace(ours, message=f"{ours.message}; Vela: {found}" if found else ours.message)


def differing_ops(ours: Placement, answer: VelaAnswer) -> tuple[int, ...]:
    """Ops that our rules place otherwise than Vela does; those that it took out of the graph are no difference."""
    gone = {op.index for op in answer.ops if op.target == "absorbed"}
    return tuple(sorted((set(ours.refused) - gone) ^ set(answer.on_cpu)))
