"""A verified model and where its bytes lie, for engines to open."""

from __future__ import annotations

import mmap
import os
import platform
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.errors import ModelError

if TYPE_CHECKING:
    from edge_sdk.checks.footprint import Footprint

_LAYERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
_OPEN_FILES = Path("/proc/self/fd")


class OpenFile:
    """A file held open for as long as someone refers to it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def mapped(self) -> memoryview:
        """Its bytes, read when they are touched."""
        return memoryview(mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ))

    @property
    def path(self) -> Path | None:
        """Leads to this very file, though its name may by now be another's; None where the system has no such path."""
        mine = _OPEN_FILES / str(self._descriptor)
        return mine if mine.exists() else None

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


@dataclass(frozen=True)
class ModelSource:
    """One .tflite, read and checked before any engine sees it: engines crash on damaged ones.

    Attributes:
        name: for messages.
        artifact: what it holds.
        content: its bytes, mapped where they come from a file.
        file: the open file that holds these bytes and no others; None for a member of a bundle.
    """

    name: str
    artifact: Artifact = field(repr=False)
    content: memoryview = field(repr=False)
    file: OpenFile | None = field(default=None, repr=False, compare=False)
    _footprints: dict[tuple[str | None, str, int], Footprint] = field(default_factory=dict, repr=False, compare=False)

    @property
    def path(self) -> str | None:
        """What an engine can open instead of taking the bytes; None for a member of a bundle."""
        return str(self.file.path or self.name) if self.file else None

    def as_argument(self) -> dict[str, Any]:
        """How an ``Interpreter`` takes it: by path, so that it maps the file, else a copy of the bytes."""
        return {"model_path": self.path} if self.path else {"model_content": bytes(self.content)}

    def footprint(self, xnnpack: str | None, version: str, threads: int) -> Footprint:
        """What an interpreter is predicted to take for it, with the XNNPACK of an engine or with none."""
        key = (xnnpack, version, threads)
        if key not in self._footprints:
            self._footprints[key] = _footprint(self.artifact, *key)
        return self._footprints[key]

    @cached_property
    def stays_in_place(self) -> bool:
        """Whether memory keeps its addresses from run to run: no result of the main subgraph is of open size."""
        from edge_sdk.checks.callees import callees

        return not callees(self.artifact)[0].homes.cuts


def open_source(path: str | Path) -> ModelSource:
    """Maps and checks a .tflite file.

    Raises:
        ModelError: the file is absent, truncated, not a TFLite file, or its indices point nowhere.
    """
    path = Path(path)
    try:
        file = OpenFile(path)
        content = file.mapped()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path}: not a whole TFLite file (0 bytes): it is empty") from error
    return ModelSource(str(path), parse_artifact(content, path=path), content, file)


def source_of(content: bytes | memoryview, *, name: str) -> ModelSource:
    """Checks a model that lies in memory; errors as :func:`open_source`."""
    view = memoryview(content)
    return ModelSource(name, parse_artifact(view, path=Path(name)), view)


def _footprint(artifact: Artifact, xnnpack: str | None, _: str, threads: int) -> Footprint:
    """Without the rules of ``check``, whose reader imports more than a runtime may: as if XNNPACK took every layer."""
    from edge_sdk.checks.footprint import footprint
    from edge_sdk.checks.xnnpack_heap import op_heap
    from edge_sdk.checks.xnnpack_kernels import cpu_kernels

    kernels = cpu_kernels(platform.machine(), _cpu_words())
    alone = footprint(artifact, kernels, threads=threads)
    if xnnpack is None:
        return alone
    layers = [(graph, op) for graph in artifact.subgraphs for op in graph.ops if op.name in _LAYERS]
    heaps = [op_heap(graph, op, kernels) for graph, op in layers]
    return replace(
        alone,
        packed_bytes=sum(one.packed_bytes for one in heaps),
        indirection_bytes=sum(one.indirection_bytes for one in heaps),
    )


def _cpu_words() -> set[str]:
    """Features of this CPU, in a profile's words; its own reader imports more than a runtime may."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return set()
    return words | ({"dotprod"} if "asimddp" in words else set())
