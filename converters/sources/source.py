"""What every front end offers, whatever it reads: a description, reference runs, and a hand-over to a lowering.

A front end is a class in a ``from_*.py`` file and a line in :data:`FRONT_ENDS`. It is made in a worker process for
files and in the caller's process for objects in memory, so its methods take and return plain data; arrays pass
through folders (:class:`~edge_sdk.data.SampleStore`).
"""

from __future__ import annotations

import os
import pkgutil
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.sources.foreign import foreign, pickled
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import ModelError, UntrustedSourceError, nearest
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, TensorSpec, spec_from_json

# Sources that may have several entry points; a function may return any.
HAS_SIGNATURES = frozenset({"saved-model", "python"})
FRONT_ENDS: dict[str, str] = {
    "trained": "edge_sdk.converters.sources.from_trained:TrainedSource",
    "tflite": "edge_sdk.converters.sources.from_tflite:TfliteSource",
    "onnx": "edge_sdk.converters.sources.from_onnx:OnnxSource",
    "keras": "edge_sdk.converters.sources.from_keras:KerasSource",
    "torch": "edge_sdk.converters.sources.from_torch:TorchSource",
    "saved-model": "edge_sdk.converters.sources.from_saved_model:SavedModelSource",
    "frozen": "edge_sdk.converters.sources.from_frozen:FrozenSource",
    "python": "edge_sdk.converters.sources.from_python:PythonSource",
}
"""Name to ``module:class``, asked in this order which of them reads a source: a Keras model can be a torch module."""

_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".pth", ".pt", ".ckpt", ".bin"})
_BATCH_BYTES = 64 << 20


@dataclass(frozen=True)
class SourceOptions:
    """What the user said about the source.

    Attributes:
        batch: for an open first dimension; None means 1.
        shapes: input name to whole shape, for other open dimensions or a module without example inputs.
        dtypes: input name to dtype, for a module without example inputs.
        fixed: input name to its numbers, which become part of the file, for an ONNX or a frozen TensorFlow graph.
        ends: values that are the outputs instead of the graph's own, likewise.
        signature: key of the entry point, for a SavedModel with several.
        layout: ``nhwc`` moves the channels of image inputs last, ``source`` leaves every input as it is.
        lowering: name from :data:`~edge_sdk.converters.lower.LOWERINGS`, or ``auto``.
        trust: load files that could run code they carry.
        folder: where relative paths in the user's own code start.
    """

    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    signature: str | None = None
    layout: Literal["nhwc", "source"] = "nhwc"
    lowering: str = "auto"
    trust: bool = False
    folder: str = field(default_factory=os.getcwd)

    def as_json(self) -> dict[str, Any]:
        """Plain data, read back by :func:`options_from_json`."""
        return asdict(self)

    def as_arguments(self) -> dict[str, Any]:
        """The same as keyword arguments of ``edge_sdk.convert``."""
        fields = asdict(self)
        del fields["folder"]
        return {**fields, "trust_source": fields.pop("trust")}


def options_from_json(data: Mapping[str, Any]) -> SourceOptions:
    """The inverse of :meth:`SourceOptions.as_json`."""
    shapes = {name: tuple(shape) for name, shape in data["shapes"].items()}
    fixed = {name: tuple(numbers) for name, numbers in data["fixed"].items()}
    return SourceOptions(**{**data, "shapes": shapes, "fixed": fixed, "ends": tuple(data["ends"])})


_GRAPHS = ("onnx", "frozen", "python")


def refuse_cuts(front_end: str, options: SourceOptions) -> None:
    """Only in a graph an input can become a constant from outside, and only a graph can end elsewhere.

    Raises:
        ModelError: it was asked for of another source.
    """
    if front_end in _GRAPHS:
        return
    if options.fixed:
        raise ModelError(
            f"--fix-input {next(iter(options.fixed))}: only inputs of an ONNX or frozen TensorFlow graph can be fixed, "
            f"and this is a {front_end} source",
            hint="give the argument its value in the model's own code: a module that calls the model with it",
        )
    if options.ends:
        raise ModelError(
            f"--end-at {options.ends[0]}: only an ONNX or frozen TensorFlow graph can end at an inner value, and this "
            f"is a {front_end} source",
            hint="return the value in the model's own code: a Keras model or a module that ends there",
        )


def quantized_finding(by: str, recipe: str = "static_wi8_ai8") -> Finding:
    """What the report says of a source that is quantized already; ``recipe`` keeps its ranges."""
    return Finding(
        "quantized-already",
        "info",
        f"the source is quantized already, by {by}: recipe {recipe} keeps its ranges, recipe float32 leaves the "
        "rounding of activations out",
    )


def dynamic_finding() -> Finding:
    """What the report says of a source whose activations are rounded as it runs."""
    return Finding(
        "quantized-weights",
        "info",
        "quantize_dynamic rounded the weights: they are kept; what it rounds of activations, anew in each run, is left "
        "out of the reference",
        "source",
        "recipe dynamic_wi8_afp32 is its like",
    )


@dataclass(frozen=True)
class Description:
    """A loaded model: what it is, and its inputs and outputs in the source's own order and layout.

    ``inputs`` have static shapes; ``open_inputs`` are as the source declares them. ``findings`` say what was done
    to the model on the way in. ``precision`` is the coarsest float type that the source computes in.
    ``quantized_by`` names who quantized the source already; None for a float one.
    """

    framework: str
    inputs: tuple[TensorSpec, ...]
    open_inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    precision: str = "float32"
    quantized_by: str | None = None

    @property
    def text_inputs(self) -> tuple[str, ...]:
        """Names of inputs that take text."""
        return tuple(spec.name for spec in self.inputs if spec.dtype == "string")

    def as_json(self) -> dict[str, Any]:
        """Plain data, read back by :func:`description_from_json`."""
        return asdict(self)


