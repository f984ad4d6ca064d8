"""What an engine is told when it opens a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge_sdk.engines.installed import Engine

if TYPE_CHECKING:
    from edge_sdk.profile.records import Precision


@dataclass(frozen=True)
class DelegateOptions:
    """How to open a model with a delegate.

    Attributes:
        engine: the engine that was found; a delegate that needs another raises.
        threads: CPU threads, for what runs on the CPU.
        library: path or name of an external delegate's library.
        library_options: keys and values that it is given.
        precision: lowest that float ops may be computed in; None leaves it to the delegate.
        cache_dir: folder for files of packed weights (:mod:`edge_sdk.engines.weight_cache`); None for no files.
        keep_state: leave the state of recurrent ops alone between runs; else it is reset before each.
    """

    engine: Engine
    threads: int = 1
    library: str | None = None
    library_options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    precision: Precision | None = None
    cache_dir: Path | None = None
    keep_state: bool = False
