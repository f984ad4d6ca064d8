"""``edge-sdk compile``: one .tflite for one chip. All that can be refused is refused before the compiler starts."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sdk.artifact.excerpt import compiled_op
from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.compilers.emulation import Emulated, Trial, emulate, require_emulator
from edge_sdk.converters.compilers.seam import COMPILERS, Compilation, Compiler, Job, compiler_for, find_compiler
from edge_sdk.errors import LicenseError, ModelError, TargetError, nearest
from edge_sdk.files import check_writable, write_bytes
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.progress import Progress, Silent

ACCEPTED = "EDGE_SDK_ACCEPT_LICENSES"
"""Environment variable: names of compilers whose licences the user has accepted, separated by commas."""


@dataclass(frozen=True)
class CompileOptions:
    """What a user may ask of a compilation.

    Attributes:
        profile: the device; None where ``soc`` names the compiler too.
        soc: the chip in the compiler's word, over the profile's; ``qualcomm:SM8650`` names the compiler too.
        accepted: compilers whose licences are accepted.
        python: environment that holds the compiler: its interpreter or its folder; None for this one.
        seconds: after which the compiler is stopped, and the emulator.
        trial: on what to compare the NPU, emulated here, with the CPU; None for not at all.
    """

    profile: DeviceProfile | None = None
    soc: str | None = None
    accepted: Collection[str] = ()
    python: Path | None = None
    seconds: float = 900.0
    trial: Trial | None = None


@dataclass(frozen=True)
class Compiled:
    """What was compiled, and where it was written."""

    output: Path
    compilation: Compilation
    emulated: Emulated | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        emulated = self.emulated.as_json() if self.emulated else None
        return {"output": str(self.output), **self.compilation.as_json(), "emulated": emulated}


def compile_file(
    file: Path, output: Path | None = None, options: CompileOptions | None = None, progress: Progress | None = None
) -> Compiled:
    """Compiles a .tflite file for a device's NPU and writes the result beside it, or where it is asked for.

    Args:
        file: a .tflite file.
        output: what to write; None for a name beside ``file`` with the chip in it.
        options: see there.
        progress: hears of stages.

    Raises:
        ModelError: the file cannot be read, or was compiled already.
        TargetError: no compiler is for this device, or its compiler knows no such chip; names the nearest.
        LicenseError: the compiler's licence was not accepted.
        MissingDependencyError: the compiler is not installed; names the extra.
        ToolError: the compiler refused the file, failed, died, or did not end.
        NothingPlacedError: it ended well with nothing on the NPU.
        OutputError: the result cannot be written.
    """
    asked = options or CompileOptions()
    artifact = read_artifact(file)
    done = compiled_op(artifact)
    if done is not None:
        raise ModelError(f"{file}: was compiled for an NPU already: it holds {done}", hint="give the file before that")
    compiler, target = compiler_of(asked)
    path = output or file.with_name(f"{file.stem}{compiler.ending(target)}")
    if path.absolute() == file.absolute():
        raise ModelError(f"{file}: would be overwritten by its own compiled form", hint="give another -o")
    check_writable(path)
    require_license(compiler, asked.accepted)
    if asked.trial:
        require_emulator(compiler, compiler.name)
    compiler.ready(target, asked.python)
    job = Job(file.read_bytes(), target, asked.python, asked.seconds, progress or Silent())
    made = compiler.compile(job)
    found = emulate(compiler, file, job, made, asked.trial) if asked.trial else None
    write_bytes(path, made.content)
    return Compiled(path, made, found)


def compiler_of(options: CompileOptions) -> tuple[Compiler, str]:
    """The compiler and the chip that are asked for; errors as :func:`compile_file`."""
    name, separator, target = (options.soc or "").rpartition(":")
    if separator:
        return find_compiler(name), target
    if options.profile is None:
        raise TargetError("neither a device nor a compiler is named", hint="--profile ID, or --soc qualcomm:SM8650")
    compiler, own = compiler_for(options.profile)
    return compiler, target or own


def require_license(compiler: Compiler, accepted: Collection[str]) -> None:
    """Refuses where a licence asks for a yes and has none.

    Raises:
        LicenseError: with the licence in one line.
    """
    told = {word.strip() for word in os.environ.get(ACCEPTED, "").split(",") if word.strip()} | set(accepted)
    for word in sorted(told):
        if word not in COMPILERS:
            raise LicenseError(f"no compiler `{word}`{nearest(word, COMPILERS)}", license_name=word)
    if compiler.license.asks and compiler.name not in told:
        raise LicenseError(
            f"the compiler `{compiler.name}` has a licence that you must accept: {compiler.license.terms}",
            license_name=compiler.license.name,
            hint=f"if you do: --accept-license {compiler.name}, or {ACCEPTED}={compiler.name}",
        )


def compile_bytes(compiler: Compiler, content: bytes, target: str, *, seconds: float = 900.0) -> Compilation:
    """Bytes for a chip, by a compiler whose licence asks for nothing; errors as :func:`compile_file`."""
    compiler.ready(target, None)
    return compiler.compile(Job(content, target, None, seconds, Silent()))
