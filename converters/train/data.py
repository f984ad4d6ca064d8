"""Training data: inputs with their targets, gone through in an order that a seed gives."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.options.training import TrainData
from edge_sdk.converters.train.stage import Batch
from edge_sdk.data import open_data
from edge_sdk.data.functions import call, is_function_reference, load_function
from edge_sdk.errors import CalibrationError, TrainingError, nearest
from edge_sdk.signature import Arrays, TensorSpec

_TARGET_NAMES = ("target", "targets", "label", "labels", "y")
_HELD_OUT = 0.1
_FORMS = "a .npz with the inputs by name and one array of targets, or file.py:function that returns such a dict"


@dataclass(frozen=True)
class ArrayBatches:
    """Arrays in memory, shuffled anew for each epoch; the last batch is filled up from the beginning.

    Attributes:
        description: where they come from.
        inputs: by name, samples along the first axis.
        targets: one array, a dict by output name, or None.
        batch_size: samples in each batch.
        seed: of the order.
    """

    description: str
    inputs: Arrays
    targets: Any
    batch_size: int
    seed: int

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(next(iter(self.inputs.values())))

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-self.count // self.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """See :class:`Batches`."""
        order = np.random.default_rng((self.seed, number)).permutation(self.count)
        padded = np.resize(order, self.steps * self.batch_size)
        for begin in range(0, len(padded), self.batch_size):
            rows = padded[begin : begin + self.batch_size]
            yield Batch({n: values[rows] for n, values in self.inputs.items()}, _rows(self.targets, rows))

    def in_order(self) -> Iterator[Batch]:
        """All samples once, in order, for evaluation."""
        for begin in range(0, self.count, self.batch_size):
            rows = slice(begin, begin + self.batch_size)
            yield Batch({n: values[rows] for n, values in self.inputs.items()}, _rows(self.targets, rows))

    def split(self) -> tuple[ArrayBatches, ArrayBatches]:
        """A part to train on and a tenth, chosen by the seed, held out for evaluation."""
        order = np.random.default_rng(self.seed).permutation(self.count)
        held = max(1, round(self.count * _HELD_OUT))
        words = f"{self.description}, of which {held} samples are held out for evaluation"
        return self._part(order[held:], words), self._part(
            order[:held], f"{held} held-out samples of {self.description}"
        )

    def _part(self, rows: npt.NDArray[Any], description: str) -> ArrayBatches:
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        return ArrayBatches(description, inputs, _rows(self.targets, rows), self.batch_size, self.seed)


@dataclass(frozen=True)
class OwnBatches:
    """A user's own iterable of batches (a DataLoader, a tf.data.Dataset): its batch size and order are its own."""

    description: str
    items: Iterable[Any]
    specs: Sequence[TensorSpec]
    steps: int

    def epoch(self, number: int) -> Iterator[Batch]:  # noqa: ARG002 - the order is the user's
        """See :class:`Batches`."""
        for item in self.items:
            yield as_batch(item, self.specs)

    def in_order(self) -> Iterator[Batch]:
        """All samples once."""
        return self.epoch(0)


def as_batch(item: Any, specs: Sequence[TensorSpec]) -> Batch:
    """``(inputs, targets)`` with inputs as a tensor, a sequence in input order or a dict.

    Raises:
        CalibrationError: anything else.
    """
    if not isinstance(item, tuple | list) or len(item) != 2:
        kind = f"a {type(item).__name__}" + (f" of {len(item)}" if isinstance(item, tuple | list) else "")
        raise CalibrationError(f"a training batch is {kind}", hint="yield (inputs, targets)")
    inputs, targets = item
    if isinstance(inputs, Mapping):
        named = dict(inputs)
    elif isinstance(inputs, tuple | list):
        named = {spec.name: value for spec, value in zip(specs, inputs, strict=False)}
    else:
        named = {specs[0].name: inputs}
    missing = [spec.name for spec in specs if spec.name not in named]
    if missing:
        raise CalibrationError(f"a training batch lacks the inputs {', '.join(missing)}")
    arrays = {spec.name: as_numpy(named[spec.name]) for spec in specs}
    _check_shapes(arrays, specs)
    if isinstance(targets, Mapping):
        return Batch(arrays, {name: as_numpy(value) for name, value in targets.items()})
    return Batch(arrays, None if targets is None else as_numpy(targets))


