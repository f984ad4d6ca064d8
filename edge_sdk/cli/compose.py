"""``edge-sdk compose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.screen import OK, Screen, command

if TYPE_CHECKING:
    from edge_sdk.converters.composing import Composed, OutputStep, Pixels

_FORMS = "NAME=uint8[,mean=M][,std=S] for an input; NAME=softmax, argmax, top_k:K or nms:SCORES for an output"


@command(short_help="Several .tflite files, or a file and its processing, as one file.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option("--chain", is_flag=True, help="Each file reads what the one before it gives.")
@click.option("--ensemble", type=click.Choice(["mean", "weighted", "vote"]), help="Files of one signature, together.")
@click.option("--weights", metavar="W,W", help="For `--ensemble weighted`: a number for each file.")
@click.option("--embed", "steps", multiple=True, metavar="NAME=STEP", help=f"{_FORMS}; may be repeated.")
def compose(
    screen: Screen,
    files: tuple[Path, ...],
    output: Path,
    chain: bool,
    ensemble: str | None,
    weights: str | None,
    steps: tuple[str, ...],
) -> int:
    """Make one .tflite file of FILES, and compare it with them before it is written.

    \b
    edge-sdk compose --chain backbone.tflite head.tflite -o whole.tflite
    edge-sdk compose --ensemble mean a.tflite b.tflite c.tflite -o three.tflite
    edge-sdk compose --embed image=uint8,mean=127.5,std=127.5 --embed scores=top_k:5 model.tflite -o app.tflite
    edge-sdk compose --embed boxes=nms:scores,count=50,iou=0.5,score=0.3 detector.tflite -o app.tflite

    A file that has several signatures is entered by one of them: FILE:SIGNATURE.

    A mean or std for each channel is written 123.7:116.3:103.5. nms takes boxes [1, N, 4] as y1, x1, y2, x2.
    """
    if sum([chain, ensemble is not None, bool(steps)]) != 1:
        raise click.UsageError("give one of --chain, --ensemble and --embed")
    made = _composed(files, output, ensemble, weights, steps)
    screen.result(made.as_json(), _text(made))
    return OK


def _composed(files: tuple[Path, ...], output: Path, way: Any, weights: str | None, steps: tuple[str, ...]) -> Composed:
    from edge_sdk.converters import composing

    if way is not None:
        return composing.ensemble(files, output, way, _numbers(weights, ",") if weights else None)
    if not steps:
        return composing.chain(files, output)
    if len(files) != 1:
        raise click.UsageError(f"--embed takes one file, got {len(files)}")
    inputs: dict[str, Pixels] = {}
    outputs: dict[str, OutputStep] = {}
    for step in steps:
        name, _, words = step.partition("=")
        kind, *settings = words.split(",")
        if kind == "uint8":
            numbers = {key: _numbers(text, ":") for key, text in _pairs(settings)}
            inputs[name] = composing.Pixels(numbers.get("mean", (0.0,)), numbers.get("std", (1.0,)))
        else:
            outputs[name] = _output_step(kind, dict(_pairs(settings)))
    return composing.embed(files[0], output, inputs, outputs)


def _output_step(kind: str, settings: dict[str, str]) -> OutputStep:
    from edge_sdk.converters import composing

    word, _, argument = kind.partition(":")
    if word == "nms" and argument:
        numbers = {key: int(text) if key == "count" else float(text) for key, text in settings.items()}
        return composing.Nms(argument, **numbers)  # type: ignore[arg-type]
    if word == "top_k" and argument.isdigit():
        return composing.TopK(int(argument))
    if kind in ("softmax", "argmax"):
        return composing.Softmax() if kind == "softmax" else composing.ArgMax()
    raise click.UsageError(f"--embed: unknown step `{kind}`; {_FORMS}")


def _pairs(settings: list[str]) -> list[tuple[str, str]]:
    pairs = [tuple(setting.split("=", 1)) for setting in settings]
    for pair in pairs:
        if len(pair) != 2 or pair[0] not in ("mean", "std", "count", "iou", "score"):
            raise click.UsageError(f"--embed: `{'='.join(pair)}` is not a setting; {_FORMS}")
    return [(pair[0], pair[1]) for pair in pairs]


def _numbers(text: str, separator: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(separator))
    except ValueError as error:
        raise click.UsageError(f"`{text}` is not a list of numbers") from error


def _text(made: Composed) -> str:
    from edge_sdk.engines.values import specs_of

    signature = made.artifact.signature
    ends = [f"  input       {spec}" for spec in specs_of(signature.inputs)]
    ends += [f"  output      {spec}" for spec in specs_of(signature.outputs)]
    return "\n".join(
        [
            f"verified: {made.output} computes what its parts compute",
            *ends,
            f"  parts       {', '.join(made.parts)}",
            f"  compared    on {made.samples} seeded samples, largest difference {made.max_abs_error:.3g}",
        ]
    )
