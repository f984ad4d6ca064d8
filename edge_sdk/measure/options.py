"""What a user may ask of a benchmark besides models, delegates, threads and the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from edge_sdk.data.opening import Data
    from edge_sdk.measure.machine import Machine
    from edge_sdk.profile.records import DeviceProfile
    from edge_sdk.runtime.policy import Policy


class BenchmarkOptions(TypedDict, total=False):
    """Keyword arguments of ``benchmark``; all may be left out. What is not explained is as for ``Session.open``."""

    data: Data | None
    """What to run on: the first sample of it. Left out: a bundle's golden inputs, else seeded ones."""
    ops: bool
    """Profile ops as well, in runs of their own, where the engine can."""
    machine: Machine | None
    """For tests: other clocks, another file system."""
    profile: str | Path | DeviceProfile | None
    policy: Policy | str | Mapping[str, Any] | None
    engine: str | None
    variant: str | None
    signature: str | None
    calls: Sequence[str]
    """Signatures to call in order: one query is then all of them, state kept in between."""
    cache_dir: str | Path | None
    keep_state: bool
    trusted_keys: Sequence[str | Path | bytes]
