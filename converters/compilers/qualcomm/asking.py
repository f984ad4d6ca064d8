"""One question to the compiler's program: which chips, which ops, which file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from edge_sdk.converters.compilers.child import Said, run_program
from edge_sdk.converters.compilers.qualcomm.libraries import Parts
from edge_sdk.errors import BuildError
from edge_sdk.folders import temporary_folder

Question = Literal["info", "partition", "apply"]
_SOCS = re.compile(r'< LiteRtCompilerPlugin > "Qualcomm" \| (.*)')
_ANY = "SM8650"
_SECONDS = 60.0
_QUIET = ("--qualcomm_log_level=error",)


def ask(
    parts: Parts,
    question: Question,
    folder: Path,
    *,
    content: bytes = b"",
    target: str = _ANY,
    seconds: float = _SECONDS,
) -> tuple[Said, bytes]:
    """What the program prints, and the file that it leaves.

    Args:
        parts: of the compiler.
        question: ``info`` for what it knows, ``partition`` for which ops it takes, ``apply`` for a compiled file.
        folder: an empty one, to work in.
        content: a .tflite file, for all but ``info``.
        target: a chip.
        seconds: after which it is killed.

    Raises:
        BuildError: see :func:`run_program`.
    """
    source, result = folder / "model.tflite", folder / "compiled.tflite"
    source.write_bytes(content)
    command: list[str | Path] = [
        parts.program,
        f"--cmd={question}",
        f"--model={source.name}",
        f"--o={'-' if question == 'info' else result.name}",
        "--soc_manufacturer=Qualcomm",
        f"--soc_model={target}",
        f"--libs={parts.plugin}",
        *(_QUIET if question == "partition" else ()),
    ]
    said = run_program(command, folder, what=parts.words, seconds=seconds, more=parts.loader_path(folder))
    return said, result.read_bytes() if result.exists() else b""


def known_socs(parts: Parts) -> tuple[str, ...]:
    """The chips that the compiler says it knows.

    Raises:
        BuildError: it does not start, or does not say.
    """
    with temporary_folder("qualcomm") as folder:
        said, _ = ask(parts, "info", folder)
    found = _SOCS.search(said.text)
    if found is None:
        words = f"{parts.words} does not start (exit status {said.status})"
        raise BuildError(words, tool=parts.words, log_tail=said.tail[-600:], hint="it needs glibc 2.35 or newer")
    return tuple(sorted(re.findall(r'"([^"]+)"', found[1])))
