"""TensorFlow SavedModel folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sdk.converters.lower import Rung
from edge_sdk.converters.lower.by_tensorflow import TensorFunction, describe_specs, tensor_type, write_tflite
from edge_sdk.converters.lower.fake_quant import rounds, without_rounding, write_quantized
from edge_sdk.converters.sources.source import (
    Description,
    options_from_json,
    quantized_finding,
    stacked_runs,
    write_outputs,
)
from edge_sdk.converters.workers.child import first_line
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import MissingDependencyError, ModelError, SignatureError, nearest
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, TensorSpec, fix_shapes

_DEFAULT = "serving_default"


@dataclass(frozen=True)
class Entry:
    """What is called of a file of TensorFlow.

    Attributes:
        inputs: with open dimensions.
        outputs: names.
        call: takes a tensor for each input, returns one for each output.
        graph: the GraphDef behind it.
        keeps: must live as long as ``call``: functions hold weak references to variables.
        findings: what was done on the way in.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    call: TensorFunction
    graph: Any
    keeps: Any = None
    findings: tuple[Finding, ...] = ()


class SavedModelSource:
    """One signature of a SavedModel."""

    preload = ("tensorflow",)
    kind = "SavedModel"

    def __init__(self, source: str, options: Mapping[str, Any]) -> None:
        self._options = options_from_json(options)
        self._path = Path(source)
        self._entry = self._opened()
        self._open, self._outputs, self._tensors = self._entry.inputs, self._entry.outputs, self._entry.call
        self._inputs = fix_shapes(self._open, batch=self._options.batch, given=self._options.shapes)
        self._rounds = rounds(self._entry.graph)
        self._float: TensorFunction = without_rounding(self._tensors, self._inputs) if self._rounds else self._tensors

    @staticmethod
    def reads(source: object) -> bool:
        """A folder that holds ``saved_model.pb``."""
        return isinstance(source, str | Path) and (Path(source) / "saved_model.pb").is_file()

    def describe(self) -> dict[str, Any]:
        import tensorflow as tf

        framework = f"{self.kind} in tensorflow {tf.__version__}"
        by = "FakeQuant ops of its training" if self._rounds else None
        findings = (*self._entry.findings, *((quantized_finding(by),) if by else ()))
        ports = (self._inputs, self._open, self._outputs)
        return Description(framework, *ports, findings, quantized_by=by).as_json()

    def run(self, samples: str, outputs: str) -> int:
        # What was traced without its rounding has one batch.
        open_batch = all(s.shape and s.shape[0] is None for s in self._open) and not self._options.batch
        return self._run(samples, outputs, self._float, can_stack=open_batch and not self._rounds)

    def run_rounded(self, samples: str, outputs: str) -> int:
        """Reference runs of a model that is quantized already, rounding included."""
        return self._run(samples, outputs, self._tensors, can_stack=False)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        return [asdict(Rung("TFLiteConverter on the frozen signature"))]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        handed = write_tflite(self._float, self._inputs, self._outputs, Path(folder))
        if self._rounds:
            handed |= write_quantized(self._tensors, self._inputs, self._outputs, Path(folder))
        return handed

    def _run(self, samples: str, outputs: str, call: TensorFunction, *, can_stack: bool) -> int:
        import tensorflow as tf

        def arrays(feeds: Arrays) -> Arrays:
            tensors = call(*(tf.constant(feeds[s.name], tensor_type(s.dtype)) for s in self._inputs))
            return {name: tensor.numpy() for name, tensor in zip(self._outputs, tensors, strict=True)}

        results = stacked_runs(SampleStore.open(samples), arrays, can_stack=can_stack)
        return write_outputs(results, self._outputs, outputs)

    def _opened(self) -> Entry:
        """The entry point that was asked for."""
        loaded = _load(self._path)
        function = _signature(self._path, dict(loaded.signatures), self._options.signature)
        inputs, outputs = describe_specs(function.structured_input_signature[1]), tuple(function.structured_outputs)

        def call(*tensors: Any) -> list[Any]:
            results = function(**{s.name: t for s, t in zip(inputs, tensors, strict=True)})
            return [results[name] for name in outputs]

        return Entry(inputs, outputs, call, function.graph.as_graph_def(), keeps=loaded)


def _load(path: Path) -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError("tensorflow", extra="keras", why="reading a SavedModel") from error
    try:
        return tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises anything on a damaged folder
        raise ModelError(
            f"{path}: tensorflow {tf.__version__} cannot load this SavedModel: {first_line(error)}",
            hint="a SavedModel is saved_model.pb and the folder variables/ beside it",
        ) from error


def _signature(path: Path, signatures: Mapping[str, Any], wanted: str | None) -> Any:
    if not signatures:
        raise SignatureError(
            f"{path}: this SavedModel has no signatures", hint="save it with tf.saved_model.save(..., signatures=...)"
        )
    key = wanted or (_DEFAULT if _DEFAULT in signatures else next(iter(signatures)))
    if key not in signatures or (wanted is None and key != _DEFAULT and len(signatures) > 1):
        raise SignatureError(
            f"{path}: no signature `{key}`{nearest(key, signatures)}"
            if key not in signatures
            else f"{path}: has several signatures and none is `{_DEFAULT}`",
            hint=f"choose one: --signature {' | '.join(signatures)}",
        )
    return signatures[key]
