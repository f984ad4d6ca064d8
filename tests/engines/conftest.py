"""Models and libraries, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.models import MODELS
from tests.native import HERE, build_library, compiler


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each of ``MODELS`` as ``<name>.tflite``."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in MODELS.items():
        (folder / f"{name}.tflite").write_bytes(make())
    return folder


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with real external delegates: ``good.so``, and others that a board may have by mistake."""
    if compiler() is None:
        pytest.skip("install a C compiler (gcc)")
    folder = tmp_path_factory.mktemp("libraries")
    source = HERE / "delegate.c"
    good = build_library(folder / "good.so", source)
    build_library(folder / "unsafe.so", source, flags=("-DUNSAFE_DESTROY",))
    build_library(folder / "libgone.so", HERE / "empty.c")
    build_library(folder / "needy.so", source, flags=("-Wl,--no-as-needed", f"-L{folder}", "-lgone"))
    (folder / "libgone.so").unlink()
    build_library(folder / "empty.so", HERE / "empty.c")
    content = good.read_bytes()
    (folder / "truncated.so").write_bytes(content[: len(content) // 3])
    (folder / "text.so").write_text("libvx_delegate.so -> libvx_delegate.so.1\n", encoding="utf-8")
    other = 62 if content[18] == 183 else 183
    (folder / "other.so").write_bytes(content[:18] + bytes([other, 0]) + content[20:])
    return folder
