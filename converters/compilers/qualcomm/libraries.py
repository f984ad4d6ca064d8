"""Where the compiler's parts lie, and the folder in which its loader finds them all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.converters.compilers.environment import packages, python_of
from edge_sdk.errors import MissingDependencyError, MissingToolError

LITERT, QNN = "ai-edge-litert", "onnxruntime-qnn"
_PLUGIN = Path("vendors", "qualcomm", "compiler", "libLiteRtCompilerPlugin_Qualcomm.so")
_PROGRAM = Path("tools", "apply_plugin_main")
_NEEDED = ("libQnnHtp.so", "libQnnIr.so", "libQnnSaver.so", "libQnnSystem.so")
_ABSENT = "libQnnLpai.so"


@dataclass(frozen=True)
class Parts:
    """The compiler as it is installed: program, folder of the plugin, folder of QNN's libraries, versions."""

    python: Path
    program: Path
    plugin: Path
    libraries: Path
    litert: str
    qnn: str

    @property
    def words(self) -> str:
        """Name and versions."""
        return f"{LITERT} {self.litert} with {QNN} {self.qnn}"

    def loader_path(self, folder: Path) -> Mapping[str, str]:
        """What the loader must be told; puts a link into the folder.

        The plugin is linked to libQnnLpai.so too, for an accelerator that is not asked for, and no package brings it.
        The loader wants a library of that name; which one does not matter, since nothing of it is called.
        """
        stand_in = folder / "libraries"
        stand_in.mkdir()
        if not (self.libraries / _ABSENT).exists():
            (stand_in / _ABSENT).symlink_to(self.libraries / "libQnnSystem.so")
        before = os.environ.get("LD_LIBRARY_PATH")
        paths = [str(stand_in), str(self.libraries), *([before] if before else [])]
        return {"LD_LIBRARY_PATH": os.pathsep.join(paths)}


def find_parts(given: Path | None, why: str) -> Parts:
    """The compiler's parts in an environment.

    Args:
        given: see :func:`python_of`.
        why: what needs them, for messages.

    Raises:
        MissingDependencyError: a package is absent there.
        MissingToolError: it is there without what is needed: another platform, or another version.
    """
    python = python_of("qualcomm", given)
    found = packages(python, ((LITERT, "ai_edge_litert"), (QNN, "onnxruntime_qnn")))
    litert, qnn = found[LITERT], found[QNN]
    if litert is None or qnn is None:
        raise MissingDependencyError(LITERT if litert is None else QNN, extra="qualcomm", why=why)
    program, plugin = litert.folder / _PROGRAM, litert.folder / _PLUGIN
    needed = [program, plugin, *(qnn.folder / name for name in _NEEDED)]
    absent = next((path for path in needed if not path.is_file()), None)
    if absent is not None:
        owner, version = (QNN, qnn.version) if absent.parent == qnn.folder else (LITERT, litert.version)
        raise MissingToolError(
            f"{why} needs {absent.name}, which {owner} {version} does not have",
            hint="extra `qualcomm` (LiteRT 2.3, x86-64 Linux) in an environment of its own, named by --env",
        )
    return Parts(python, program, plugin.parent, qnn.folder, litert.version, qnn.version)
