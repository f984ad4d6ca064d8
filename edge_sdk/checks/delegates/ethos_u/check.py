"""An Ethos-U delegate judged: by Vela where it is installed, by our own rules where it is not, and never silently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Subgraph
from edge_sdk.checks.delegates.ethos_u.vela import PACKAGE, compile_for_ethos_u, vela_version
from edge_sdk.checks.delegates.ethos_u.vela_answer import VelaAnswer, VelaOp
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.site import Reason
from edge_sdk.checks.verdict import DelegateCheck
from edge_sdk.errors import ConversionError
from edge_sdk.findings import Finding
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


def ethos_u_findings(delegates: Sequence[DelegateCheck]) -> Iterator[Finding]:
    """What a user of an Ethos-U must know beyond the placement."""
    for delegate in delegates:
        if delegate.rules in RULES:
            where = f"{delegate.rules} on {delegate.accelerator}"
            yield from _about_vela(delegate, where)
            yield from _about_sram(delegate, where)
            if delegate.ops and (delegate.vela.takes_nothing if delegate.vela else not delegate.claimed):
                yield _takes_nothing(delegate, where)


def _about_vela(delegate: DelegateCheck, where: str) -> Iterator[Finding]:
    if delegate.vela_failure:
        hint = "the device needs a file that Vela has compiled; what is said of this delegate is by our own rules"
        yield Finding("vela-fails", "error", delegate.vela_failure, where, hint)
    elif delegate.vela is None:
        message = f"{PACKAGE} is not installed: predicted by our own rules, without cycles and SRAM"
        message = message if vela_version() is None else "not asked Vela, for the file was not read from a path"
        yield Finding("vela-not-asked", "info", message, where, "pip install 'edge-sdk[ethos-u]'")
    elif delegate.vela_differs:
        ops = ", ".join(map(str, delegate.vela_differs[:8]))
        message = f"our rules place ops {ops} otherwise than {PACKAGE} {delegate.vela.version}, whose word counts"
        yield Finding("rules-differ-from-vela", "info", message, where)


def _about_sram(delegate: DelegateCheck, where: str) -> Iterator[Finding]:
    if delegate.vela is None or delegate.on_chip_bytes is None:
        return
    needed, limit, mode = delegate.vela.sram_bytes, delegate.on_chip_bytes, delegate.vela.memory_mode
    if needed > limit:
        message = f"needs {needed / 1024:.1f} KiB of SRAM in Vela's plan ({mode}), the device has {limit / 1024:.0f}"
        yield Finding("npu-sram-over", "error", message, where, "a smaller input, or Vela with --optimise Size")


def _takes_nothing(delegate: DelegateCheck, where: str) -> Finding:
    first = delegate.obstacles[0].first.message if delegate.obstacles else "no op of the file is for an NPU"
    said = " (Vela itself ends with success and writes a file)" if delegate.vela else ""
    message = f"not one op runs on the NPU{said}: {first}"
    return Finding("npu-takes-nothing", "error", message, where, "convert with recipe int8_only, or --profile")
