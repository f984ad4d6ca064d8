"""Runs over whole data sets."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sdk.data import DataFacts, ImageOptions, SampleCheck, check_samples, open_data
from edge_sdk.data.images import holds_images
from edge_sdk.data.opening import Data, DataSource
from edge_sdk.engines.sequence import CallSequence
from edge_sdk.errors import CalibrationError
from edge_sdk.files import write_bytes
from edge_sdk.parity.labelled import Labelled, by_label, labelled
from edge_sdk.progress import Progress
from edge_sdk.rows import Tabular
from edge_sdk.runtime.receipt import Receipt
from edge_sdk.runtime.session import Session
from edge_sdk.signature import Arrays, TensorSpec

if TYPE_CHECKING:
    from edge_sdk.bundle.steps import InputProcessing


@dataclass(frozen=True, repr=False)
class BatchResult(Tabular):
    """Outputs of all runs, each of shape ``(runs, *output shape)``; labels of their classes where there are any."""

    path: str
    data: DataFacts
    outputs: Arrays
    receipt: Receipt
    labels: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    accuracy: Labelled | None = None
    """Where the data has a subfolder for each class."""

    def headline(self) -> str:
        """What ran, on what."""
        return f"{self.path}: {self._runs()} on {self.receipt.opening.chosen.engine}"

    def _runs(self) -> str:
        return "1 run" if self.data.count == 1 else f"{self.data.count} runs"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each output, over all runs."""
        return [{"output": name, **facts, "shape": str(facts["shape"])} for name, facts in self._ranges().items()]

    def _ranges(self) -> dict[str, dict[str, Any]]:
        return {
            name: {
                "shape": list(values.shape),
                "dtype": str(values.dtype),
                "minimum": float(values.min()) if values.size else None,
                "maximum": float(values.max()) if values.size else None,
            }
            for name, values in self.outputs.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Shapes and ranges, not the values."""
        return {
            "artifact": self.path,
            "engine": self.receipt.opening.chosen.engine,
            "data": self.data.as_json(),
            "outputs": self._ranges(),
            "accuracy": self._accuracy(),
            "receipt": self.receipt.as_json(),
            "receipt_line": self.receipt.line(),
        }

    def text(self, top: int) -> str:
        """A few lines; the ``top`` classes of the first run where an output is class-like; the receipt last."""
        lines = [f"{self.path}: {self._runs()} on {self.receipt.opening.chosen.engine}"]
        for name, values in self.outputs.items():
            spread = f"from {values.min():.4g} to {values.max():.4g}" if values.size else "empty"
            lines.append(f"  {name}: {values.dtype}{list(values.shape)}, {spread}")
            if values.ndim == 3 and values.shape[1] == 1 and values.shape[2] > 1:
                best = np.argsort(values[0, 0])[::-1][:top]
                listing = ", ".join(f"{self._class(name, index)}: {values[0, 0, index]:.4g}" for index in best)
                lines.append(f"    first run, largest: {listing}")
        if self.accuracy:
            shown = f"{self.accuracy.file:.2%} of {self.accuracy.samples} samples"
            lines.append(f"  accuracy: {shown}, {self.accuracy.classes} classes by subfolder (measured)")
        return "\n".join([*lines, f"  receipt: {self.receipt.line()}"])

    def _accuracy(self) -> dict[str, Any] | None:
        found = self.accuracy
        return {"output": found.output, "samples": found.samples, "share": found.file} if found else None

    def _class(self, output: str, index: int) -> str:
        names = self.labels.get(output, ())
        return names[index] if index < len(names) else str(index)


def run_data(
    session: Session, data: Data, *, images: ImageOptions | None, progress: Progress, calls: Sequence[str] = ()
) -> BatchResult:
    """Runs a model on every sample; the next ones are prepared while the engine runs.

    Args:
        session: the open model.
        data: see ``open_data``; in the file's own layout.
        images: how pixels of a folder become values; None leaves it to the bundle's own processing, or the defaults.
        progress: hears of counts.
        calls: signatures to call in order on each sample, as ``Session.sequence`` does.

    Raises:
        CalibrationError: the data does not fit the signature.
    """
    subject = session.sequence(calls) if calls else session
    specs = tuple(_spec(spec) for spec in subject.inputs)
    source = _source(session, data, specs, images)
    check = SampleCheck(source.description, specs)
    results = []
    progress.stage("run")
    samples = check.watch(source.samples())
    made_all = map(subject.run, samples) if isinstance(subject, CallSequence) else subject.run_many(samples)
    for outputs in made_all:
        results.append(outputs)
        progress.count(len(results), source.count)
    check_samples(check, purpose="run")
    made = {spec.name: np.stack([result[spec.name] for result in results]) for spec in subject.outputs}
    receipt = session.receipt
    return BatchResult(
        receipt.asked.model, check.facts, made, receipt, _labels(session), _accuracy(session, source, results)
    )


def _accuracy(session: Session, source: DataSource, results: Sequence[Arrays]) -> Labelled | None:
    """Of the data's own classes, by the names of the bundle's labels where the subfolders bear them."""
    labels = next(filter(None, _labels(session).values()), ())
    classes = by_label(source.classes, source.class_names, labels)
    return labelled(classes, ((one, one) for one in results)) if classes else None


def write_npz(path: Path, arrays: Arrays) -> None:
    """Writes arrays by name, whole or not at all."""
    # In memory first: where the disk is full, numpy's archive complains once more when it is dropped.
    held = io.BytesIO()
    np.savez(held, **arrays)
    write_bytes(path, held.getbuffer())


def _spec(spec: TensorSpec) -> TensorSpec:
    image = len(spec.shape) == 4 and spec.shape[3] in (1, 3, 4)
    return replace(spec, layout="NHWC" if image else None)


def _source(session: Session, data: Data, specs: Sequence[TensorSpec], images: ImageOptions | None) -> DataSource:
    """A folder of images goes through the bundle's processing, unless other options are given."""
    folder = Path(data) if isinstance(data, str | Path) else None
    if (
        images is None
        and session.bundle is not None
        and folder is not None
        and holds_images(folder)
        and len(specs) == 1
    ):
        known = session.bundle.manifest.processing.input(specs[0].name)
        if known is not None:
            return _processed(folder, known, specs[0])
    return open_data(data, specs, images=images or ImageOptions())


def _processed(folder: Path, processing: InputProcessing, spec: TensorSpec) -> DataSource:
    from edge_sdk.bundle.processing import preprocess
    from edge_sdk.data.images import class_folders, image_files, read_picture

    files = image_files(folder)

    def samples() -> Iterator[Arrays]:
        for path in files:
            values = preprocess(read_picture(path), processing)
            if values.shape != spec.static_shape:
                raise CalibrationError(
                    f"{path}: the bundle's processing makes {list(values.shape)} of it, `{spec.name}` is {spec}",
                    hint="the bundle's processing does not fit its model: give --image-* options instead",
                )
            yield {spec.name: values.astype(spec.dtype, copy=False)}

    what = f"{len(files)} images of {folder}, processed as the bundle says"
    return DataSource(what, len(files), samples, *class_folders(folder, files))


def _labels(session: Session) -> dict[str, tuple[str, ...]]:
    bundle = session.bundle
    return {spec.name: bundle.labels(spec.name) for spec in session.outputs} if bundle is not None else {}
