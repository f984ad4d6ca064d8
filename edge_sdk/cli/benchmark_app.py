"""``edge-sdk benchmark --on adb://SERIAL`` on Android: there the demo app measures, by those options that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from edge_sdk.devices import Device
    from edge_sdk.measure.records import Benchmark

_HAS = ("delegates", "threads", "quick", "runs", "seconds", "policy", "variant")
_STAY = ("artifacts", "output", "html", "pictures", "on", "as_json", "quiet", "limit_s")
_MOST_THREADS = 64


def benchmark_in_app(device: Device, context: click.Context) -> Benchmark:
    """Measures there as the command line says.

    Raises:
        DeviceError: it says what the app does not do.
        EdgeSdkError: see :func:`edge_sdk.android.driving.benchmark`.
    """
    from edge_sdk.android.driving import Asked, benchmark_there
    from edge_sdk.errors import DeviceError

    params = context.params
    faults = list(_faults(context))
    if faults:
        raise DeviceError(
            f"{device.address}: on Android the demo app measures, and {'; '.join(faults)}",
            address=device.address,
            hint="see `edge-sdk android benchmark --help`; a Linux board over ssh takes all of it",
        )
    (model,), (delegate,), (threads,) = params["artifacts"], params["delegates"], params["threads"]
    same = {name: params[name] for name in ("runs", "seconds", "policy", "variant")}
    return benchmark_there(device, Asked(str(model), delegate, threads=threads, mode=_mode(params), **same))


def _mode(params: Mapping[str, Any]) -> str | None:
    """As here: what MLPerf asks for, unless the user says otherwise."""
    if params["runs"] is not None or params["seconds"] is not None:
        return None
    return "quick" if params["quick"] else "quotable"


def _faults(context: click.Context) -> Iterator[str]:
    from edge_sdk.cli.android import APP_DELEGATES

    params = context.params
    for name, word in (("artifacts", "file"), ("delegates", "delegate"), ("threads", "number of threads")):
        if len(params[name]) > 1:
            yield f"it takes one {word} at a time, got {len(params[name])}"
    yield from (f"it has no delegate `{name}`" for name in params["delegates"] if name not in APP_DELEGATES)
    if "auto" in params["threads"]:
        yield "it takes a number of threads, not auto"
    elif max(params["threads"]) > _MOST_THREADS:
        yield f"it runs on {_MOST_THREADS} threads at most"
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in (*_HAS, *_STAY):
            yield f"it has no {parameter.opts[0]}"
