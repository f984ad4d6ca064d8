"""A TensorFlow function to a float .tflite, by TFLiteConverter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.lower.flat_pools import with_flat_pools
from edge_sdk.converters.workers.child import running, tool_version
from edge_sdk.errors import ConversionError, UnsupportedOpError
from edge_sdk.signature import TensorSpec

_INPUT, _OUTPUT = "edge_in_{}", "edge_out_{}"
TensorFunction = Callable[..., Sequence[Any]]


def tensor_type(dtype: str) -> Any:
    """Numpy's dtype name as a tf.DType."""
    import tensorflow as tf

    return tf.as_dtype(dtype)


def write_tflite(
    call: TensorFunction, inputs: Sequence[TensorSpec], outputs: Sequence[str], folder: Path
) -> dict[str, Any]:
    """Traces ``call`` for static shapes, freezes its variables, and converts.

    The function, rather than a model or SavedModel, is what keeps names and order ours: TensorFlow sorts the inputs
    of a signature, and saving a model takes longer than converting it.

    Args:
        call: takes one tensor for each input, in order; returns the outputs in order.
        inputs: with static shapes.
        outputs: names.
        folder: where ``lowered.tflite`` is written.

    Returns:
        A hand-over of kind ``tflite``; see :class:`~edge_sdk.converters.sources.source.Source`.

    Raises:
        UnsupportedOpError: TFLite has no form for some op; lists all of them.
        ConversionError: the trace or the conversion failed.
    """
    import tensorflow as tf

    concrete = with_flat_pools(traced(call, inputs))
    with running("tensorflow", "converting to TFLite"):
        converter = converter_of(concrete)
        try:
            data = converter.convert()
        except Exception as error:  # its ConverterError is not public
            raise _conversion_error(error) from error
    path = folder / "lowered.tflite"
    path.write_bytes(data)
    return {
        "kind": "tflite",
        "path": str(path),
        **ports_of(path, [spec.name for spec in inputs], outputs),
        "tool": f"TFLiteConverter of tensorflow {tf.__version__}",
    }


def traced(call: TensorFunction, inputs: Sequence[TensorSpec]) -> Any:
    """The function traced for static shapes, as a ConcreteFunction whose inputs have names of ours."""
    import tensorflow as tf

    with running("tensorflow", "tracing the model"):
        function = tf.function(lambda *tensors: [tf.identity(t) for t in call(*tensors)], autograph=False)
        return function.get_concrete_function(*_arguments(inputs))


def converter_of(concrete: Any) -> Any:
    """TFLite's converter on a traced function."""
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_concrete_functions([concrete])


def save_frozen(
    call: TensorFunction, inputs: Sequence[TensorSpec], outputs: Sequence[str], folder: Path
) -> dict[str, Any]:
    """Saves a function of this process as a SavedModel, for a worker to convert; arguments as :func:`write_tflite`.

    Returns:
        A hand-over of kind ``source``: the SavedModel's inputs and outputs in order stand for those named.
    """
    import tensorflow as tf

    def named(*tensors: Any) -> dict[str, Any]:
        return {_OUTPUT.format(i): tf.identity(t) for i, t in enumerate(call(*tensors))}

    with running("tensorflow", "saving the model for conversion"):
        concrete = tf.function(named, autograph=False).get_concrete_function(*_arguments(inputs))
        module = tf.Module()
        # Keras 3 variables are not trackable by themselves: what the function captured must be.
        module.captured = list(concrete.variables)
        tf.saved_model.save(module, str(folder / "saved_model"), signatures={"serving_default": concrete})
    return {
        "kind": "source",
        "path": str(folder / "saved_model"),
        "inputs": {_INPUT.format(i): spec.name for i, spec in enumerate(inputs)},
        "outputs": {_OUTPUT.format(i): name for i, name in enumerate(outputs)},
    }


def _arguments(inputs: Sequence[TensorSpec]) -> list[Any]:
    import tensorflow as tf

    return [
        tf.TensorSpec(spec.static_shape, tensor_type(spec.dtype), name=_INPUT.format(i))
        for i, spec in enumerate(inputs)
    ]


def ports_of(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, Any]:
    """Finds each input by the name it was traced with, each output by its place."""
    graph = read_artifact(path).main
    by_name = {graph.tensors[index].name.split(":")[0]: index for index in graph.inputs}
    missing = [name for i, name in enumerate(inputs) if _INPUT.format(i) not in by_name]
    if missing or len(graph.outputs) != len(outputs):
        raise ConversionError(
            f"TFLiteConverter lost inputs {missing} or outputs ({len(graph.outputs)} of {len(outputs)} are left)",
            tool="tensorflow",
            version=tool_version("tensorflow"),
        )
    return {
        "inputs": [{"name": name, "tensor": by_name[_INPUT.format(i)], "axes": None} for i, name in enumerate(inputs)],
        "outputs": [
            {"name": name, "tensor": index, "axes": None} for name, index in zip(outputs, graph.outputs, strict=True)
        ],
    }


def _conversion_error(error: Exception) -> ConversionError | UnsupportedOpError:
    text = str(error)
    ops = _listed_ops(text)
    if ops:
        names = ", ".join(sorted({op for op, _, _ in ops}))
        return UnsupportedOpError(
            f"TFLite has no form for {len({op for op, _, _ in ops})} TensorFlow ops of this model: {names}",
            ops=ops,
            hint="express them by supported ops; TF Select (Flex) ops are refused, for no runtime here carries them",
        )
    lines = [line for line in text.splitlines() if "error:" in line] or text.splitlines()
    return ConversionError(
        f"TFLiteConverter failed: {lines[0].split('error:')[-1].strip()[:300]}",
        tool="tensorflow",
        version=tool_version("tensorflow"),
        log_tail="\n".join(lines[:10]),
    )


def _listed_ops(text: str) -> list[tuple[str, str, str]]:
    """Every op in the converter's "TF Select ops" and "Custom ops" lists, with its types where it gives them."""
    found = []
    for kind, names in re.findall(r"^(TF Select|Custom) ops: (.+)$", text, re.MULTILINE):
        for name in names.split(","):
            details = re.findall(rf"^\s*tf\.{re.escape(name.strip())}\((.*?)\)\s*->", text, re.MULTILINE) or [""]
            found += [(name.strip(), types, f"{kind} op, not a TFLite builtin") for types in details]
    return found


def describe_specs(structured: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    """TensorFlow's named TensorSpecs as ours, in their order."""
    specs = []
    for name, spec in structured.items():
        shape = tuple(spec.shape.as_list())
        image = len(shape) == 4 and shape[3] in (1, 3, 4)
        specs.append(TensorSpec(name, shape, spec.dtype.name, "NHWC" if image else None))
    return tuple(specs)
