"""What a user may ask of a session besides the model, the profile, the delegate and the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from edge_sdk.errors import PolicyError, nearest
from edge_sdk.runtime.load import Deadline
from edge_sdk.runtime.memory import MemoryBudget
from edge_sdk.runtime.ports import NanPolicy, Values


class SessionOptions(TypedDict, total=False):
    """Keyword arguments of ``Session.open``; all may be left out."""

    engine: str | None
    """``ai-edge-litert`` or ``tflite-runtime``; the first that is installed."""
    threads: int | Literal["auto"]
    """CPU threads; 1. ``auto``: measured when it is opened, among 1, 2, 4 and the big cores, and remembered by the
    model's hash and the machine. Those that the engine then starts stay on the big cores, where the system lets us."""
    replicas: int
    """Interpreters of the one model, for runs side by side: ``run_many`` spreads samples over them, and runs of as many
    threads do not wait for each other. They share the file's weights, and packed ones where ``cache_dir`` works."""
    variant: str | Sequence[str] | None
    """Of a bundle; the one that suits each accelerator. Several, with a deadline: the wanted one first."""
    signature: str | None
    """Key of the signature that ``Session.run`` runs; ``serving_default`` or the first."""
    values: Values
    """``real`` (the default): floats in and out, rounded to and from a quantized file's scales; ``raw``: as stored."""
    nan: NanPolicy
    """``refuse`` (the default) inputs that are not finite, or ``pass`` them into float models."""
    keep_state: bool
    """Leave the state of recurrent ops alone between runs; by default it is reset before each."""
    cache_dir: str | Path | None
    """Folder for XNNPACK's packed weights, which are then mapped and not held in memory; LiteRT from 2.2 on."""
    budget: MemoryBudget | None
    """Bytes that all sessions given this object may take together."""
    deadline: Deadline | float | None
    """Milliseconds that a run may take: beyond it a faster variant takes over."""
    try_first: bool
    """Run a file once in a child process before it is opened here (the default), unless a trusted key signed it or it
    is known to be fine: an engine that dies of a file takes the child with it. ``False`` leaves that out."""
    trusted_keys: Sequence[str | Path | bytes]
    """Public keys, one of which must have signed the bundle."""


@dataclass(frozen=True)
class Options:
    """:class:`SessionOptions` with every default in its place."""

    engine: str | None = None
    threads: int | Literal["auto"] = 1
    replicas: int = 1
    variant: str | Sequence[str] | None = None
    signature: str | None = None
    values: Values = "real"
    nan: NanPolicy = "refuse"
    keep_state: bool = False
    cache_dir: str | Path | None = None
    budget: MemoryBudget | None = None
    deadline: Deadline | float | None = None
    try_first: bool = True
    trusted_keys: Sequence[str | Path | bytes] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("values", get_args(Values)), ("nan", get_args(NanPolicy))):
            if getattr(self, name) not in allowed:
                raise PolicyError(f"{name}: expected {' or '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("threads", "replicas"):
            given = getattr(self, name)
            if (name, given) != ("threads", "auto") and (not isinstance(given, int) or given < 1):
                auto = ", or auto" if name == "threads" else ""
                raise PolicyError(f"{name}: expected 1 or more{auto}, got {given!r}")
        if self.replicas > 1 and (self.keep_state or self.deadline is not None):
            raise PolicyError(
                "replicas run side by side: neither state between runs nor a deadline goes with several of them"
            )
        if len(self.variants) > 1 and self.deadline is None:
            raise PolicyError("several variants are named, and no deadline that would choose between them")
        if len(self.variants) > 1 and self.values == "raw":
            raise PolicyError("variants may differ in their own integers: several of them take real values only")

    @property
    def variants(self) -> tuple[str, ...]:
        """Named variants, in order."""
        if self.variant is None:
            return ()
        return (self.variant,) if isinstance(self.variant, str) else tuple(self.variant)

    @property
    def thread_count(self) -> int | None:
        """CPU threads; None for ``auto``."""
        return None if self.threads == "auto" else self.threads

    @property
    def limit(self) -> Deadline | None:
        """The deadline with its settings."""
        return Deadline(float(self.deadline)) if isinstance(self.deadline, int | float) else self.deadline


def options_from(given: Mapping[str, Any]) -> Options:
    """Options as they were given to ``Session.open``.

    Raises:
        PolicyError: one has a name that does not exist, or a value that makes no sense.
    """
    known = [one.name for one in fields(Options)]
    for name in given:
        if name not in known:
            raise PolicyError(
                f"unknown option `{name}`{nearest(name, known)}", hint=f"the options are {', '.join(known)}"
            )
    return Options(**given)
