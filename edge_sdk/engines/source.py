"""A verified model and where its bytes lie, for engines to open."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.artifact.sound import formed
from edge_sdk.errors import ModelError

if TYPE_CHECKING:
    from edge_sdk.checks.memory.need import MemoryPlan

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

    @property
    def path(self) -> str | None:
        """What an engine can open instead of taking the bytes; None for a member of a bundle."""
        return str(self.file.path or self.name) if self.file else None

    def as_argument(self) -> dict[str, Any]:
        """How an ``Interpreter`` takes it: by path, so that it maps the file, else by bytes, copied where need be."""
        if self.path:
            return {"model_path": self.path}
        whole = isinstance(self.content.obj, bytes) and len(self.content.obj) == self.content.nbytes
        return {"model_content": self.content.obj if whole else bytes(self.content)}

    @cached_property
    def plan(self) -> MemoryPlan:
        """What TFLite is predicted to allocate for it, without any delegate."""
        from edge_sdk.checks.memory.need import plan_memory

        with formed(self.name):
            return plan_memory(self.artifact)

    @cached_property
    def stays_in_place(self) -> bool:
        """Whether memory keeps its addresses from run to run: no result of the subgraph is of open size."""
        from edge_sdk.checks.memory.callees import callees

        with formed(self.name):
            return not callees(self.artifact)[self.artifact.main.index].homes.cuts

    def with_signature(self, key: str) -> ModelSource:
        """The same model, entered by another signature.

        Raises:
            SignatureError: it has none of that name.
        """
        return replace(self, artifact=self.artifact.with_signature(key))


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
