"""The wheel as README installs it: small, whole, in a clean environment, each extra alone.

Needs a package index, which no other test does: ``make test-wheel`` runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
EXTRAS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# Small enough to be put in for real, each alone; what they must let one import.
REAL = {
    "android": "apkInspector",
    "dask": "distributed",
    "images": "PIL",
    "report": "matplotlib",
    "runtime": "ai_edge_litert",
    "signing": "cryptography",
}
# Of gigabytes: that what each asks for goes together is resolved; environments of the Makefile's have them installed.
RESOLVED = (
    "ethos-u",
    "keras",
    "litert-quantizer",
    "litert-torch",  # a minute, for pip tries versions
    "onnx",
    "onnx2tf",
    "openvino",
    "qualcomm",
    "rockchip",  # a minute too
    "tensorboard",
    "tfmot",
    "torch",
    "wandb",
)
# Never installed by us as they are, and why.
ELSEWHERE = {
    "litert-quantizer": "it pins LiteRT 2.3, which no other converter goes with; a stand-in in the tests",
    "wandb": "its runs are for a server; a stand-in in the tests",
    "rockchip": "its toolkit wants PyTorch 2.4 or older: an environment of the user's own, and a fake one in the tests",
    "tensorboard": "TensorFlow brings it",
}
# Without the sources that the tests themselves are run from.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
pytestmark = pytest.mark.skipif(os.environ.get("MAKE_TARGET") != "test-wheel", reason="make test-wheel")


def run(*words: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """README's first line."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
    (made,) = folder.glob("edge_sdk-*.whl")
    return made


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Python of an environment with the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    return installed_alone(folder, str(wheel))


def test_it_is_small(wheel: Path) -> None:
    # It is code and text alone: no model, no toolchain, no library.
    assert wheel.stat().st_size < 2.5e6


def test_commands_and_help_without_extras(clean: Path, tmp_path: Path) -> None:
    command = clean.with_name("edge-sdk")
    assert "edge-sdk" in run(command, "--version", cwd=tmp_path)
    assert "raspberry-pi-4" in run(command, "profiles", "list", cwd=tmp_path)
    assert "means" in run(command, "check", "--explain", "shared-scale", cwd=tmp_path)
    told = run(clean, "-c", "import edge_sdk; help(edge_sdk.convert)", cwd=tmp_path)
    for option in ("calibration", "keep_float_ops", "min_sqnr_db", "loss"):
        assert f"    {option}: " in told


def test_types_are_seen(clean: Path, tmp_path: Path) -> None:
    """``py.typed`` is there, so that a type checker of the user's reads the annotations of the installed package."""
    script = tmp_path / "user.py"
    script.write_text("import edge_sdk\nedge_sdk.convert('m.keras', 'm.tflite', batch='one')\n")
    settings = ["--python-executable", str(clean), "--no-incremental", "--follow-imports=silent"]
    command = [sys.executable, "-m", "mypy", *settings, script.name]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert "user.py:2: error" in done.stdout, done.stdout
    assert "batch" in done.stdout
    assert "py.typed" not in done.stdout


def installed_alone(folder: Path, what: str, *options: str) -> Path:
    """Python of a new environment with that and nothing else; pip is this one's, and so is its cache."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, *options, what)
    return python


@pytest.mark.parametrize("extra", sorted(REAL))
def test_small_extras_install_alone(wheel: Path, extra: str, tmp_path: Path) -> None:
    python = installed_alone(tmp_path / "alone", f"{wheel}[{extra}]")
    run(python, "-c", f"import edge_sdk, {REAL[extra]}", cwd=tmp_path)
    assert "edge-sdk" in run(python.with_name("edge-sdk"), "doctor", cwd=tmp_path)


@pytest.mark.parametrize("extra", RESOLVED)
def test_large_extras_resolve_alone(wheel: Path, extra: str, tmp_path: Path) -> None:
    installed_alone(tmp_path / "alone", f"{wheel}[{extra}]", "--dry-run")


def test_every_extra_is_installed_somewhere() -> None:
    """Toolchains of gigabytes are not fetched twice: an environment of the Makefile's holds each, and is tested."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(COMMA)", ",")
    lines = re.findall(r"\$\(call install,(.*)\)", makefile)
    installed = {name for line in lines for name in line.split(",") if name in EXTRAS}
    installed |= set(re.findall(r"-e '\.\[([\w-]+)\]'", makefile)) | set(REAL)
    for extra in installed.copy():
        installed |= _brought(extra)
    assert installed | ELSEWHERE.keys() >= set(EXTRAS)
    assert not installed & ELSEWHERE.keys()


def _brought(extra: str) -> set[str]:
    """Extras that an extra brings along."""
    groups = re.findall(r"edge-sdk\[([\w,-]+)\]", " ".join(EXTRAS[extra]))
    inner = {name for group in groups for name in group.split(",")}
    return inner.union(*map(_brought, inner))
