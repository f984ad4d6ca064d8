"""Chains, ensembles, and processing inside the file; each is run and compared with its parts before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_sdk.artifact.joining import Part, entered, joined
from edge_sdk.artifact.model import Artifact, Tensor, read_artifact
from edge_sdk.artifact.tree import parse_tree
from edge_sdk.converters.composing.drawing import Drawing
from edge_sdk.converters.composing.processing import OutputStep, Pixels, expected_outputs
from edge_sdk.converters.composing.suppressing import Nms
from edge_sdk.data.seeded import seeded_samples
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import specs_of
from edge_sdk.errors import ParityError, SignatureError
from edge_sdk.files import check_writable, write_bytes
from edge_sdk.folders import temporary_folder
from edge_sdk.parity.bounds import float_bound
from edge_sdk.signature import Arrays, shape_text

_SAMPLES = 8
Way = Literal["mean", "weighted", "vote"]


@dataclass(frozen=True)
class Composed:
    """What was written.

    Attributes:
        output: the file.
        artifact: the file, read.
        parts: the files that it is made of.
        max_abs_error: largest difference between it and its parts run one by one, over seeded samples.
        samples: how many.
    """

    output: Path
    artifact: Artifact
    parts: tuple[str, ...]
    max_abs_error: float
    samples: int

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        signature = self.artifact.signature
        return {
            "output": str(self.output),
            "parts": list(self.parts),
            "inputs": [str(spec) for spec in specs_of(signature.inputs)],
            "outputs": [str(spec) for spec in specs_of(signature.outputs)],
            "bytes": self.artifact.size_bytes,
            "sha256": self.artifact.sha256,
            "verified": {"max_abs_error": self.max_abs_error, "samples": self.samples},
        }


def chain(files: Sequence[str | Path], output: str | Path) -> Composed:
    """Each file reads what the one before it gives: by name where all names agree, else in order.

    Between a float and an integer end a QUANTIZE or DEQUANTIZE is put.

    Args:
        files: two .tflite files at least; ``FILE:SIGNATURE`` enters one that has several by that signature.
        output: the file to write.

    Raises:
        SignatureError: numbers, shapes or dtypes of ends do not fit; a file has several signatures and none is named.
        ParityError: the file does not compute what its parts do.
    """
    artifacts = _read(files, 2)
    drawing, parts = _drawn(artifacts)
    inputs, outputs = _ends(artifacts[0], parts[0])
    given, shift = dict(zip(artifacts[0].signature.outputs, outputs, strict=True)), 0
    for before, after, part in zip(artifacts, artifacts[1:], parts[1:], strict=False):
        begin, links = drawing.operator_count, _links(before, after)
        wanted, made = (dict(zip(names, ends, strict=True)) for names, ends in _named_ends(after, part))
        read = {wanted[name]: _fitted(drawing, given[source], wanted[name]) for name, source in links.items()}
        # Conversions were added behind everything; they belong before the part that reads them.
        added = drawing.operator_count - begin
        drawing.move(begin, part.operators.start + shift)
        shift += added
        for old, new in read.items():
            drawing.reroute(range(part.operators.start + shift, part.operators.stop + shift), old, new)
        given = {name: read.get(tensor, tensor) for name, tensor in made.items()}
    ends = list(zip(artifacts[0].signature.inputs, inputs, strict=True))
    data = drawing.finished(ends, list(given.items()), _note("chain", artifacts))
    return _written(data, output, artifacts, lambda sample: _run_chain(artifacts, sample))


def _named_ends(artifact: Artifact, part: Part) -> Iterator[tuple[Mapping[str, Tensor], list[int]]]:
    signature = artifact.signature
    yield from zip((signature.inputs, signature.outputs), _ends(artifact, part), strict=True)


def ensemble(
    files: Sequence[str | Path], output: str | Path, way: Way = "mean", weights: Sequence[float] | None = None
) -> Composed:
    """Files of one signature, asked together.

    Args:
        files: two .tflite files at least, with the same inputs and outputs; as for :func:`chain`.
        output: the file to write.
        way: ``mean`` of each output; ``weighted`` mean; ``vote``: the class (int32, the last axis' index) that most
            files put first, the lowest of equals.
        weights: one for each file, for ``weighted``; they are divided by their sum.

    Raises:
        SignatureError: signatures differ, or weights do not fit.
        ParityError: the file does not compute what its parts do.
    """
    artifacts = _read(files, 2)
    _check_alike(artifacts)
    shares = _shares(len(artifacts), way, weights)
    drawing, parts = _drawn(artifacts)
    ends = [_ends(artifact, part) for artifact, part in zip(artifacts, parts, strict=True)]
    for part, (inputs, _) in zip(parts[1:], ends[1:], strict=True):
        for old, new in zip(inputs, ends[0][0], strict=True):
            drawing.reroute(part.operators, old, new)
    joints = [
        _voted(drawing, tensors) if way == "vote" else _averaged(drawing, tensors, shares)
        for tensors in zip(*(outputs for _, outputs in ends), strict=True)
    ]
    first = artifacts[0].signature
    data = drawing.finished(
        list(zip(first.inputs, ends[0][0], strict=True)),
        list(zip(first.outputs, joints, strict=True)),
        _note(f"ensemble {way}", artifacts),
    )
    return _written(data, output, artifacts, lambda sample: _run_ensemble(artifacts, sample, way, shares))


def embed(
    file: str | Path,
    output: str | Path,
    inputs: Mapping[str, Pixels] | None = None,
    outputs: Mapping[str, OutputStep] | None = None,
) -> Composed:
    """Pre- and post-processing inside the file.

    Args:
        file: a .tflite file; as for :func:`chain`.
        output: the file to write.
        inputs: input name to what becomes of the pixels that the new file takes.
        outputs: output name to what becomes of it.

    Raises:
        SignatureError: a name or shape does not fit.
        ParityError: the file does not compute what the model and the steps do.
    """
    (artifact,) = _read([file], 1)
    drawing, (part,) = _drawn([artifact])
    own_inputs, own_outputs = _ends(artifact, part)
    signature = artifact.signature
    _check_names(inputs or {}, signature.inputs, "input")
    _check_names(outputs or {}, signature.outputs, "output")
    begin = drawing.operator_count
    new_inputs = [
        (name, inputs[name].draw(drawing, name, tensor, part.operators) if inputs and name in inputs else tensor)
        for name, tensor in zip(signature.inputs, own_inputs, strict=True)
    ]
    drawing.move(begin, 0)
    new_outputs = _with_steps(drawing, dict(zip(signature.outputs, own_outputs, strict=True)), outputs or {})
    data = drawing.finished(new_inputs, new_outputs, _note("embed", [artifact]))
    runner = _runner(artifact)

    def reference(sample: Arrays) -> Arrays:
        ready = {n: inputs[n].apply(v) if inputs and n in inputs else v for n, v in sample.items()}
        return expected_outputs(runner.run_real(ready), outputs or {})

    return _written(data, output, [artifact], reference)


def _with_steps(drawing: Drawing, outputs: Mapping[str, int], steps: Mapping[str, OutputStep]) -> list[tuple[str, int]]:
    used = {step.scores for step in steps.values() if isinstance(step, Nms)}
    made: list[tuple[str, int]] = []
    for name, tensor in outputs.items():
        if name in steps:
            made += steps[name].draw(drawing, name, tensor, outputs)
        elif name not in used:
            made.append((name, tensor))
    return made


# --- parts ------------------------------------------------------------------------------------------------------------


def _read(files: Sequence[str | Path], least: int) -> list[Artifact]:
    if len(files) < least:
        raise SignatureError(f"{len(files)} files, expected {least} at least")
    return [_entered(file) for file in files]


def _entered(file: str | Path) -> Artifact:
    """By the signature behind the last colon, where no file has the whole name; else by the only one there is."""
    path, key = Path(file), ""
    if not path.exists() and ":" in str(file):
        name, _, key = str(file).rpartition(":")
        path = Path(name)
    artifact = read_artifact(path)
    if key:
        return artifact.with_signature(key)
    if len(artifact.signatures) > 1:
        keys = ", ".join(one.key for one in artifact.signatures)
        raise SignatureError(f"{path} has several signatures: {keys}", hint=f"name one of them: {path}:SIGNATURE")
    return artifact


def _part_name(artifact: Artifact) -> str:
    return f"{artifact.path}:{artifact.entry}" if artifact.entry is not None else str(artifact.path)


def _runner(artifact: Artifact) -> Runner:
    runner = Runner(str(artifact.path))
    return runner if artifact.entry is None else runner.entered(artifact.entry)


def _drawn(artifacts: Sequence[Artifact]) -> tuple[Drawing, list[Part]]:
    roots = [
        entered(parse_tree(Path(str(a.path)).read_bytes(), path=a.path)[0], a.signature.subgraph) for a in artifacts
    ]
    root, parts = joined(roots)
    return Drawing(root), parts


def _ends(artifact: Artifact, part: Part) -> tuple[list[int], list[int]]:
    """Tensors of the signature's inputs and outputs, in its order, where they are in the joint graph."""
    graph, signature = artifact.main, artifact.signature
    inputs = dict(zip(graph.inputs, part.inputs, strict=True))
    outputs = dict(zip(graph.outputs, part.outputs, strict=True))
    return [inputs[t.index] for t in signature.inputs.values()], [outputs[t.index] for t in signature.outputs.values()]


def _links(before: Artifact, after: Artifact) -> dict[str, str]:
    """Input of the second to output of the first."""
    given, wanted = list(before.signature.outputs), list(after.signature.inputs)
    if set(wanted) <= set(given):
        links = {name: name for name in wanted}
    elif len(given) == len(wanted):
        links = dict(zip(wanted, given, strict=True))
    else:
        raise SignatureError(
            f"{before.path} gives {len(given)} outputs ({', '.join(given)}), {after.path} takes {len(wanted)} inputs "
            f"({', '.join(wanted)})",
            hint="names or numbers must agree",
        )
    for name, source in links.items():
        _check_fits(before.signature.outputs[source], after.signature.inputs[name], f"`{source}` to `{name}`")
    return links


def _check_fits(given: Tensor, wanted: Tensor, what: str) -> None:
    real = {"float32"}
    alike = given.dtype == wanted.dtype or {_kind(given), _kind(wanted)} <= real
    if given.shape != wanted.shape or not alike:
        raise SignatureError(
            f"{what}: {given.dtype}{shape_text(given.shape)} does not fit {wanted.dtype}{shape_text(wanted.shape)}"
        )


def _kind(tensor: Tensor) -> str:
    return "float32" if tensor.quantization is not None else tensor.dtype


def _fitted(drawing: Drawing, given: int, wanted: int) -> int:
    same = drawing.dtype(given) == drawing.dtype(wanted)
    scales = [_numbers(drawing.quantization(tensor)) for tensor in (given, wanted)]
    return given if same and scales[0] == scales[1] else drawing.like(given, wanted)


def _numbers(quantization: Any) -> tuple[Any, ...]:
    if quantization is None:
        return ()
    zero = quantization.zero_point
    return tuple(map(float, quantization.scale)), tuple(map(int, [] if zero is None else zero))


def _check_alike(artifacts: Sequence[Artifact]) -> None:
    def ends(artifact: Artifact) -> list[str]:
        signature = artifact.signature
        return [str(spec) for spec in (*specs_of(signature.inputs), *specs_of(signature.outputs))]

    for other in artifacts[1:]:
        if ends(other) != ends(artifacts[0]):
            raise SignatureError(
                f"{other.path} has {', '.join(ends(other))}; {artifacts[0].path} has {', '.join(ends(artifacts[0]))}",
                hint="an ensemble is of files with the same inputs and outputs",
            )


def _check_names(given: Mapping[str, Any], known: Mapping[str, Any], what: str) -> None:
    for name in given:
        if name not in known:
            raise SignatureError(f"{what} `{name}` does not exist", hint=f"the names are: {', '.join(known)}")


def _shares(count: int, way: Way, weights: Sequence[float] | None) -> list[float]:
    if way != "weighted":
        if weights is not None:
            raise SignatureError(f"weights are for `weighted`, not for `{way}`")
        return [1 / count] * count
    if weights is None or len(weights) != count or min(weights) < 0 or not sum(weights):
        raise SignatureError(f"{count} files need {count} weights that are not negative, got {weights}")
    return [weight / sum(weights) for weight in weights]


def _averaged(drawing: Drawing, tensors: Sequence[int], shares: Sequence[float]) -> int:
    total = -1
    for tensor, share in zip(tensors, shares, strict=True):
        real = drawing.as_float(tensor)
        shape = drawing.shape(real)
        scaled = drawing.op(
            "MUL", [real, drawing.constant(share, "float32")], [drawing.tensor("share", shape, "float32")]
        )
        summed = [total, scaled]
        total = scaled if total < 0 else drawing.op("ADD", summed, [drawing.tensor("mean", shape, "float32")])
    return total


def _voted(drawing: Drawing, tensors: Sequence[int]) -> int:
    *rest, classes = drawing.shape(tensors[0])
    axis, depth = drawing.constant(len(rest), "int32"), drawing.constant(classes, "int32")
    ends = drawing.constant(1.0, "float32"), drawing.constant(0.0, "float32")
    total = -1
    for tensor in tensors:
        place = drawing.op("ARG_MAX", [tensor, axis], [drawing.tensor("class", rest, "int32")], output_type="int32")
        shape = [*rest, classes]
        vote = drawing.op("ONE_HOT", [place, depth, *ends], [drawing.tensor("vote", shape, "float32")], axis=-1)
        total = vote if total < 0 else drawing.op("ADD", [total, vote], [drawing.tensor("votes", shape, "float32")])
    return drawing.op("ARG_MAX", [total, axis], [drawing.tensor("winner", rest, "int32")], output_type="int32")


# --- proof ------------------------------------------------------------------------------------------------------------


def _run_chain(artifacts: Sequence[Artifact], sample: Arrays) -> Arrays:
    values = sample
    for place, artifact in enumerate(artifacts):
        if place:
            links = _links(artifacts[place - 1], artifact)
            values = {name: values[source] for name, source in links.items()}
        values = _runner(artifact).run_real(values)
    return values


def _run_ensemble(artifacts: Sequence[Artifact], sample: Arrays, way: Way, shares: Sequence[float]) -> Arrays:
    every = [_runner(artifact).run_real(sample) for artifact in artifacts]
    if way != "vote":
        return {n: np.sum([s * one[n] for s, one in zip(shares, every, strict=True)], axis=0) for n in every[0]}
    joint = {}
    for name, values in every[0].items():
        votes = np.sum([np.eye(values.shape[-1])[one[name].argmax(-1)] for one in every], axis=0)
        joint[name] = votes.argmax(-1).astype(np.int32)
    return joint


def _note(form: str, artifacts: Sequence[Artifact]) -> dict[str, Any]:
    from edge_sdk.version import __version__

    return {"edge_sdk": __version__, "composed": form, "parts": [artifact.sha256 for artifact in artifacts]}


def _written(
    data: bytes, output: str | Path, artifacts: Sequence[Artifact], reference: Callable[[Arrays], Arrays]
) -> Composed:
    """Compares with the parts, then writes."""
    output = Path(output)
    check_writable(output)
    with temporary_folder("compose") as folder:
        candidate = folder / "composed.tflite"
        candidate.write_bytes(data)
        worst = _compared(Runner(candidate), reference)
    write_bytes(output, data)
    parts = tuple(_part_name(artifact) for artifact in artifacts)
    return Composed(output, read_artifact(output), parts, worst, _SAMPLES)


def _compared(runner: Runner, reference: Callable[[Arrays], Arrays]) -> float:
    worst = 0.0
    for sample in seeded_samples(runner.inputs, count=_SAMPLES, seed=0):
        wants, results = reference(sample), runner.run_real(sample)
        worst = max(worst, *(_difference(runner.artifact, results[name], wants[name], name) for name in wants))
    return worst


def _difference(artifact: Artifact, result: Any, want: Any, name: str) -> float:
    if result.shape != want.shape:
        raise ParityError(f"output `{name}` has shape {list(result.shape)}, its parts give {list(want.shape)}")
    error = float(np.max(np.abs(result.astype(np.float64) - want), initial=0.0))
    bound = float_bound(artifact, float(np.max(np.abs(want), initial=0.0)), output=name)
    if error > (bound.value if want.dtype.kind == "f" else 0):
        raise ParityError(f"output `{name}` differs by {error:.3g} from what the parts compute, expected {bound}")
    return error
