"""Every kernel of the training engine against LiteRT's own, in both frameworks: prints op, framework and error."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.layout import Port
from edge_sdk.converters.replay.engine import gates
from edge_sdk.converters.replay.plan import make_plan
from edge_sdk.runtime import Runner
from tests.graphs import Graph, options

RNG = np.random.default_rng(0)
SIDE = {"stride_w": 2, "stride_h": 2}
POOL = {**SIDE, "filter_width": 3, "filter_height": 3}
IMAGE, ROW = (1, 7, 6, 4), (1, 5, 8)


def weights(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: Any) -> Any:
    return np.array(values, np.int32)


CASES: dict[str, tuple[str, tuple[int, ...], list[Any], Any, list[tuple[int, ...]]]] = {
    "conv same": (
        "CONV_2D",
        IMAGE,
        [weights(5, 3, 3, 4), weights(5)],
        options("Conv2DOptions", padding=0, **SIDE),
        [(1, 4, 3, 5)],
    ),
    "conv valid relu6": (
        "CONV_2D",
        IMAGE,
        [weights(5, 3, 3, 4), weights(5)],
        options(
            "Conv2DOptions",
            padding=1,
            stride_w=1,
            stride_h=1,
            dilation_w_factor=2,
            dilation_h_factor=2,
            fused_activation_function=3,
        ),
        [(1, 3, 2, 5)],
    ),
    "depthwise": (
        "DEPTHWISE_CONV_2D",
        IMAGE,
        [weights(1, 3, 3, 8), weights(8)],
        options("DepthwiseConv2DOptions", padding=0, depth_multiplier=2, **SIDE),
        [(1, 4, 3, 8)],
    ),
    "dense": ("FULLY_CONNECTED", (1, 8), [weights(3, 8), weights(3)], options("FullyConnectedOptions"), [(1, 3)]),
    "max pool": ("MAX_POOL_2D", IMAGE, [], options("Pool2DOptions", padding=0, **POOL), [(1, 4, 3, 4)]),
    "average pool same": ("AVERAGE_POOL_2D", IMAGE, [], options("Pool2DOptions", padding=0, **POOL), [(1, 4, 3, 4)]),
    "average pool valid": ("AVERAGE_POOL_2D", IMAGE, [], options("Pool2DOptions", padding=1, **POOL), [(1, 3, 2, 4)]),
    "add": ("ADD", ROW, [weights(8)], options("AddOptions"), [ROW]),
    "sub relu": ("SUB", ROW, [weights(1, 5, 1)], options("SubOptions", fused_activation_function=1), [ROW]),
    "mul": ("MUL", ROW, [weights(1, 5, 8)], options("MulOptions"), [ROW]),
    "div": ("DIV", ROW, [np.abs(weights(8)) + 1], options("DivOptions"), [ROW]),
    "maximum": ("MAXIMUM", ROW, [weights(8)], None, [ROW]),
    "minimum": ("MINIMUM", ROW, [weights(8)], None, [ROW]),
    "squared difference": ("SQUARED_DIFFERENCE", ROW, [weights(8)], None, [ROW]),
    "mean": ("MEAN", IMAGE, [ints(1, 2)], options("ReducerOptions"), [(1, 4)]),
    "mean kept": ("MEAN", IMAGE, [ints(-1)], options("ReducerOptions", keep_dims=True), [(1, 7, 6, 1)]),
    "sum": ("SUM", ROW, [ints(1)], options("ReducerOptions"), [(1, 8)]),
    "reduce max": ("REDUCE_MAX", ROW, [ints(2)], options("ReducerOptions"), [(1, 5)]),
    "softmax": ("SOFTMAX", ROW, [], options("SoftmaxOptions", beta=1.0), [ROW]),
    "logistic": ("LOGISTIC", ROW, [], None, [ROW]),
    "tanh": ("TANH", ROW, [], None, [ROW]),
    "relu": ("RELU", ROW, [], None, [ROW]),
    "relu6": ("RELU6", ROW, [], None, [ROW]),
    "elu": ("ELU", ROW, [], None, [ROW]),
    "hard swish": ("HARD_SWISH", ROW, [], None, [ROW]),
    "leaky relu": ("LEAKY_RELU", ROW, [], options("LeakyReluOptions", alpha=0.25), [ROW]),
    "prelu": ("PRELU", IMAGE, [np.abs(weights(1, 1, 4))], None, [IMAGE]),
    "gelu": ("GELU", ROW, [], options("GeluOptions"), [ROW]),
    "exp": ("EXP", ROW, [], options("ExpOptions"), [ROW]),
    "abs": ("ABS", ROW, [], None, [ROW]),
    "neg": ("NEG", ROW, [], None, [ROW]),
    "square": ("SQUARE", ROW, [], None, [ROW]),
    "reshape": ("RESHAPE", ROW, [ints(1, 4, 10)], options("ReshapeOptions"), [(1, 4, 10)]),
    "transpose": ("TRANSPOSE", ROW, [ints(2, 0, 1)], options("TransposeOptions"), [(8, 1, 5)]),
    "pad": ("PAD", IMAGE, [ints([0, 0], [1, 2], [0, 1], [0, 0])], options("PadOptions"), [(1, 10, 7, 4)]),
    "mirror pad": (
        "MIRROR_PAD",
        IMAGE,
        [ints([0, 0], [1, 2], [2, 1], [0, 0])],
        options("MirrorPadOptions", mode=0),
        [(1, 10, 9, 4)],
    ),
    "concatenation": ("CONCATENATION", ROW, [weights(1, 5, 3)], options("ConcatenationOptions", axis=-1), [(1, 5, 11)]),
    "pack": ("PACK", ROW, [weights(1, 5, 8)], options("PackOptions", axis=1, values_count=2), [(1, 2, 5, 8)]),
    "unpack": ("UNPACK", (1, 2, 8), [], options("UnpackOptions", axis=1, num=2), [(1, 8), (1, 8)]),
    "slice": ("SLICE", ROW, [ints(0, 1, 2), ints(1, 3, 5)], options("SliceOptions"), [(1, 3, 5)]),
    "strided slice": (
        "STRIDED_SLICE",
        ROW,
        [ints(0, 1, 0), ints(1, 5, 8), ints(1, 2, 3)],
        options("StridedSliceOptions", begin_mask=1, end_mask=5),
        [(1, 2, 3)],
    ),
    "strided slice shrunk": (
        "STRIDED_SLICE",
        ROW,
        [ints(0, -1, 0), ints(1, 0, 8), ints(1, 1, 1)],
        options("StridedSliceOptions", begin_mask=5, end_mask=5, shrink_axis_mask=2),
        [(1, 8)],
    ),
    "gather": ("GATHER", ROW, [ints(4, 0, 0)], options("GatherOptions", axis=1), [(1, 3, 8)]),
    "batch matmul": ("BATCH_MATMUL", ROW, [weights(1, 8, 3)], options("BatchMatMulOptions"), [(1, 5, 3)]),
    "batch matmul turned": (
        "BATCH_MATMUL",
        ROW,
        [weights(1, 3, 8)],
        options("BatchMatMulOptions", adj_y=True),
        [(1, 5, 3)],
    ),
    "nearest": (
        "RESIZE_NEAREST_NEIGHBOR",
        IMAGE,
        [ints(10, 9)],
        options("ResizeNearestNeighborOptions", half_pixel_centers=True),
        [(1, 10, 9, 4)],
    ),
    "bilinear": (
        "RESIZE_BILINEAR",
        IMAGE,
        [ints(10, 9)],
        options("ResizeBilinearOptions", half_pixel_centers=True),
        [(1, 10, 9, 4)],
    ),
    "bilinear corners": (
        "RESIZE_BILINEAR",
        IMAGE,
        [ints(10, 9)],
        options("ResizeBilinearOptions", align_corners=True),
        [(1, 10, 9, 4)],
    ),
    "space to depth": (
        "SPACE_TO_DEPTH",
        (1, 4, 6, 2),
        [],
        options("SpaceToDepthOptions", block_size=2),
        [(1, 2, 3, 8)],
    ),
    "depth to space": (
        "DEPTH_TO_SPACE",
        (1, 2, 3, 8),
        [],
        options("DepthToSpaceOptions", block_size=2),
        [(1, 4, 6, 2)],
    ),
    "add n": ("ADD_N", ROW, [weights(*ROW), weights(*ROW)], options("AddNOptions"), [ROW]),
    "floor": ("FLOOR", ROW, [], None, [ROW]),
    "ceil": ("CEIL", ROW, [], None, [ROW]),
    "round": ("ROUND", ROW, [], None, [ROW]),
    "sin": ("SIN", ROW, [], None, [ROW]),
    "cos": ("COS", ROW, [], None, [ROW]),
    "floor div": ("FLOOR_DIV", ROW, [np.abs(weights(8)) + 0.5], None, [ROW]),
    "floor mod": ("FLOOR_MOD", ROW, [np.abs(weights(8)) + 0.5], None, [ROW]),
    "sum along": ("CUMSUM", ROW, [ints(1).reshape(())], options("CumsumOptions"), [ROW]),
    "sum along from the end": (
        "CUMSUM",
        ROW,
        [ints(-1).reshape(())],
        options("CumsumOptions", exclusive=True, reverse=True),
        [ROW],
    ),
    "product": ("REDUCE_PROD", ROW, [ints(1, 2)], options("ReducerOptions"), [(1,)]),
    "local response": (
        "LOCAL_RESPONSE_NORMALIZATION",
        IMAGE,
        [],
        options("LocalResponseNormalizationOptions", radius=1, bias=1.0, alpha=0.5, beta=0.75),
        [IMAGE],
    ),
    "space to batch": (
        "SPACE_TO_BATCH_ND",
        IMAGE,
        [ints(2, 3), ints([1, 0], [0, 3])],
        options("SpaceToBatchNDOptions"),
        [(6, 4, 3, 4)],
    ),
    "l2 normalization": ("L2_NORMALIZATION", (1, 8), [], options("L2NormOptions"), [(1, 8)]),
}


def decisions() -> bytes:
    """Ops whose results are no reals, each with what makes a real of it: as ``y0``, ``y1``, ... of one ``x``."""
    graph, outputs = Graph(), list[int]()
    x, limit = graph.tensor("x", ROW), graph.constant("limit", weights(8))
    on, off = graph.constant("on", np.array(2.0, np.float32)), graph.constant("off", np.array(-1.0, np.float32))

    def made(op: str, inputs: list[int], shape: tuple[int, ...], kind: str, how: Any = None) -> int:
        result = graph.tensor(f"{op} {len(outputs)} {kind}", shape, kind)
        graph.op(op, inputs, [result], how)
        return result

    def real(value: int, shape: tuple[int, ...]) -> None:
        outputs.append(graph.tensor(f"y{len(outputs)}", shape))
        graph.op("CAST", [value], [outputs[-1]], options("CastOptions", in_data_type=6))

    asked = {
        op: made(op, [x, limit], ROW, "bool")
        for op in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    }
    for value in asked.values():
        real(value, ROW)
    both = [asked["GREATER"], asked["LESS"]]
    for op, inputs in (("LOGICAL_AND", both), ("LOGICAL_OR", both), ("LOGICAL_NOT", both[:1])):
        real(made(op, inputs, ROW, "bool"), ROW)
    for op in ("REDUCE_ANY", "REDUCE_ALL"):
        axes = graph.constant(f"axes of {op}", ints(1))
        real(made(op, [both[0], axes], (1, 8), "bool", options("ReducerOptions")), (1, 8))
    last, depth = graph.constant("last", ints(-1).reshape(())), graph.constant("depth", ints(8).reshape(()))
    for op, kind in (("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")):
        places = made(op, [x, last], (1, 5), "int32", options(kind, output_type=2))
        for axis, shape in ((-1, (1, 5, 8)), (1, (1, 8, 5))):
            outputs.append(graph.tensor(f"y{len(outputs)}", shape))
            graph.op("ONE_HOT", [places, depth, on, off], [outputs[-1]], options("OneHotOptions", axis=axis))
        same = made("EQUAL", [places, graph.constant(f"place of {op}", ints(3))], (1, 5), "bool")
        real(same, (1, 5))
    table = graph.constant("table", weights(9, 3))
    whole = made("CAST", [x], ROW, "int32", options("CastOptions", out_data_type=2))
    size = graph.constant("size", ints(9))
    inside = made("FLOOR_MOD", [whole, size], ROW, "int32")
    flat = made("RESHAPE", [inside, graph.constant("flat", ints(40))], (40,), "int32", options("ReshapeOptions"))
    outputs.append(graph.tensor(f"y{len(outputs)}", (40, 3)))
    graph.op("EMBEDDING_LOOKUP", [flat, table], [outputs[-1]])
    return graph.finish((x,), outputs)


def there_and_back() -> bytes:
    """Space to batch, and a part of it back."""
    graph = Graph()
    x, y = graph.tensor("x", IMAGE), graph.tensor("y0", (1, 6, 5, 4))
    between = graph.tensor("between", (6, 4, 3, 4))
    blocks, around = graph.constant("blocks", ints(2, 3)), graph.constant("around", ints([1, 0], [0, 3]))
    graph.op("SPACE_TO_BATCH_ND", [x, blocks, around], [between], options("SpaceToBatchNDOptions"))
    crops = graph.constant("crops", ints([1, 1], [3, 1]))
    graph.op("BATCH_TO_SPACE_ND", [between, blocks, crops], [y], options("BatchToSpaceNDOptions"))
    return graph.finish((x,), (y,))


CHAINS = {"decisions": (decisions, ROW), "there and back": (there_and_back, IMAGE)}


def model(name: str) -> bytes:
    """One op with its constants."""
    op, shape, constants, made, shapes = CASES[name]
    graph = Graph()
    x = graph.tensor("x", shape)
    inputs = [x, *(graph.constant(f"c{i}", values) for i, values in enumerate(constants))]
    outputs = [graph.tensor(f"y{i}", shape) for i, shape in enumerate(shapes)]
    graph.op(op, inputs, outputs, made)
    return graph.finish((x,), outputs)


def expected(data: bytes, folder: Path, samples: Any) -> dict[str, Any]:
    """LiteRT's own kernels, one sample at a time."""
    path = folder / "op.tflite"
    path.write_bytes(data)
    runner = Runner(path, xnnpack=False)
    runs = [runner.run({"x": sample[np.newaxis]}) for sample in samples]
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}


