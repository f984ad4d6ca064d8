"""Compiled variants of a bundle: one for each chip that it is made for, of the file that suits its NPU."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.bundle.describe import precision
from edge_sdk.bundle.manifest import CompiledFor
from edge_sdk.bundle.options import CompiledFile
from edge_sdk.converters.compilers.compiling import require_license
from edge_sdk.converters.compilers.seam import Compilation, Compiler, Job, compiler_for
from edge_sdk.errors import TargetError
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.progress import Progress

_MODEL = ".tflite"
_BEST_FIRST = ("int8", "integer", "int16", "float16", "float32", "hybrid_int8")
# What LiteRT hands to a vendor's dispatch; other compiled ops are an external delegate's.
_DISPATCHED = "CUSTOM:DISPATCH_OP"


@dataclass(frozen=True)
class CompileFor:
    """For which devices, and how.

    Attributes:
        profiles: ids, or ``.toml`` files.
        accepted: compilers whose licences are accepted.
        python: environment that holds the compilers that may be elsewhere than in edge-sdk's own; None for that one, or
            what ``EDGE_SDK_<NAME>_ENV`` says.
        seconds: after which each compilation is stopped.
    """

    profiles: Sequence[str | Path]
    accepted: Collection[str] = ()
    python: Path | None = None
    seconds: float = 900.0


@dataclass(frozen=True)
class Chip:
    """One chip, and the devices that have it."""

    compiler: Compiler
    target: str
    profiles: tuple[DeviceProfile, ...]


def chips_of(asked: CompileFor) -> tuple[Chip, ...]:
    """The chips, each once. All that can be refused is refused here, before anything is converted.

    Raises:
        UnknownDeviceError: a device is unknown; names the nearest.
        TargetError: no compiler is for a device, it knows no such chip, or its files are none that a bundle holds.
        LicenseError: a compiler's licence was not accepted.
        MissingDependencyError: a compiler is not installed.
    """
    found: dict[tuple[str, str], Chip] = {}
    for one in asked.profiles:
        profile = find_profile(str(one))
        compiler, target = compiler_for(profile)
        if not compiler.ending(target).endswith(_MODEL):
            raise TargetError(
                f"{profile.id}: {compiler.name} makes no {_MODEL} for {target}, and a bundle holds nothing else",
                hint=f"ship what `edge-sdk compile --profile {profile.id}` makes beside the bundle",
            )
        known = found.get((compiler.name, target))
        found[compiler.name, target] = Chip(compiler, target, (*(known.profiles if known else ()), profile))
    for chip in found.values():
        require_license(chip.compiler, asked.accepted)
        chip.compiler.ready(chip.target, _environment(chip, asked))
    return tuple(found.values())


def compiled_files(
    files: Sequence[Path], chips: Sequence[Chip], asked: CompileFor, progress: Progress
) -> Iterator[CompiledFile]:
    """What each chip's compiler makes of the file that suits an NPU best: of integers, before halves, before floats.

    Args:
        files: .tflite files of one model.
        chips: see :func:`chips_of`.
        asked: likewise.
        progress: hears of stages.

    Raises:
        ModelError: a file cannot be read.
        ToolError: a compiler refused the file, failed, died, or did not end.
        NothingPlacedError: it ended well with nothing on the NPU.
    """
    contents = [(path, path.read_bytes()) for path in files] if chips else []
    ranked = sorted(contents, key=lambda one: _BEST_FIRST.index(precision(parse_artifact(one[1], path=one[0]))))
    for chip in chips:
        path, content = ranked[0]
        job = Job(content, chip.target, _environment(chip, asked), asked.seconds, progress)
        made = chip.compiler.compile(job)
        yield CompiledFile(made.content, path, _facts(chip, made))


def _environment(chip: Chip, asked: CompileFor) -> Path | None:
    return asked.python if chip.compiler.elsewhere else None


def _facts(chip: Chip, made: Compilation) -> CompiledFor:
    compiled = parse_artifact(made.content)
    names = {name for profile in chip.profiles for name in profile.chip_names}
    simulated = made.simulated
    return CompiledFor(
        compiler=made.compiler,
        tool=made.tool,
        target=made.target,
        chips=tuple(sorted(names)),
        delegate="npu" if any(op.name == _DISPATCHED for op in compiled.main.ops) else "external",
        made_from="",
        profiles=tuple(profile.id for profile in chip.profiles),
        ops=len(made.places),
        ops_on_npu=len(made.places) - len(made.outside),
        partitions=made.partitions,
        simulated_ms=None if simulated is None else simulated.ms,
        low_ms=None if simulated is None else simulated.low_ms,
        high_ms=None if simulated is None else simulated.high_ms,
    )
