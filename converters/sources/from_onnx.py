"""ONNX files and ModelProto objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.converters.lower import ladder, onnx_graph, onnx_hand_over
from edge_sdk.converters.lower.direct.counts import is_opening
from edge_sdk.converters.lower.direct.quantizers import WideGrids, in_float, quantized_by, wide_grids
from edge_sdk.converters.sources.fixed_inputs import fixed_finding
from edge_sdk.converters.sources.onnx_dynamic import in_float_products, rounds_as_it_runs
from edge_sdk.converters.sources.onnx_ends import ending_at
from edge_sdk.converters.sources.onnx_fixed import with_fixed_inputs
from edge_sdk.converters.sources.padded import padded, padded_findings
from edge_sdk.converters.sources.source import (
    Description,
    dynamic_finding,
    options_from_json,
    quantized_finding,
    stacked_runs,
    write_outputs,
)
from edge_sdk.converters.workers.child import first_line, running
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import ConversionError, MissingDependencyError, ModelError, UnsupportedOpError
from edge_sdk.findings import Finding
from edge_sdk.folders import temporary_folder
from edge_sdk.signature import Arrays, fix_shapes

_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_PROTOBUF_LIMIT_BYTES = 2**31 - 1


class OnnxSource:
    """An ONNX graph; reference runs use ONNX Runtime without graph optimisations."""

    preload = ("onnx", "onnxruntime")

    def __init__(self, source: Any, options: Mapping[str, Any]) -> None:
        self._options = options_from_json(options)
        self._path = Path(source) if isinstance(source, str | Path) else None
        self._model = _load(self._path) if self._path is not None else source
        fixed = self._options.fixed
        if self._options.ends:
            self._model = ending_at(self._model, self._options.ends)
        if fixed:
            self._model = with_fixed_inputs(self._model, fixed, self._options.shapes)
        # What it rounds as it runs is not the file's: the weights are compared.
        self._dynamic = rounds_as_it_runs(self._model)
        if self._dynamic:
            self._model = in_float_products(self._whole())
        shapes = {name: shape for name, shape in self._options.shapes.items() if name not in fixed}
        constants = {initializer.name for initializer in self._model.graph.initializer}
        inputs = [value for value in self._model.graph.input if value.name not in constants]
        self._open = onnx_graph.onnx_specs(inputs)
        self._inputs = fix_shapes(self._open, batch=self._options.batch, given=shapes)
        self._dtypes = {value.name: value.type.tensor_type.elem_type for value in inputs}
        self._lowered = self._lowered_open()
        self._padded = self._lowered.padded if self._lowered is not None else ()
        counts = self._lowered.counts if self._lowered is not None else ()
        self._outputs = (*(value.name for value in self._model.graph.output), *counts)
        self._quantized_by = quantized_by(self._model)

    @staticmethod
    def reads(source: object) -> bool:
        """An ``.onnx`` path or a ModelProto."""
        if isinstance(source, str | Path):
            return Path(source).suffix == ".onnx"
        return type(source).__name__ == "ModelProto" and type(source).__module__.startswith("onnx")

    def describe(self) -> dict[str, Any]:
        opset = max((o.version for o in self._model.opset_import if o.domain in ("", "ai.onnx")), default=0)
        producer = f"{self._model.producer_name} {self._model.producer_version}".strip() or "unknown producer"
        framework = f"onnx opset {opset} by {producer}"
        precision = onnx_graph.precision(self._model)
        findings = [] if precision == "float32" else [_computed_finding(precision)]
        if self._quantized_by:
            findings += _quantizer_findings(self._quantized_by, wide_grids(self._model))
        if self._dynamic:
            findings.append(dynamic_finding())
        findings += [fixed_finding(name, numbers) for name, numbers in self._options.fixed.items()]
        findings += padded_findings(self._padded)
        ports = (self._inputs, self._open, self._outputs)
        return Description(framework, *ports, tuple(findings), precision, self._quantized_by).as_json()

    def run(self, samples: str, outputs: str) -> int:
        return self._run(samples, outputs, rounding=False)

    def run_rounded(self, samples: str, outputs: str) -> int:
        """Reference runs of a model that is quantized already, rounding included."""
        return self._run(samples, outputs, rounding=True)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        recurrent = any(node.op_type in _RECURRENT for node in self._model.graph.node)
        # Only our own lowering pads.
        wanted = "direct" if self._padded else self._options.lowering
        return [asdict(rung) for rung in ladder("onnx", wanted, recurrent=recurrent, static_range=static_range)]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        if settings["lowering"] == "direct":
            from edge_sdk.converters.lower.direct.lowering import Way, hand_over

            ready = None if settings["unroll"] else self._lowered
            way = Way(self._options.layout, settings["unroll"], self._weights(), ready)
            return hand_over(self._model, self._inputs, self._outputs, Path(folder), way)
        import onnx

        names = [spec.name for spec in self._inputs]
        path = Path(folder) / "model.onnx"
        onnx.save(onnx_graph.with_plain_names(self._whole(), names, self._outputs), str(path))
        return onnx_hand_over(path, self._inputs, self._outputs, self._options.layout, settings["onnx2tf"])

    def _weights(self) -> str:
        return str(self._path.parent) if self._path is not None else ""

    def _lowered_open(self) -> Any:
        """A model that chooses rows by data, lowered: which of its outputs are padded; None for any other.

        Raises:
            UnsupportedOpError: no lowering has a form for what depends on data in it.
        """
        parts = (self._model.graph, *self._model.functions)
        if self._options.lowering not in ("auto", "direct") or not any(is_opening(part) for part in parts):
            return None
        from edge_sdk.converters.lower.direct.lowering import lower

        try:
            return lower(self._model, self._inputs, self._options.layout, self._weights())
        except UnsupportedOpError as error:
            if error.final:
                raise
            return None

    def _whole(self) -> Any:
        """The model with all weights inside."""
        if self._path is not None:
            import onnx

            onnx.load_external_data_for_model(self._model, str(self._path.parent))
        return self._model

    def _run(self, samples: str, outputs: str, *, rounding: bool) -> int:
        # Gone after the run: it holds the weights twice, and an engine with the file comes next.
        runtime = self._runtime(rounding=rounding)
        results = stacked_runs(SampleStore.open(samples), lambda arrays: self._arrays(runtime, arrays), can_stack=False)
        return write_outputs(results, self._outputs, outputs)

    def _runtime(self, *, rounding: bool) -> Any:
        as_it_is = (rounding or self._quantized_by is None) and not (
            self._options.fixed or self._options.ends or self._dynamic
        )
        model = self._model if as_it_is else self._whole()
        if self._quantized_by is not None and not rounding:
            model = in_float(model)
        return session(model, self._path if as_it_is else None)

    def _arrays(self, runtime: Any, arrays: Arrays) -> Arrays:
        feeds = {name: self._typed(name, values) for name, values in arrays.items()}
        with running("onnxruntime", "running the model"):
            found = dict(zip(_outputs(runtime), runtime.run(None, feeds), strict=True))
        made = padded(found, self._padded)
        return {name: _as_float32(made[name]) for name in self._outputs}

    def _typed(self, name: str, values: Any) -> Any:
        """An array in the graph's own type."""
        import onnx

        return values.astype(onnx.helper.tensor_dtype_to_np_dtype(self._dtypes[name]), copy=False)