def description_from_json(data: Mapping[str, Any]) -> Description:
    """The inverse of :meth:`Description.as_json`."""
    return Description(
        framework=data["framework"],
        inputs=tuple(spec_from_json(spec) for spec in data["inputs"]),
        open_inputs=tuple(spec_from_json(spec) for spec in data["open_inputs"]),
        outputs=tuple(data["outputs"]),
        findings=tuple(Finding(**finding) for finding in data["findings"]),
        precision=data["precision"],
        quantized_by=data["quantized_by"],
    )


class Source(Protocol):
    """What a front end class offers. It is made with ``(source, options)``: a path or an object, and plain data."""

    def describe(self) -> dict[str, Any]:
        """The :class:`Description`, as plain data."""
        ...

    def run(self, samples: str, outputs: str) -> int:
        """Runs every sample of the store at ``samples`` and writes ``outputs``; returns how many.

        Values are in the source's own layout and dtypes; see :func:`write_outputs`.
        """
        ...

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        """Ways to lower, best first, as plain data; for a file whose activations will be quantized or not."""
        ...

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the model for the next stage.

        Returns:
            ``kind`` (``tflite``, ``onnx`` or ``saved_model``), ``path``, and what else that kind's lowering needs.
        """
        ...


class RoundingSource(Source, Protocol):
    """A source that may be quantized already (:attr:`Description.quantized_by`): it runs with and without rounding."""

    def run_rounded(self, samples: str, outputs: str) -> int:
        """As :meth:`run`, with the rounding of activations that :meth:`run` leaves out."""
        ...


class FrontEnd(Protocol):
    """The class itself: says what it reads, without importing a framework."""

    preload: Sequence[str]

    @staticmethod
    def reads(source: object) -> bool:
        """Whether this front end takes the source."""
        ...


def front_end_name(source: object) -> str:
    """Which entry of :data:`FRONT_ENDS` takes the source.

    Raises:
        ModelError: none does, or the file does not exist.
        UntrustedSourceError: it is a pickle.
    """
    if isinstance(source, str | Path):
        _check_path(str(source))
    for name, reference in FRONT_ENDS.items():
        if pkgutil.resolve_name(reference).reads(source):
            return name
    if isinstance(source, str | Path):
        suffix = Path(source).suffix
        known = ".keras .h5 .pt2 .onnx .tflite .pb"
        if (told := foreign(Path(source))) is not None:
            raise ModelError(f"{source}: {told[0]}, which is not read here", hint=told[1])
        raise ModelError(
            f"{source}: unknown kind of model `{suffix or 'no suffix'}`{nearest(suffix, known.split())}",
            hint=f"known are {known}, a SavedModel folder, and file.py:function",
        )
    raise ModelError(
        f"cannot convert a {type(source).__module__}.{type(source).__qualname__}",
        hint="pass a Keras model, a torch.nn.Module, an ONNX ModelProto, or a path",
    )


def _check_path(source: str) -> None:
    from edge_sdk.data.functions import is_function_reference

    if is_function_reference(source):
        return
    path = Path(source)
    # Of a name that is too long pathlib raises an OSError.
    if not os.path.exists(path):  # noqa: PTH110
        raise ModelError(f"{source}: no such file or folder")
    if path.suffix in _PICKLES:
        if (told := pickled(path)) is not None:
            raise UntrustedSourceError(f"{source}: {told[0]}, and it is not opened here", hint=told[1])
        raise UntrustedSourceError(
            f"{source}: `{path.suffix}` files are pickles, and loading a pickle runs the code in it",
            hint="save a .pt2 with torch.export.save, or write a file.py:function that builds the model, loads the "
            "weights with torch.load(..., weights_only=True) and returns it",
        )


def stacked_runs(store: SampleStore, call: Callable[[Arrays], Arrays], *, can_stack: bool) -> Iterable[Arrays]:
    """Runs a store's samples in order and yields one result for each.

    Args:
        store: the samples.
        call: runs one batch of arrays.
        can_stack: whether the first dimension of every input and output is an open batch of 1 here, so that samples
            can be run many at a time.
    """
    sample_bytes = sum(store.column(spec.name)[:1].nbytes for spec in store.specs)
    chunk = max(1, min(32, _BATCH_BYTES // max(1, sample_bytes))) if can_stack else 1
    for begin in range(0, store.count, chunk):
        end = min(begin + chunk, store.count)
        if not can_stack:
            yield call({spec.name: np.array(store.column(spec.name)[begin]) for spec in store.specs})
            continue
        batch = {s.name: np.concatenate(list(store.column(s.name)[begin:end])) for s in store.specs}
        results = call(batch)
        for row in range(end - begin):
            yield {name: values[row : row + 1] for name, values in results.items()}


def write_outputs(results: Iterable[Arrays], names: Sequence[str], folder: str) -> int:
    """Writes results where :func:`read_outputs` finds them: ``<run>_<output>.npy`` files."""
    target = Path(folder)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    count = 0
    for result in results:
        for place, name in enumerate(names):
            np.save(target / f"{count}_{place}.npy", np.asarray(result[name]))
        count += 1
    return count


def read_outputs(folder: str | Path, names: Sequence[str], count: int) -> Iterable[Arrays]:
    """What :func:`write_outputs` wrote, one run at a time."""
    for run in range(count):
        yield {name: _load(Path(folder) / f"{run}_{place}.npy") for place, name in enumerate(names)}


def _load(path: Path) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    return values
