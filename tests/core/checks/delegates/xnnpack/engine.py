"""Run as a script with names of families: what the engine does with each of their probes, one line of JSON for each.

``[family, label, answer]``; the answer is null where the engine did not survive the probe, else the DELEGATE rows
(sorted inputs, sorted outputs), whether the delegate could be built, and the error. Nothing is run: some probes state
other shapes than come out, and the engine would write beyond them.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

from edge_sdk.engines.installed import find_engine
from tests.core.checks.delegates.xnnpack import FAMILIES, MANY
from tests.core.children import in_child

_DELEGATE_WORDS = ("XNNPACK", "XNNPack", "failed to delegate")
Answer = tuple[list[list[list[int]]], bool, str]


def main() -> None:
    module = find_engine().module
    for name in sys.argv[1:]:
        for label, content in {**FAMILIES, **MANY}[name]():
            print(json.dumps([name, label, in_child(functools.partial(_tried, module, content))]), flush=True)


def _tried(module: Any, content: bytes) -> Answer | None:
    """Errors that do not name the delegate are those of TFLite's own kernels, for ops that were left to them."""
    try:
        interpreter, error = module.Interpreter(model_content=content), ""
    except ValueError:
        return None
    try:
        interpreter.allocate_tensors()
    except RuntimeError as raised:
        error = str(raised)
    rows = [row for row in interpreter._get_ops_details() if row["op_name"] == "DELEGATE"]
    edges = [[sorted(map(int, row["inputs"])), sorted(map(int, row["outputs"]))] for row in rows]
    return edges, not any(word in error for word in _DELEGATE_WORDS), error


if __name__ == "__main__":
    main()
