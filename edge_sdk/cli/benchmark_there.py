"""``edge-sdk benchmark --on``: the same command on one device or several, its results brought back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_sdk.cli.benchmark_app import benchmark_in_app
from edge_sdk.cli.screen import FAILED, UNFIT, Screen
from edge_sdk.cli.there import check_movable, options_there, telling

if TYPE_CHECKING:
    from edge_sdk.devices import Device
    from edge_sdk.devices.remote import Outcome
    from edge_sdk.measure.records import Benchmark


def benchmark_there(
    screen: Screen, on: tuple[str, ...], artifacts: tuple[Path, ...], output: Path | None
) -> tuple[Benchmark | None, int | None]:
    """Measures on each device at once; a failure of one does not stop the others.

    Returns:
        The result, where there is one device and it gave one; and the command's exit code.
    """
    from edge_sdk.devices.remote import Task, on_each, run_there
    from edge_sdk.files import write_bytes
    from edge_sdk.measure.schema import read_benchmark
    from edge_sdk.report.devices import benchmarks_text

    if len(set(on)) < len(on):
        raise click.UsageError("--on names a device twice; they would disturb each other")
    context = click.get_current_context()
    check_movable(context.params)
    options = options_there(
        context, files=("data", "trusted_keys"), without=("artifacts", "output", "html", "pictures")
    )
    task = Task("benchmark", artifacts, tuple(options))

    def measure(device: Device) -> Benchmark:
        if device.runs_apps_only:
            return benchmark_in_app(device, context)
        return read_benchmark(run_there(device, task, lines=telling(screen.say, device.address)), device.address)

    screen.stage(f"edge-sdk benchmark on {', '.join(on)}")
    found = on_each(on, measure)
    if len(found) == 1 and found[0].error:
        raise found[0].error
    data = _as_json(found)
    if output:
        write_bytes(output, json.dumps(data, indent=1).encode())
    screen.result(data, benchmarks_text(found))
    return (found[0].result if len(found) == 1 else None), _code(found)


def _as_json(found: tuple[Outcome[Benchmark], ...]) -> dict[str, object]:
    """Of one device its result as if measured here; of several a list."""
    if len(found) == 1 and found[0].result is not None:
        return found[0].result.as_json()
    return {
        "devices": [
            {
                "address": one.address,
                "benchmark": one.result.as_json() if one.result else None,
                "error": one.error.as_json() if one.error else None,
            }
            for one in found
        ]
    }


def _code(found: tuple[Outcome[Benchmark], ...]) -> int | None:
    if any(one.error for one in found):
        return FAILED
    return UNFIT if any(one.result and not one.result.valid for one in found) else None
