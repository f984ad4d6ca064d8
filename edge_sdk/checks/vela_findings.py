"""What a user of an Ethos-U must know beyond the placement: what Vela said, or that it was not asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.checks.delegates.ethos_u.check import RULES
from edge_sdk.checks.delegates.ethos_u.vela import PACKAGE, vela_version
from edge_sdk.checks.verdict import DelegateCheck
from edge_sdk.findings import Finding


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
