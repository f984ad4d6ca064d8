"""Measures the highest version of every builtin op that the installed engine accepts, by asking it.

    PYTHONPATH=. python tests/core/artifact/op_version_oracle.py > versions.json

Run once in an environment of each runtime; the merged results are ``edge_sdk/artifact/op_versions.json``.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree

_HIGHEST_TRIED = 20
# Not ops a file can name on its own.
NOT_BUILTIN = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}


def model_with_op(code: int, version: int) -> bytes:
    """A file with one op and no tensors: enough for an engine to look its kernel up."""
    facts = schema()
    opcode = new_node(
        facts,
        "OperatorCode",
        builtin_code=code,
        deprecated_builtin_code=min(code, 127),
        version=version,
    )
    op = new_node(facts, "Operator", opcode_index=0, inputs=[], outputs=[])
    graph = new_node(facts, "SubGraph", tensors=[], inputs=[], outputs=[], operators=[op])
    root = new_node(
        facts,
        "Model",
        version=3,
        operator_codes=[opcode],
        subgraphs=[graph],
        buffers=[new_node(facts, "Buffer")],
    )
    return pack_tree(root)


def accepts(interpreter: Any, model: bytes) -> bool:
    """Whether the engine finds a kernel for every op of the file, at its version."""
    try:
        interpreter(model_content=model)
    except (ValueError, RuntimeError) as error:
        # Kernels are looked up before options are parsed: an error about options means that there is one.
        return not any(words in str(error) for words in ("Didn't find op for builtin opcode", "out of range"))
    return True


def highest_versions() -> dict[str, int]:
    """Op name to the highest accepted version; 0 where there is no kernel at all."""
    interpreter = _interpreter()
    found = {}
    for code, name in schema().enums["BuiltinOperator"].items():
        if name not in NOT_BUILTIN:
            tried = range(_HIGHEST_TRIED, 0, -1)
            found[name] = next((v for v in tried if accepts(interpreter, model_with_op(code, v))), 0)
    return found


def _interpreter() -> Any:
    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite"):
        try:
            return importlib.import_module(module).Interpreter
        except ImportError:
            continue
    raise SystemExit("no engine is installed")


if __name__ == "__main__":
    print(json.dumps(highest_versions(), indent=0))
