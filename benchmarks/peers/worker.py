"""A peer's process: ``worker.py PEER FILE INPUTS.npz THREADS``. Each line on standard input is a number of runs.

Answers with a line of JSON: what each run took, in ns. It lives in the peer's own environment and imports nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Run = Callable[[], object]


def litert(path: str, inputs: Mapping[str, Any], threads: int) -> Run:
    """Any .tflite, on LiteRT's Interpreter with its default XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        values = _laid_out(next(iter(inputs.values())), tuple(details["shape"]))
        interpreter.set_tensor(details["index"], values.astype(details["dtype"]))
    run: Run = interpreter.invoke
    return run


def litert_on_openvino(path: str, inputs: Mapping[str, Any], threads: int) -> Run:
    """Any .tflite, by edge-sdk's delegate ``npu``: LiteRT's dispatch, here to OpenVINO's CPU plugin."""
    from edge_sdk import Session
    from edge_sdk.runtime.candidates import Candidate
    from edge_sdk.runtime.policy import Policy

    options = {"backend": "cpu", "INFERENCE_NUM_THREADS": str(threads)}
    session = Session.open(path, delegate=[Candidate("npu", "npu", options=options)], policy=Policy(self_test=False))
    ((name, spec),) = ((one.name, one) for one in session.inputs)
    given = {name: _laid_out(next(iter(inputs.values())), spec.shape).copy()}
    return lambda: session.run(given)


def _laid_out(values: Any, shape: tuple[int | None, ...]) -> Any:
    """PyTorch's values in the file's layout."""
    if shape == values.shape:
        return values
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values.transpose(0, 2, 1)


def onnxruntime(path: str, inputs: Mapping[str, Any], threads: int) -> Run:
    """With inputs and outputs bound, so that nothing is copied."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for details in session.get_inputs():
        binding.bind_cpu_input(details.name, next(iter(inputs.values())))
    for details in session.get_outputs():
        binding.bind_output(details.name)
    return lambda: session.run_with_iobinding(binding)


def openvino(path: str, inputs: Mapping[str, Any], threads: int) -> Run:
    """For latency, one stream."""
    import openvino as ov

    core = ov.Core()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    request = core.compile_model(path, "CPU", settings).create_infer_request()
    request.set_input_tensor(ov.Tensor(next(iter(inputs.values()))))
    run: Run = request.infer
    return run


def executorch(path: str, inputs: Mapping[str, Any], threads: int) -> Run:
    """Portable runtime with XNNPACK, as its Python binding runs it."""
    import torch
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(threads)
    program = portable_lib._load_for_executorch(path)
    tensors = [torch.from_numpy(values) for values in inputs.values()]
    return lambda: program.run_method("forward", tensors)


PEERS = {
    "litert": litert,
    "litert_on_openvino": litert_on_openvino,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "executorch": executorch,
}


def main() -> None:
    """Opens, warms up by the parent's wish, and answers."""
    peer, path, inputs_path, threads = sys.argv[1:]
    with np.load(inputs_path) as inputs:
        run = PEERS[peer](path, {name: inputs[name][:1].copy() for name in inputs.files}, int(threads))
    run()
    # What libraries print goes elsewhere: standard output is the answer.
    print("ready", flush=True)
    now = time.perf_counter_ns
    for line in sys.stdin:
        took = []
        for _ in range(int(line)):
            before = now()
            run()
            took.append(now() - before)
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
