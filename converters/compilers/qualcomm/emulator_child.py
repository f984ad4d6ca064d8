"""Run as a script in the environment that holds QNN, without edge-sdk: a compiled file's steps, one by one.

``python emulator_child.py FOLDER``: reads ``plan.json`` and ``inputs_<n>.npz`` there, writes ``outputs_<n>.npz``. A
step is a program of the NPU, run by QNN's emulation through onnxruntime, or a .tflite of one op that stays on the CPU.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

_PROVIDER = "QNNExecutionProvider"


def main() -> None:
    """Runs all samples."""
    folder = Path(sys.argv[1])
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    runners = [(_npu if step["npu"] else _cpu)(folder, step) for step in plan["steps"]]
    for number in range(plan["samples"]):
        with np.load(folder / f"inputs_{number}.npz") as stored:
            values = {name: stored[name] for name in stored.files}
        for step, run in zip(plan["steps"], runners, strict=True):
            values.update(zip(step["outputs"], run([values[name] for name in step["inputs"]]), strict=True))
        np.savez(folder / f"outputs_{number}.npz", **{name: values[name] for name in plan["outputs"]})


def _npu(folder: Path, step: dict[str, Any]) -> Any:
    import onnx
    import onnxruntime
    import onnxruntime_qnn

    # From the first step on: one registration serves all.
    if not any(device.ep_name == _PROVIDER for device in onnxruntime.get_ep_devices()):
        onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
    node = onnx.helper.make_node(
        "EPContext",
        step["names_in"],
        step["names_out"],
        domain="com.microsoft",
        embed_mode=1,
        main_context=1,
        ep_cache_context=(folder / step["file"]).read_bytes(),
        source="QNN",
        partition_name=step["name"],
    )
    node.name = step["name"]
    make = onnx.helper.make_tensor_value_info
    sides = [
        [make(name, getattr(onnx.TensorProto, kind.upper()), shape) for name, kind, shape in step[side]]
        for side in ("types_in", "types_out")
    ]
    graph = onnx.helper.make_graph([node], "compiled", *sides)
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=domains, ir_version=9)
    options = onnxruntime.SessionOptions()
    # An op that QNN does not run must be an error here, and never one that the CPU runs in its place.
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == _PROVIDER]
    options.add_provider_for_devices(devices[:1], {"backend_path": onnxruntime_qnn.get_qnn_htp_path()})
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda values: session.run(step["names_out"], dict(zip(step["names_in"], values, strict=True)))


def _cpu(folder: Path, step: dict[str, Any]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / step["file"]))
    interpreter.allocate_tensors()

    def run(values: list[Any]) -> list[Any]:
        for detail, value in zip(interpreter.get_input_details(), values, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

    return run


if __name__ == "__main__":
    main()