def _outputs(runtime: Any) -> list[str]:
    return [port.name for port in runtime.get_outputs()]


def _as_float32(values: Any) -> Any:
    """Half and double floats as the file gives them."""
    return values.astype(np.float32) if values.dtype.name in ("float16", "bfloat16", "float64") else values


def _computed_finding(precision: str) -> Finding:
    return Finding(
        "computed-in-float32",
        "info",
        f"the source computes in {precision}; the float32 file is compared within the rounding of {precision}",
    )


def _quantizer_findings(by: str, wide: WideGrids) -> list[Finding]:
    said = [quantized_finding(by, "static_wi8_ai16" if wide.count else "static_wi8_ai8")]
    if wide.off_centre:
        said.append(
            Finding(
                "int16-zero-moved",
                "warning",
                f"{wide.off_centre} of {wide.count} activations in 16 bits have their zero elsewhere than in the "
                "middle, which TFLite has not: their ranges are around zero in the int16 file, as far as the source's "
                "reach, in steps up to twice as large",
                "source",
                "quantize with symmetric activations (ONNX Runtime: ActivationSymmetric) to keep the scales",
            )
        )
    return said


def session(model: Any, path: Path | None) -> Any:
    """ONNX Runtime on a model, or on the file that holds it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", extra="onnx", why="running an ONNX model") from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    # As in the environment of workers: spinning threads take the cores of others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        with temporary_folder("onnx") as folder:
            readable = _readable(model, path, folder)
            return onnxruntime.InferenceSession(readable, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base
        _raise_unsupported(model)
        raise ConversionError(
            f"onnxruntime {onnxruntime.__version__} cannot run this model: {first_line(error)}", tool="onnxruntime"
        ) from error


def _readable(model: Any, path: Path | None, folder: Path) -> bytes | str:
    """The file, or the model's bytes; beyond 2 GB, where protobuf has none, a file with weights beside it."""
    if path is not None:
        return str(path)
    if model.ByteSize() < _PROTOBUF_LIMIT_BYTES:
        return bytes(model.SerializeToString())
    import onnx

    copy = type(model)()
    copy.CopyFrom(model)
    # It takes the weights out of what it saves.
    onnx.save(copy, str(folder / "model.onnx"), save_as_external_data=True, location="weights")
    return str(folder / "model.onnx")


def _raise_unsupported(model: Any) -> None:
    """A graph that the runtime refuses for a custom op is better explained by naming all of them."""
    onnx_graph.check_ops(model, {node.op_type for node in model.graph.node})


_OPSET = (
    "its opset has no such attribute; ONNX Runtime's quantizer writes scales for each channel whatever the opset: "
    "bring the float model to 13 or later first (onnx.version_converter), and quantize that"
)


def _load(path: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("onnx", extra="onnx", why=f"reading {path.name}") from error
    try:
        model = onnx.load(str(path), load_external_data=False)
        known = [n for n in model.graph.node if n.domain in ("", "ai.onnx")]
        if len(known) == len(model.graph.node):
            # By its path: weights beside the file are looked for there.
            onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf and the checker share no base class
        raise ModelError(
            f"{path}: not a whole, valid ONNX file: {first_line(error)}",
            hint=_OPSET if "Unrecognized attribute" in str(error) else "check that the download or copy finished",
        ) from error
    if not model.graph.node:
        raise ModelError(f"{path}: holds no nodes, so it is truncated or not an ONNX file")
    return model
