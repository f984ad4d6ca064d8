"""Qualcomm's compiler behind the seam: a file with the NPU's program inside, for one chip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from edge_sdk.artifact.excerpt import named_apart, one_op
from edge_sdk.artifact.model import Artifact, Op, Subgraph, parse_artifact
from edge_sdk.converters.compilers.child import Said, failure
from edge_sdk.converters.compilers.qualcomm import answer
from edge_sdk.converters.compilers.qualcomm.asking import Question, ask, known_socs
from edge_sdk.converters.compilers.qualcomm.emulating import emulate
from edge_sdk.converters.compilers.qualcomm.libraries import Parts, find_parts
from edge_sdk.converters.compilers.seam import Compilation, Job, License
from edge_sdk.errors import BuildError, ModelError, NothingPlacedError, TargetError, nearest
from edge_sdk.findings import Finding
from edge_sdk.folders import temporary_folder
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.signature import Arrays

_TERMS = (
    "Qualcomm AI Stack License (onnxruntime_qnn/Qualcomm_LICENSE.pdf): for developing and benchmarking your own "
    "applications; its libraries may be passed on inside your application only; no reverse engineering"
)
_OLD_ARCHITECTURE = 68


class _Qualcomm:
    name = "qualcomm"
    extra = "qualcomm"
    elsewhere = True
    license = License("Qualcomm AI Stack License", _TERMS, asks=True)

    def target_of(self, profile: DeviceProfile) -> str | None:
        return profile.soc.part if profile.soc.vendor == "Qualcomm" else None

    def ending(self, target: str) -> str:
        return f"_{target.lower()}.tflite"

    def ready(self, target: str, python: Path | None) -> None:
        parts = find_parts(python, f"compiling for {target}")
        socs = known_socs(parts)
        if target not in socs:
            raise TargetError(
                f"{parts.words} knows no chip `{target}`{nearest(target, socs)}",
                hint=f"name one by --soc: {', '.join(socs)}",
            )

    def compile(self, job: Job) -> Compilation:
        parts = find_parts(job.python, f"compiling for {job.target}")
        artifact = parse_artifact(job.content)
        job.progress.stage(f"ask {parts.words} which ops the {job.target} takes")
        taken = _taken(parts, job, artifact)
        refused = [(g, op) for g in artifact.subgraphs for op in g.ops if op.index not in taken[g.index]]
        reasons = dict(_reasons(parts, job, refused))
        if not any(taken.values()):
            raise _nothing(parts, job, refused, reasons)
        job.progress.stage(f"compile for {job.target}")
        said, made = _answered(parts, job, "apply", job.content)
        partitions = {(graph, number) for graph, ops in taken.items() for number in ops.values() if number is not None}
        return Compilation(
            compiler=self.name,
            tool=f"{parts.words} (QNN {answer.sdk_version(said.text) or 'of unknown version'})",
            target=job.target,
            content=made,
            suffix=".tflite",
            places=tuple(answer.places(artifact, taken, reasons)),
            partitions=len(partitions),
            account={"hexagon": answer.architecture(said.text), **answer.spilled(said.text)},
            findings=tuple(_findings(artifact, said, job.target)),
        )

    def emulate(self, job: Job, made: Compilation, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        return emulate(job, made, samples)


def _taken(parts: Parts, job: Job, artifact: Artifact) -> Mapping[int, Mapping[int, int | None]]:
    """Which ops, by a copy with other names: the file that is kept has programs at offsets and is not rewritten."""
    said, made = _answered(parts, job, "partition", named_apart(job.content))
    try:
        return answer.taken_ops(artifact, made, said.text)
    except (ModelError, answer.UnreadableAnswerError, IndexError) as error:
        raise failure(parts.words, f"left nothing that can be read: {error}", said) from error


def _answered(parts: Parts, job: Job, question: Question, content: bytes) -> tuple[Said, bytes]:
    with temporary_folder("qualcomm") as folder:
        said, made = ask(parts, question, folder, content=content, target=job.target, seconds=job.seconds)
    if said.status:
        words = answer.reason_in(said.text) or f"exit status {said.status}"
        raise failure(parts.words, f"refuses the file as a whole: {words}", said, "`edge-sdk inspect` shows its ops")
    if not made:
        raise failure(parts.words, "ended well and left no file", said)
    return said, made


def _reasons(parts: Parts, job: Job, refused: list[tuple[Subgraph, Op]]) -> Iterator[tuple[tuple[int, int], str]]:
    """The vendor's words for each op. Its log tells ops apart only where one stands alone; alike ops are asked once."""
    if refused:
        job.progress.stage(f"ask why {len(refused)} ops stay outside")
    known: dict[object, str] = {}
    for done, (graph, op) in enumerate(refused, 1):
        kind = _kind(graph, op)
        if kind not in known:
            known[kind] = _reason(parts, job, graph, op)
        job.progress.count(done, len(refused))
        yield (graph.index, op.index), known[kind]


def _kind(graph: Subgraph, op: Op) -> object:
    """What a validator can see of an op: equal for ops that differ in names and values only."""
    shapes = tuple((t.dtype, t.shape, t.is_stored, t.quantization) for t in (*graph.operands(op), *graph.results(op)))
    return op.name, op.version, repr(sorted(op.options.items())), shapes


def _reason(parts: Parts, job: Job, graph: Subgraph, op: Op) -> str:
    with temporary_folder("qualcomm") as folder:
        alone = one_op(job.content, graph, op)
        try:
            said, _ = ask(parts, "partition", folder, content=alone, target=job.target)
        except BuildError as error:
            return f"asked about it alone, {error}"
    return answer.reason_in(said.text)


def _nothing(
    parts: Parts, job: Job, refused: list[tuple[Subgraph, Op]], reasons: Mapping[tuple[int, int], str]
) -> NothingPlacedError:
    graph, op = refused[0]
    why = reasons.get((graph.index, op.index)) or "no reason given"
    return NothingPlacedError(
        f"{parts.words} places none of {len(refused)} ops on the {job.target}; the first, {op.name}: {why}",
        hint="the NPU takes int8, int16 and, from v69 on, float16: try recipe static_wi8_ai8",
    )


def _findings(artifact: Artifact, said: Said, target: str) -> Iterator[Finding]:
    version = answer.sdk_version(said.text)
    if answer.architecture(said.text) == _OLD_ARCHITECTURE:
        yield Finding(
            "qnn-v68-context",
            "warning",
            f"{target} has a Hexagon of v68: programs for it that were made on x86 have failed on devices",
            hint="try it on a device before you ship it (microsoft/onnxruntime issue 26686)",
        )
    yield Finding(
        "qnn-version",
        "warning",
        f"the program in the file is tied to QNN {version}: the app's QNN libraries must be of that version or newer",
        hint="ship them with the app; what the phone brings may be older",
    )
    yield Finding(
        "qnn-libraries",
        "warning",
        "an app without libQnnHtp.so and its Stub and Skel libraries runs it on the CPU or not at all, without a word",
        hint="`edge-sdk android check APK` looks for them",
    )
    if any(graph.ops and graph.index for graph in artifact.subgraphs):
        yield Finding("compiled-subgraphs", "info", "every subgraph was compiled, those of control flow among them")
    yield Finding("compiled-not-run", "info", "it was not run on the NPU", hint="--emulate runs it on this CPU")


COMPILER = _Qualcomm()
