"""A Vulkan driver that needs no GPU: Mesa's lavapipe, from Debian's backports.

Debian 12's own Mesa 22 is too old for LiteRT's WebGPU accelerator ("No adapters found").
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path

from tests.boards.board import BACKPORTS, HOME
from tests.boards.debian import unpack

_FOLDER = HOME / "mesa"
_PACKAGES = (f"mesa-vulkan-drivers/{BACKPORTS}", f"libdrm2/{BACKPORTS}", f"libdrm-amdgpu1/{BACKPORTS}", "libvulkan1")
# This machine's own: a process has one C library.
_OWN = ("libc6", "libgcc-s1", "libstdc++6", "gcc-12-base")


def make_mesa() -> Path:
    """Fetches Mesa into ``.boards/mesa``, once.

    Raises:
        SetupError: what is missing on this machine.
    """
    if mesa_is_made():
        return _FOLDER
    shutil.rmtree(_FOLDER, ignore_errors=True)
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    unpack(_FOLDER / "root", _PACKAGES, arch=arch, suites=("bookworm", BACKPORTS), without=_OWN)
    (_FOLDER / "made").touch()
    return _FOLDER


def mesa_is_made() -> bool:
    """Whether ``python -m tests.boards mesa`` was run."""
    return (_FOLDER / "made").exists()


def lavapipe(folder: Path) -> dict[str, str]:
    """The environment of a process that finds lavapipe and no other driver.

    Args:
        folder: gets the driver's description and its shader cache.
    """
    libraries = _FOLDER / f"root/usr/lib/{platform.machine()}-linux-gnu"
    driver = {"ICD": {"api_version": "1.4", "library_path": str(libraries / "libvulkan_lvp.so")}}
    (folder / "lavapipe.json").write_text(json.dumps({"file_format_version": "1.0.0", **driver}), encoding="utf-8")
    searched = os.pathsep.join(filter(None, [str(libraries), os.environ.get("LD_LIBRARY_PATH")]))
    return {
        "VK_ICD_FILENAMES": str(folder / "lavapipe.json"),
        "LD_LIBRARY_PATH": searched,
        "MESA_SHADER_CACHE_DIR": str(folder),
    }
