"""An environment for each peer, made with what this Python has: ``venv`` and pip."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

_ROOT = Path(__file__).parents[2]
FOLDER = _ROOT / "benchmarks" / ".models" / "peers"
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "litert_on_openvino": ("-c", str(_ROOT / "constraints" / "accelerators.txt"), "-e", f"{_ROOT}[openvino]"),
    "onnxruntime": ("onnxruntime==1.31.*", "onnx", "sympy"),
    "openvino": ("openvino==2026.3.1", "nncf==3.4.*", "onnx"),
    "executorch": ("executorch==1.5.1", "torch==2.13.0"),
    "corpus": (
        *("torch==2.13.0", "torchvision==0.28.0", "timm==1.0.31", "transformers==5.24.0", "ultralytics==8.4.190"),
        *("onnx==1.19.1", "onnxscript==0.7.2", "numpy<2"),
    ),
    "litert_torch": (
        *("-c", str(_ROOT / "constraints" / "litert-torch.txt"), "-e", f"{_ROOT}[litert-torch]"),
        *("torchvision", "timm==1.0.31", "transformers", "ultralytics==8.4.190"),
    ),
}
"""Peer to what its environment holds; what is not named here runs in this one."""
_SHOWN = {
    "litert_on_openvino": ("ai-edge-litert", "openvino"),
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino", "nncf"),
    "executorch": ("executorch", "torch"),
}


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made where it is missing."""
    if peer not in REQUIREMENTS:
        return Path(sys.executable)
    folder = FOLDER / "environments" / peer
    python, ready = folder / "bin" / "python", folder / ".installed"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[peer]]
        subprocess.run(command, check=True)
        ready.touch()
    return python


def version_in(python: Path, distribution: str) -> str:
    """What an interpreter's environment has of it."""
    code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    done = subprocess.run([python, "-c", code, distribution], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """What ran in the peers' environments, by distribution."""
    code = "import sys, importlib.metadata as m; print(*(f'{n}={m.version(n)}' for n in sys.argv[1:]))"
    found = {}
    for peer, names in _SHOWN.items():
        done = subprocess.run([python_of(peer), "-c", code, *names], check=True, capture_output=True, text=True)
        for name, version in (pair.split("=") for pair in done.stdout.split()):
            found[f"{name} for {peer}" if name in found else name] = version
    return found