def torch_values(plan: Any, samples: Any) -> Any:
    import torch

    from edge_sdk.converters.replay.engine_torch import GraphModule

    module = GraphModule(plan, gates(plan, (Port("x"),), plan.template.main.inputs), (), learned=False)
    with torch.no_grad():
        values = module.values({"x": torch.from_numpy(samples)})
    return {i: v.numpy() for i, v in values.items()}


def keras_values(plan: Any, samples: Any) -> Any:
    import keras
    import tensorflow as tf

    from edge_sdk.converters.replay.backend_tensorflow import TensorFlowBackend
    from edge_sdk.converters.replay.engine import execute
    from edge_sdk.converters.replay.engine_keras import _Weights, graph_model_class

    made = graph_model_class(keras)(plan, gates(plan, (Port("x"),), plan.template.main.inputs), (), learned=False)
    run = _Weights(made.graph, training=False, rounding=True)
    feeds = {plan.template.main.inputs[0]: tf.constant(samples[:, np.newaxis])}
    return {i: np.asarray(v) for i, v in execute(plan, TensorFlowBackend(), feeds, run).items()}


def main() -> None:
    """Errors of all ops in the framework named."""
    values = {"torch": torch_values, "keras": keras_values}[sys.argv[1]]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        models = [(name, model(name), CASES[name][1]) for name in CASES]
        models += [(name, made(), shape) for name, (made, shape) in CHAINS.items()]
        for name, data, shape in models:
            samples = RNG.normal(size=(3, *shape[1:])).astype(np.float32)
            artifact = parse_artifact(data)
            try:
                reference = expected(data, Path(folder), samples)
                got = values(make_plan(artifact, artifact), samples)
            except Exception as error:  # the test says which op
                found[name] = f"{type(error).__name__}: {error}"
                continue
            errors = [
                float(np.abs(got[index].reshape(reference[f"y{i}"].shape) - reference[f"y{i}"]).max())
                / max(1.0, float(np.abs(reference[f"y{i}"]).max()))
                for i, index in enumerate(artifact.main.outputs)
            ]
            found[name] = max(errors)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
