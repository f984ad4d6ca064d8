"""Devices as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge_sdk.devices.listing import Looked
from edge_sdk.devices.prepare import Prepared

_MIB = 1 << 20


def list_text(found: Iterable[Looked]) -> str:
    """A block for each."""
    return "\n".join(line for one in found for line in _block(one))


def prepared_text(address: str, found: Prepared) -> str:
    """What lies there, and what did not fit."""
    lines = [f"{address} is ready: {found.engine} on {found.python}"]
    lines += [f"  wheel     {name}" for name in found.wheels]
    lines += [f"  its own   {name} {version}" for name, version in found.own.items()]
    lines += [f"  not taken {reason}" for reason in found.refused]
    lines.append(f"  folder    {found.folder}")
    return "\n".join(lines)


def _block(one: Looked) -> Iterator[str]:
    if one.error is not None or one.identity is None or one.space is None:
        yield f"{one.address}: {one.error}"
        if one.error is not None and one.error.hint:
            yield f"  hint      {one.error.hint}"
        return
    identity = one.identity
    libc = f", {identity.libc}" if identity.libc else ""
    yield f"{one.address}: {identity.model}"
    yield f"  system    {identity.system}, {identity.kernel}{libc}"
    yield f"  CPU       {identity.cpus} of {identity.arch}"
    yield f"  memory    {one.space.memory_bytes // _MIB:,} of {identity.memory_bytes // _MIB:,} MiB free"
    yield f"  storage   {one.space.storage_bytes // _MIB:,} MiB free for edge-sdk"
    if one.ready or one.not_ready:
        yield f"  edge-sdk  {one.ready or f'{one.not_ready}: {one.not_ready.hint if one.not_ready else None}'}"
