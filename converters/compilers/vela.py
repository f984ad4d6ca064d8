"""Arm's compiler for Ethos-U. How it is run and read stands in :mod:`edge_sdk.checks`, which asks it too."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edge_sdk.artifact.borders import in_one_op
from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.checks.delegates.ethos_u.check import RULES, as_vela_places
from edge_sdk.checks.delegates.ethos_u.vela import PACKAGE, compile_for_ethos_u, vela_version
from edge_sdk.checks.delegates.ethos_u.vela_answer import VelaAnswer
from edge_sdk.checks.placement.rule_sets import place_by
from edge_sdk.checks.verdict import OpPlace
from edge_sdk.converters.compilers.seam import Compilation, Job, License, Simulated
from edge_sdk.errors import MissingDependencyError, NothingPlacedError, TargetError, nearest
from edge_sdk.findings import Finding
from edge_sdk.profile.records import ETHOS_U_VARIANTS, DeviceProfile


class _Vela:
    name = "vela"
    extra = "ethos-u"
    elsewhere = False
    license = License("Apache-2.0", "Apache-2.0: nothing is asked of you", asks=False)

    def target_of(self, profile: DeviceProfile) -> str | None:
        return next((one.variant for one in profile.device.delegates if one.rules in RULES), None)

    def ending(self, _: str) -> str:
        return "_vela.tflite"

    def ready(self, target: str, python: Path | None) -> None:
        if python is not None:
            raise TargetError("vela runs in edge-sdk's own environment", hint="leave --env away; pip install it here")
        if target not in ETHOS_U_VARIANTS:
            near = nearest(target, ETHOS_U_VARIANTS)
            raise TargetError(f"vela knows no `{target}`{near}", hint=f"one of {', '.join(ETHOS_U_VARIANTS)}")
        if vela_version() is None:
            raise MissingDependencyError(PACKAGE, extra=self.extra, why=f"compiling for {target}")

    def compile(self, job: Job) -> Compilation:
        job.progress.stage(f"compile for {job.target} with {PACKAGE}")
        content = in_one_op(job.content)
        made = compile_for_ethos_u(content, job.target, seconds=job.seconds)
        artifact, answer = parse_artifact(content), made.answer
        if answer.takes_nothing:
            raise NothingPlacedError(
                f"{PACKAGE} {answer.version} places nothing on the {job.target}",
                hint="it takes int8 and int16 ops: recipe static_wi8_ai8_io8; `edge-sdk check` says why for each op",
            )
        return Compilation(
            compiler=self.name,
            tool=f"{PACKAGE} {answer.version}",
            target=job.target,
            content=made.content,
            suffix=".tflite",
            places=_places(artifact, answer),
            partitions=sum(op.name == "CUSTOM:ethos-u" for op in parse_artifact(made.content).main.ops),
            account=asdict(answer),
            simulated=Simulated(answer.inference_ms, None, None, _assumed(answer)),
            findings=(Finding("compiled-not-run", "info", "it was not run: no NPU, no simulator here"),),
        )


def _assumed(answer: VelaAnswer) -> str:
    system = f"{answer.system_config}, {answer.memory_mode}"
    return f"{PACKAGE} assumes {system} at {answer.clock_mhz:g} MHz and gives no bounds; ops on the CPU are not in it"


def _places(artifact: Artifact, answer: VelaAnswer) -> tuple[OpPlace, ...]:
    """Vela's words for each op. Its partitions are not told apart in its answer: what it takes counts as the first."""
    main = artifact.main
    rules = "ethos_u85" if "u85" in answer.accelerator else "ethos_u"
    placed = as_vela_places(main, place_by(rules, main), answer)
    return tuple(
        OpPlace(
            main.index,
            op.index,
            op.name,
            next((tensor.name for tensor in main.results(op)), ""),
            None if op.index in placed.refused else 0,
            placed.refused.get(op.index),
        )
        for op in main.ops
    )


COMPILER = _Vela()
