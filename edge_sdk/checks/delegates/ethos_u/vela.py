"""Arm's own compiler for Ethos-U NPUs, run in a child process: where each op goes and what it costs, *predicted* by it.

The core imports nothing of it: Vela has ended a process by a signal on a damaged file. It leaves nothing behind.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.checks.delegates.ethos_u.vela_answer import UnreadableAnswerError, VelaAnswer, read_answer
from edge_sdk.errors import ConversionError, MissingDependencyError, ProfileError, nearest
from edge_sdk.folders import temporary_folder
from edge_sdk.profile.records import ETHOS_U_VARIANTS
from edge_sdk.tied import run_tied

PACKAGE = "ethos-u-vela"
_SECONDS = 900
_TAIL = 8


@dataclass(frozen=True)
class Compiled:
    """The file that Vela made, and its account of it."""

    content: bytes
    answer: VelaAnswer


def vela_version() -> str | None:
    """The version of ethos-u-vela here, None where there is none."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None


def compile_for_ethos_u(content: bytes, accelerator: str, *, seconds: float = _SECONDS) -> Compiled:
    """Compiles a file for an Ethos-U, under Vela's default system configuration for it.

    Args:
        content: a .tflite file.
        accelerator: such as ``ethos-u65-256``.
        seconds: after which Vela is stopped.

    Raises:
        ModelError: not a whole .tflite file; Vela does not see it then.
        MissingDependencyError: ethos-u-vela is not installed.
        ProfileError: there is no such accelerator.
        ConversionError: Vela refused the file, failed, or wrote what cannot be read.
    """
    artifact = parse_artifact(content)
    if accelerator not in ETHOS_U_VARIANTS:
        near = nearest(accelerator, ETHOS_U_VARIANTS)
        raise ProfileError(f"no Ethos-U `{accelerator}`{near}", hint=f"one of {', '.join(ETHOS_U_VARIANTS)}")
    version = vela_version()
    if version is None:
        raise MissingDependencyError(PACKAGE, extra="ethos-u", why=f"compiling for {accelerator}")
    with temporary_folder("vela") as folder:
        source = Path(folder, "model.tflite")
        source.write_bytes(content)
        said = _run(source, accelerator, version, seconds)
        return _collect(artifact, Path(folder), accelerator, version, said)


def _run(source: Path, accelerator: str, version: str, seconds: float) -> str:
    command = [sys.executable, "-m", "ethosu.vela", source.name, "--accelerator-config", accelerator]
    command += ["--output-dir", ".", "--enable-debug-db"]
    try:
        done = run_tied(command, timeout=seconds, cwd=source.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as error:
        raise _failure(f"did not end within {seconds:g} s", version, error.stdout or b"") from error
    if done.returncode < 0:
        raise _failure(f"was ended by signal {-done.returncode}", version, done.stdout)
    if done.returncode:
        raise _failure(f"refuses the file: {_last_words(done.stdout)}", version, done.stdout)
    said: bytes = done.stdout
    return said.decode(errors="replace")


def _collect(artifact: Artifact, folder: Path, accelerator: str, version: str, said: str) -> Compiled:
    try:
        (summary,) = folder.glob("*_summary_*.csv")
        answer = read_answer(
            artifact,
            version,
            accelerator,
            said=said,
            database=(folder / "model_debug.xml").read_text(errors="replace"),
            summary=summary.read_text(errors="replace"),
        )
        return Compiled((folder / "model_vela.tflite").read_bytes(), answer)
    except (OSError, UnreadableAnswerError, ValueError) as error:
        raise _failure(f"left nothing that can be read ({error})", version, said.encode()) from error


def _failure(what: str, version: str, said: bytes) -> ConversionError:
    lines = said.decode(errors="replace").splitlines()
    return ConversionError(
        f"{PACKAGE} {version} {what}",
        tool=PACKAGE,
        version=version,
        log_tail="\n".join(lines[-_TAIL:]),
        hint="the file as it is runs on the CPU; `edge-sdk inspect` shows its ops",
    )


def _last_words(said: bytes) -> str:
    """The constraint that Vela names, or the last line that it printed."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    start = next((place for place, line in enumerate(lines) if line.startswith(("Error:", "RuntimeError:"))), -1)
    told = [line for line in lines[start:] if not line.startswith(("Traceback", "File", "Failed to parse"))]
    return " ".join(told) or "no reason given"