def as_numpy(values: Any) -> npt.NDArray[Any]:
    """A tensor of any framework as an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def open_training_data(
    data: TrainData, specs: Sequence[TensorSpec], outputs: Sequence[str], *, batch_size: int, seed: int
) -> ArrayBatches | OwnBatches:
    """Opens training data and checks it against the signature.

    Args:
        data: a ``.npz`` path or dict of arrays named after the inputs, with targets beside them (one more array for
            a model with one output, else arrays named after the outputs); ``(inputs, targets)``; a ``file.py:function``
            that returns one of these; or a re-iterable of ``(inputs, targets)`` batches such as a DataLoader.
        specs: the model's inputs.
        outputs: the model's outputs.
        batch_size: samples in a batch.
        seed: of the order.

    Raises:
        CalibrationError: absent, unreadable, or of another name, shape or dtype than the signature's.
    """
    description = str(data) if isinstance(data, str | Path) else f"{type(data).__name__} in memory"
    if isinstance(data, str | Path):
        data = _read(str(data))
    if isinstance(data, tuple) and len(data) == 2:
        given, target = data
        data = {**(given if isinstance(given, Mapping) else {specs[0].name: given}), **_named_targets(target)}
    if isinstance(data, Mapping):
        _check_names(data, specs, description)
        inputs = {n: as_numpy(v) for n, v in data.items() if n in {s.name for s in specs}}
        targets = _targets({n: as_numpy(v) for n, v in data.items() if n not in inputs}, outputs, specs, description)
        _check(inputs, targets, specs, description)
        inputs = {spec.name: _rows_of(inputs[spec.name], spec) for spec in specs}
        return ArrayBatches(description, inputs, targets, batch_size, seed)
    if not isinstance(data, Iterable) or isinstance(data, Iterator):
        raise CalibrationError(
            f"{description}: cannot be gone through more than once",
            hint=f"DATA is {_FORMS}, or a re-iterable of batches",
        )
    return OwnBatches(description, data, specs, _length(data))


def _check_names(data: Mapping[str, Any], specs: Sequence[TensorSpec], where: str) -> None:
    if absent := [spec for spec in specs if spec.name not in data]:
        raise CalibrationError(
            f"{where}: no array for input `{absent[0].name}`{nearest(absent[0].name, data)}; it has {', '.join(data)}",
            hint=f"the inputs are: {'; '.join(str(spec) for spec in specs)}",
        )


def _named_targets(target: Any) -> dict[str, Any]:
    if target is None:
        return {}
    return dict(target) if isinstance(target, Mapping) else {_TARGET_NAMES[0]: target}


def _read(text: str) -> Any:
    if is_function_reference(text):
        return call(load_function(text, error=CalibrationError), text, CalibrationError)
    path = Path(text)
    if not path.exists():
        raise CalibrationError(f"{path}: no such file", hint=f"training DATA is {_FORMS}")
    if path.suffix != ".npz":
        raise CalibrationError(f"{path}: training data needs targets beside the inputs", hint=f"DATA is {_FORMS}")
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CalibrationError(f"{path}: not a whole .npz file of plain arrays: {error}") from error


def _targets(extra: Mapping[str, Any], outputs: Sequence[str], specs: Sequence[TensorSpec], where: str) -> Any:
    if not extra:
        return None
    if set(extra) <= set(outputs):
        return dict(extra) if len(outputs) > 1 else next(iter(extra.values()))
    named = [name for name in (*outputs, *_TARGET_NAMES) if name in extra]
    if len(outputs) == 1 and (len(extra) == 1 or named):
        return extra[named[0]] if named else next(iter(extra.values()))
    raise CalibrationError(
        f"{where}: which of the arrays {', '.join(extra)} are targets is not clear",
        hint=f"inputs are {', '.join(s.name for s in specs)}; name targets after the outputs: {', '.join(outputs)}",
    )


def _check(inputs: Arrays, targets: Any, specs: Sequence[TensorSpec], where: str) -> None:
    count = open_data(inputs, specs).count
    if not count:
        raise CalibrationError(f"{where}: there are no samples")
    for name, values in targets.items() if isinstance(targets, Mapping) else [("targets", targets)]:
        if values is not None and len(values) != count:
            raise CalibrationError(f"{where}: {count} samples of inputs, but {len(values)} of `{name}`")
    for name, values in inputs.items():
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise CalibrationError(f"{where}: input `{name}` holds NaN or infinity", hint="remove these samples")


def _rows_of(values: npt.NDArray[Any], spec: TensorSpec) -> npt.NDArray[Any]:
    """Samples as rows of batches: each may be as the input is, with the batch of 1, as evaluation data has them."""
    single = values.ndim == len(spec.shape) + 1 and values.shape[1] == 1
    return values[:, 0] if single else values


def _check_shapes(inputs: Arrays, specs: Sequence[TensorSpec]) -> None:
    for spec in specs:
        if inputs[spec.name].shape[1:] != spec.static_shape[1:]:
            raise CalibrationError(
                f"a training batch: input `{spec.name}` expects [?, {', '.join(map(str, spec.static_shape[1:]))}], "
                f"got {list(inputs[spec.name].shape)}"
            )


def _length(items: Any) -> int:
    try:
        length = len(items)
    except TypeError:
        length = sum(1 for _ in items)
    if length < 1:
        raise CalibrationError("the training data has no batch")
    return length


def _rows(targets: Any, rows: Any) -> Any:
    if isinstance(targets, Mapping):
        return {name: values[rows] for name, values in targets.items()}
    return None if targets is None else targets[rows]


def with_evaluation(
    train: ArrayBatches | OwnBatches, evaluation: ArrayBatches | OwnBatches | None
) -> tuple[ArrayBatches | OwnBatches, ArrayBatches | OwnBatches]:
    """Training and evaluation data: what was given, else a held-out tenth.

    Raises:
        TrainingError: batches of the user's own cannot be split.
    """
    if evaluation is not None:
        return train, evaluation
    if isinstance(train, OwnBatches):
        raise TrainingError("no evaluation data", hint="give it: batches of your own are not split")
    if train.count < 2:
        raise TrainingError("one sample is no training data", hint="give more samples")
    return train.split()
