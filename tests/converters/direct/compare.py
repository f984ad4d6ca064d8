"""A model lowered directly, run, and compared with ONNX Runtime: what each family's tests call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.lowering import Lowered, lower
from edge_sdk.converters.lower.direct.writing import write
from edge_sdk.signature import TensorSpec

Arrays = Mapping[str, npt.NDArray[Any]]
Oracle = Callable[[Any, Arrays], list[npt.NDArray[Any]]]


def model(nodes: Sequence[Any], inputs: Arrays, outputs: Sequence[str], weights: Arrays, opset: int = 20) -> Any:
    """An ONNX model around nodes: inputs like the arrays, outputs whose shapes are left open."""
    import onnx
    from onnx import helper

    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, _element(array), array.shape) for name, array in inputs.items()],
        [helper.make_value_info(name, onnx.TypeProto()) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _element(array: npt.NDArray[Any]) -> int:
    import onnx

    return int(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))


def lowered(proto: Any, feeds: Arrays, layout: str = "source", **options: Any) -> Lowered:
    """The model's graph for inputs of the feeds' shapes."""
    specs = [TensorSpec(name, array.shape, array.dtype.name, None) for name, array in feeds.items()]
    return lower(proto, specs, layout, **options)


def run(graph: Lowered, feeds: Arrays, times: int = 1) -> list[npt.NDArray[Any]]:
    """The file's outputs in the source's order of axes, after running it so many times."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=write(graph.graph))
    interpreter.allocate_tensors()
    ports = zip(interpreter.get_input_details(), feeds.values(), graph.input_orders, strict=True)
    for port, array, order in ports:
        turned = array.transpose(order) if order else array
        interpreter.set_tensor(port["index"], turned.astype(port["dtype"]))
    for _ in range(times):
        interpreter.invoke()
    results = [interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()]
    return [y.transpose(np.argsort(o)) if o else y for y, o in zip(results, graph.output_orders, strict=True)]


def expected(proto: Any, feeds: Arrays) -> list[npt.NDArray[Any]]:
    """The model's outputs by ONNX Runtime; by ONNX's reference evaluator where the op set is newer than it."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base
        if "NOT_IMPLEMENTED" not in str(error) and "opset" not in str(error):
            raise
        return by_reference(proto, feeds)
    return list(session.run(None, dict(feeds)))


def by_reference(proto: Any, feeds: Arrays) -> list[npt.NDArray[Any]]:
    """The model's outputs by ONNX's reference evaluator: slow, but the standard's own word."""
    from onnx.reference import ReferenceEvaluator

    return list(ReferenceEvaluator(proto).run(None, dict(feeds)))


def check(
    proto: Any,
    feeds: Arrays,
    layout: str = "source",
    tolerance: float = 1e-5,
    oracle: Oracle = expected,
    **options: Any,
) -> Lowered:
    """Lowers, runs and compares.

    Args:
        proto: the model.
        feeds: by input.
        layout: see :func:`lower`.
        tolerance: of the largest difference, relative to the largest value expected: rounding of float32 (6e-8) over
            the few hundred terms that the tests' sums have.
        oracle: says what must come out.
        options: further ones of :func:`lower`.
    """
    graph = lowered(proto, feeds, layout, **options)
    results, wants = run(graph, feeds), oracle(proto, feeds)
    assert len(results) == len(wants)
    for result, want in zip(results, wants, strict=True):
        assert (result.shape, result.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(result, want, rtol=0, atol=tolerance * max(1.0, float(np.abs(want).max(initial=0))))
    return graph
