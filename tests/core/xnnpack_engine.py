"""Run as a script: what the installed engine does with each of XNNPACK's probes, two lines of JSON for each.

The first line, ``[family, label]``, says what is tried, in case that the engine dies of it; the second adds the
DELEGATE rows (sorted inputs, sorted outputs), whether the delegate could be built, and the error. Nothing is run: some
probes state other shapes than come out, and the engine would write beyond them.
"""

from __future__ import annotations

import json
from typing import Any

from edge_sdk.runtime.engines import find_engine
from tests.core.xnnpack_probes import FAMILIES

_DELEGATE_WORDS = ("XNNPACK", "XNNPack", "failed to delegate")


def main() -> None:
    module = find_engine("ai-edge-litert").module
    for name, family in FAMILIES.items():
        for label, content in family():
            print(json.dumps([name, label]), flush=True)
            print(json.dumps([name, label, *_tried(module, content)]), flush=True)


def _tried(module: Any, content: bytes) -> tuple[list[list[list[int]]], bool, str]:
    """Errors that do not name the delegate are those of TFLite's own kernels, for ops that were left to them."""
    interpreter, error = module.Interpreter(model_content=content), ""
    try:
        interpreter.allocate_tensors()
    except RuntimeError as raised:
        error = str(raised)
    rows = [row for row in interpreter._get_ops_details() if row["op_name"] == "DELEGATE"]
    edges = [[sorted(map(int, row["inputs"])), sorted(map(int, row["outputs"]))] for row in rows]
    return edges, not any(word in error for word in _DELEGATE_WORDS), error


if __name__ == "__main__":
    main()
