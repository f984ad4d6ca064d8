"""Rockchip's compiler, rknn-toolkit2, in an environment of its own: it pins PyTorch, numpy and onnx of old.

What it returns is not to be trusted: it prints errors and ends with 0. The file is looked at.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge_sdk.converters.compilers.child import Said, failure, run_program
from edge_sdk.converters.compilers.environment import packages, python_of
from edge_sdk.converters.compilers.seam import Compilation, Job, License
from edge_sdk.errors import MissingDependencyError, TargetError, nearest
from edge_sdk.findings import Finding
from edge_sdk.folders import temporary_folder
from edge_sdk.profile.records import DeviceProfile

PACKAGE = "rknn-toolkit2"
CHIPS = (
    "rk2118",
    "rk3562",
    "rk3566",
    "rk3568",
    "rk3576",
    "rk3588",
    "rv1103",
    "rv1103b",
    "rv1106",
    "rv1106b",
    "rv1126b",
)
"""Target platforms of rknn-toolkit2 2.x, as far as known here; rk3588 was compiled for, the others were not tried."""
_CHILD = Path(__file__).with_name("rockchip_child.py")
_MAGIC = b"RKNN"
_STEP = re.compile(r"step (\w+) returned (\S+)")
_ERROR = re.compile(r"^E RKNN: (?:\[[\d:.]+\]\s*)?(.+)$", re.MULTILINE)
_TERMS = (
    "rknn-toolkit2's package states none; Rockchip's own terms apply (github.com/airockchip/rknn-toolkit2, LICENSE)"
)


class _Rockchip:
    name = "rockchip"
    extra = "rockchip"
    elsewhere = True
    license = License("Rockchip's terms", _TERMS, asks=True)

    def target_of(self, profile: DeviceProfile) -> str | None:
        return profile.soc.part.lower() if profile.soc.vendor == "Rockchip" and profile.soc.part else None

    def ending(self, target: str) -> str:
        return f"_{target}.rknn"

    def ready(self, target: str, python: Path | None) -> None:
        if target not in CHIPS:
            raise TargetError(
                f"{PACKAGE} knows no chip `{target}`{nearest(target, CHIPS)}", hint=f"one of {', '.join(CHIPS)}"
            )
        _version(python, target)

    def compile(self, job: Job) -> Compilation:
        what = f"{PACKAGE} {_version(job.python, job.target)}"
        job.progress.stage(f"compile for {job.target} with {what}")
        with temporary_folder("rockchip") as folder:
            source, result = folder / "model.tflite", folder / "model.rknn"
            source.write_bytes(job.content)
            command: list[str | Path] = [python_of(self.name, job.python), _CHILD, source.name, job.target, result.name]
            said = run_program(command, folder, what=what, seconds=job.seconds)
            content = result.read_bytes() if result.exists() else b""
        _judge(what, said, content)
        told = tuple(dict.fromkeys(_ERROR.findall(said.text)))
        return Compilation(
            compiler=self.name,
            tool=what,
            target=job.target,
            content=content,
            suffix=".rknn",
            places=(),
            partitions=None,
            account={"errors_printed": list(told)},
            findings=_findings(told),
        )


def _version(given: Path | None, target: str) -> str:
    found = packages(python_of("rockchip", given), ((PACKAGE, "rknn"),))[PACKAGE]
    if found is None:
        raise MissingDependencyError(PACKAGE, extra="rockchip", why=f"compiling for {target}")
    return found.version


def _judge(what: str, said: Said, content: bytes) -> None:
    """Whether it did what it was asked for: by the file, and by the last step that it took.

    Raises:
        BuildError: it did not.
    """
    steps = dict(_STEP.findall(said.text))
    errors = _ERROR.findall(said.text)
    words = f": {errors[0]}" if errors else ""
    if said.status or "export_rknn" not in steps:
        stage = f"after {list(steps)[-1]}" if steps else "while it started"
        raise failure(what, f"failed {stage} (exit status {said.status}){words}", said)
    if not content:
        raise failure(what, f"says that all went well and left no file{words}", said)
    if not content.startswith(_MAGIC):
        raise failure(what, f"left a file that is no RKNN file: it begins with {content[:4]!r}{words}", said)


def _findings(told: tuple[str, ...]) -> tuple[Finding, ...]:
    own = Finding(
        "rknn-own-runtime",
        "warning",
        "an .rknn file is run by Rockchip's librknnrt, not by LiteRT: edge-sdk neither opens nor verifies it",
        hint="its placement is not told; the board's driver must be of the toolkit's version or newer",
    )
    printed = tuple(
        Finding("rknn-prints-errors", "warning", f"it printed an error and went on: {text}") for text in told
    )
    return (*printed, own)


COMPILER = _Rockchip()
