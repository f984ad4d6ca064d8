"""``edge-sdk run``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import (
    call_option,
    delegate_option,
    image_options,
    on_option,
    parallel_options,
    pixel_options,
    session_options,
    signature_option,
    time_limit_option,
)
from edge_sdk.cli.options.completing import files
from edge_sdk.cli.screen import Screen, command

if TYPE_CHECKING:
    from edge_sdk.runtime.candidates import Named

_TOP = 5


@command(short_help="Run a .tflite file or a bundle on data, and say what ran where.")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("given", metavar="[DATA]", required=False, shell_complete=files)
@click.option(
    "--input",
    "data",
    metavar="DATA",
    help="The same by name: .npz (arrays named after inputs), .npy, a picture or a folder, or file.py:function.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write all outputs there, as .npz.")
@delegate_option("may be repeated, in order. Nothing else is then tried.")
@click.option(
    "--delegate-option",
    "library_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="For the library of an external delegate, for gpu (precision, software) or for npu (backend).",
)
@session_options
@signature_option
@call_option
@click.option("--receipt", type=click.Path(path_type=Path), help="Write there what ran where and why, as JSON.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="For XNNPACK's packed weights, then mapped.")
@parallel_options(several=False)
@click.option("--no-try-first", is_flag=True, help="Do not run a new file once in a child process before it runs here.")
@click.option("--raw", is_flag=True, help="Take and give a quantized file's own integers, not real values.")
@time_limit_option
@on_option
@pixel_options
def run(
    screen: Screen,
    artifact: Path,
    given: str | None,
    data: str | None,
    output: Path | None,
    delegates: tuple[str, ...],
    library_options: tuple[str, ...],
    receipt: Path | None,
    raw: bool,
    calls: tuple[str, ...],
    no_try_first: bool,
    on: tuple[str, ...],
    **arguments: Any,
) -> None:
    """Run ARTIFACT, a .tflite file or a bundle, on every sample of DATA, and write or summarise the outputs.

    It runs on the first delegate that works, computes what the CPU computes, and is admitted by the policy. The receipt
    at the end says which, and why not another. Inputs and outputs are real values: for a quantized file they are
    rounded to and from its own scales, unless --raw. Images for a bundle are processed as the bundle says, unless an
    --image option is given.

    \b
    edge-sdk run model.edge photo.jpg
    edge-sdk run model.tflite samples.npz -o outputs.npz
    edge-sdk run model.edge --input photos/ --profile raspberry-pi-5 --receipt receipt.json
    edge-sdk run model.tflite --input samples.npz --delegate external:libvx_delegate.so --policy cpu=forbid
    edge-sdk run model.edge --input samples.npz -o outputs.npz --on ssh://pi@raspberrypi.local
    """
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.runtime import Session
    from edge_sdk.runtime.batch import run_data, write_npz

    data = _one_data(artifact, given, data)
    for target in filter(None, (output, receipt)):
        check_writable(target)
    if on:
        from edge_sdk.cli.there import one_device

        if address := one_device(on):
            _run_there(screen, address, artifact, output, receipt)
            return
    images = image_options(arguments)
    if calls and arguments["signature"]:
        raise click.UsageError("--call names the signatures itself: no --signature beside it")
    with Session.open(
        artifact,
        delegate=_named(delegates, library_options),
        values="raw" if raw else "real",
        keep_state=bool(calls),
        try_first=not no_try_first,
        **arguments,
    ) as session:
        result = run_data(
            session, data, calls=calls, images=images if _image_options_given() else None, progress=screen
        )
    if output:
        write_npz(output, result.outputs)
    if receipt:
        write_bytes(receipt, json.dumps(result.receipt.as_json(), indent=2).encode())
    screen.result(result.as_json() | {"output": str(output) if output else None}, result.text(_TOP))


def _one_data(artifact: Path, given: str | None, named: str | None) -> str:
    """DATA, by its place or by its name."""
    from click.core import ParameterSource

    from edge_sdk.cli.early import check_data
    from edge_sdk.data.images import SUFFIXES

    if artifact.suffix.lower() in SUFFIXES:
        raise click.UsageError(f"{artifact} is a picture, and the model comes first: edge-sdk run MODEL {artifact}")
    if (given is None) == (named is None):
        raise click.UsageError("give DATA once: edge-sdk run MODEL DATA, or --input DATA")
    data = given or named or ""
    context = click.get_current_context()
    if not context.params["on"]:
        check_data("DATA", data)
    # A device is told by its name.
    context.params["data"] = data
    context.set_parameter_source("data", ParameterSource.COMMANDLINE)
    return data


def _named(delegates: tuple[str, ...], options: tuple[str, ...]) -> Named:
    from dataclasses import replace

    from edge_sdk.runtime.candidates import candidate

    if "auto" in delegates:
        if len(delegates) > 1 or options:
            raise click.UsageError("--delegate auto stands alone, and takes no --delegate-option")
        return "auto"
    pairs = dict(_pair(one) for one in options)
    return [replace(candidate(name), options=pairs) for name in delegates]


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--delegate-option `{text}`: expected KEY=VALUE")
    return key, value


def _image_options_given() -> bool:
    from click.core import ParameterSource

    context = click.get_current_context()
    return any(
        name.startswith("image_") and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for name in context.params
    )


def _run_there(screen: Screen, address: str, artifact: Path, output: Path | None, receipt: Path | None) -> None:
    from edge_sdk.cli.there import check_movable, options_there, telling
    from edge_sdk.devices import open_device
    from edge_sdk.devices.remote import Task, run_there
    from edge_sdk.report.devices import ran_text

    context = click.get_current_context()
    check_movable(context.params)
    wanted = {"outputs.npz": output, "receipt.json": receipt}
    results = {name: target for name, target in wanted.items() if target}
    options = options_there(context, files=("data", "trusted_keys"), without=("output", "receipt"))
    named = [word for name in results for word in ("-o" if name == "outputs.npz" else "--receipt", name)]
    with open_device(address) as device:
        screen.stage(f"{device.address}: edge-sdk run")
        # The program there is ours: it may be risked itself, and leaves no record of a trial.
        task = Task("run", (artifact,), (*options, *named, "--no-try-first"), results)
        found = run_there(device, task, lines=telling(screen.say, device.address))
    screen.result(
        found | {"on": device.address, "output": str(output) if output else None}, ran_text(device.address, found)
    )
