"""What running a model imports: numpy, one engine, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.runtime


def modules_after(script: str, *arguments: str) -> set[str]:
    """Top-level modules that a script leaves loaded, beyond those of the interpreter."""
    code = (
        "import json, sys\nbefore = set(sys.modules)\n" + script + "\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded: set[str] = set(json.loads(done.stdout.splitlines()[-1]))
    # Cython makes the last of these up; it is no package.
    ignored = {*sys.stdlib_module_names, "cython_runtime"}
    return {name for name in loaded if name not in ignored and not name.startswith("_")}


def test_runtime_imports_numpy_alone() -> None:
    assert modules_after("from edge_sdk.runtime import Session") - modules_after("import numpy") == {"edge_sdk"}


def test_session_imports_one_engine_and_what_that_imports(tflite: Path) -> None:
    engine_alone = modules_after(
        "from edge_sdk.engines.installed import find_engine\nfind_engine()",
    )
    script = (
        "import numpy\nfrom edge_sdk import Session\n"
        "with Session.open(sys.argv[1]) as session:\n"
        "    session.run({'image': numpy.zeros((1, 8, 8, 3), 'float32')})\n    session.receipt.as_json()"
    )
    assert modules_after(script, str(tflite)) - engine_alone == set()
    assert len(engine_alone & {"ai_edge_litert", "tflite_runtime"}) == 1
    assert not engine_alone & {"tensorflow", "torch", "cattrs", "click"}
