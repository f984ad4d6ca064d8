"""``edge-sdk inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.early import check_source
from edge_sdk.cli.options import shapes_and_dtypes, source_options
from edge_sdk.cli.screen import Screen, command


@command(short_help="Show what is inside a .tflite file, a bundle, or a model before it is converted.")
@click.argument("artifact", metavar="ARTIFACT")
@source_options
def inspect(screen: Screen, artifact: str, inputs: tuple[Any, ...], **arguments: Any) -> None:
    """Show what is inside ARTIFACT: signatures, what computes in which type, leftovers, mistakes, runtime needed.

    A .tflite file or a bundle is read itself; no engine is needed or trusted. Any other source that `convert` takes
    (.keras, .onnx, file.py:function ...) is opened by its own toolchain in a child process: framework, inputs, outputs.

    \b
    edge-sdk inspect model.tflite
    edge-sdk inspect model.keras
    edge-sdk inspect model.py:build
    """
    from edge_sdk.data.functions import is_function_reference

    path = Path(artifact)
    if path.suffix == ".edge":
        _bundle(screen, path)
        return
    if path.suffix != ".tflite" and (path.exists() or is_function_reference(artifact)):
        check_source(artifact)
        _source(screen, artifact, inputs, arguments)
        return
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.artifact.note import note_of
    from edge_sdk.artifact.summary import summarize, summary_as_json
    from edge_sdk.checks.lint.linting import lint
    from edge_sdk.report.checking import lint_text
    from edge_sdk.report.text import inspect_text

    read = read_artifact(path)
    summary, note, found = summarize(read), note_of(read), lint(read)
    data = {**summary_as_json(read, summary), "note": note, "lint": [finding.as_json() for finding in found]}
    mistakes = f"\n{text}" if (text := lint_text(found)) else ""
    screen.result(data, inspect_text(read, summary, note) + mistakes)


def _bundle(screen: Screen, path: Path) -> None:
    from edge_sdk.cli.bundle import show_bundle

    show_bundle(screen, path)


def _source(screen: Screen, source: str, inputs: tuple[Any, ...], arguments: dict[str, Any]) -> None:
    from edge_sdk.converters.describing import describe_source
    from edge_sdk.report.sources import source_text

    shapes, dtypes = shapes_and_dtypes(inputs)
    screen.stage(f"open {Path(source).name} in its own toolchain")
    facts = describe_source(source, shapes=shapes, dtypes=dtypes, **arguments)
    screen.result(facts.as_json(), source_text(facts))
