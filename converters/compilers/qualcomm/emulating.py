"""A compiled file run by QNN's emulation of the NPU: programs there, what stayed on the CPU by LiteRT, step by step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from edge_sdk.artifact.excerpt import one_op
from edge_sdk.artifact.model import Artifact, Op, Tensor, parse_artifact
from edge_sdk.artifact.tree import parse_tree
from edge_sdk.converters.compilers.child import failure, run_program
from edge_sdk.converters.compilers.qualcomm.libraries import find_parts
from edge_sdk.converters.compilers.seam import Compilation, Job
from edge_sdk.errors import TargetError
from edge_sdk.folders import temporary_folder
from edge_sdk.signature import Arrays

_CHILD = Path(__file__).with_name("emulator_child.py")
_ONNX = {"float32": "float"}


def emulate(job: Job, made: Compilation, samples: Iterable[Arrays]) -> Iterator[Arrays]:
    """Outputs for each sample; see :class:`edge_sdk.converters.compilers.emulation.Emulator`."""
    parts = find_parts(job.python, f"emulating {job.target}")
    artifact = parse_artifact(made.content)
    inputs = {name: str(tensor.index) for name, tensor in artifact.signature.inputs.items()}
    outputs = {name: str(tensor.index) for name, tensor in artifact.signature.outputs.items()}
    with temporary_folder("emulation") as folder:
        count = 0
        for sample in samples:
            arrays: dict[str, Any] = {inputs[name]: values for name, values in sample.items()}
            np.savez(folder / f"inputs_{count}.npz", **arrays)
            count += 1
        steps = list(_steps(artifact, made.content, folder))
        plan = {"steps": steps, "samples": count, "outputs": list(outputs.values())}
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        said = run_program(
            [parts.python, _CHILD, folder], folder, what=f"{parts.words}' emulation", seconds=job.seconds
        )
        absent = [number for number in range(count) if not (folder / f"outputs_{number}.npz").exists()]
        if said.status or absent:
            raise failure(f"the emulation of {parts.words}", f"failed: {_last_line(said.text)}", said)
        for number in range(count):
            with np.load(folder / f"outputs_{number}.npz") as stored:
                yield {name: stored[index] for name, index in outputs.items()}


def _steps(artifact: Artifact, content: bytes, folder: Path) -> Iterator[dict[str, Any]]:
    root, _ = parse_tree(content)
    main = artifact.main
    nodes = root.subgraphs[main.index].operators
    for op in main.ops:
        step = {"inputs": [str(i) for i in op.inputs if i >= 0], "outputs": [str(i) for i in op.outputs if i >= 0]}
        file = folder / f"step_{op.index}"
        if op.name == "CUSTOM:DISPATCH_OP":
            told = flexbuffers.Loads(bytes(nodes[op.index].custom_options))
            start = told["bytecode_offset"]
            file.write_bytes(content[start : start + told["bytecode_size"]])
            yield {**step, "npu": True, "file": file.name, "name": told["name"], **_ends(artifact, op)}
        else:
            file.write_bytes(one_op(content, main, op))
            live = [str(index) for index in sorted({i for i in op.inputs if i >= 0 and not main.tensors[i].is_stored})]
            yield {**step, "inputs": live, "npu": False, "file": file.name}


def _ends(artifact: Artifact, op: Op) -> dict[str, Any]:
    """A program's inputs and outputs carry the names of the tensors that it was compiled from."""
    before, after = artifact.main.operands(op), artifact.main.results(op)
    names = [tensor.name for tensor in (*before, *after)]
    if len(set(names)) < len(names) or "" in names:
        raise TargetError(
            "the emulation tells tensors apart by name, and two at the border of the NPU share one",
            hint="convert the model again: edge-sdk gives each tensor a name of its own",
        )
    sides = {"in": before, "out": after}
    return {
        **{f"names_{side}": [tensor.name for tensor in tensors] for side, tensors in sides.items()},
        **{f"types_{side}": [_type(tensor) for tensor in tensors] for side, tensors in sides.items()},
    }


def _type(tensor: Tensor) -> tuple[str, str, list[int]]:
    return tensor.name, _ONNX.get(tensor.dtype, tensor.dtype), list(tensor.shape)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
