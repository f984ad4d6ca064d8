"""Results as files: ``results/<name>.json``, each with the machine and the versions it was measured with."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
_TOOLS = ("tensorflow", "keras", "torch", "torch-pruning", "onnx2tf", "ai-edge-litert", "ai-edge-quantizer", "numpy")


def write(name: str, rows: list[dict[str, Any]], **facts: Any) -> None:
    """Writes ``results/<name>.json``."""
    FOLDER.mkdir(exist_ok=True)
    data = {"machine": _machine(), "versions": _versions(), **facts, "rows": rows}
    (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def read(name: str) -> dict[str, Any]:
    """Reads it back; an empty result where there is none."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"rows": []}


def _machine() -> dict[str, Any]:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?: ?")
    return {"cpu": model.split(":")[1].strip(), "cores": os.cpu_count(), "python": platform.python_version()}


def _versions() -> dict[str, str]:
    found = {}
    for tool in _TOOLS:
        try:
            found[tool] = metadata.version(tool)
        except metadata.PackageNotFoundError:
            continue
    return found
