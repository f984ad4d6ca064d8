"""Where an artifact runs, and on what."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from edge_sdk.cli.ending import time_limit
from edge_sdk.cli.options.completing import device_ids
from edge_sdk.cli.options.kinds import Decorator, Threads, apply


def on_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which device."""
    text = "Run there: local, ssh://user@host:port or adb://SERIAL; a board after `edge-sdk devices prepare`."
    return click.option("--on", multiple=True, metavar="ADDRESS", help=text)(function)


def call_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Calls of signatures that belong together."""
    text = "Signature to call; repeat for a sequence on each sample, state kept: LABEL/NAME names inputs and outputs."
    return click.option("--call", "calls", multiple=True, metavar="KEY", help=text)(function)


def time_limit_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """How long the command may take; it is held to it here, and the function hears nothing of it."""

    @functools.wraps(function)
    def limited(*values: Any, limit_s: float | None, **arguments: Any) -> Any:
        with time_limit(limit_s):
            return function(*values, **arguments)

    seconds = click.FloatRange(0, min_open=True)
    text = "Give up after so long, whatever the engine is doing: a loop in a model may never end."
    return click.option("--time-limit", "limit_s", type=seconds, metavar="SECONDS", help=text)(limited)


def signature_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The entry point."""
    text = "Entry point of a file with several; default: serving_default."
    return click.option("--signature", metavar="KEY", help=text)(function)


def delegate_option(text: str) -> Decorator:
    """Which delegates; the text says what several of them mean."""
    return click.option(
        "--delegate",
        "delegates",
        multiple=True,
        default=("auto",),
        show_default=True,
        metavar="NAME",
        help=f"xnnpack, gpu, npu, nnapi, cpu or external:LIBRARY; {text}",
    )


def parallel_options(*, several: bool) -> Decorator:
    """CPU threads and replicas; ``several`` where each number given is one more thing to measure."""
    also, default = (" Repeat to compare.", (1,)) if several else ("", 1)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        return apply(
            function,
            click.option(
                "--threads",
                type=Threads(),
                multiple=several,
                default=default,
                show_default=True,
                help=f"CPU threads; auto: what is measured to be best here, and remembered.{also}",
            ),
            click.option(
                "--replicas",
                type=click.IntRange(1),
                multiple=several,
                default=default,
                show_default=True,
                help=f"Interpreters of the one model that run side by side.{also}",
            ),
        )

    return decorate


def session_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How an artifact is opened."""
    return apply(
        function,
        click.option("--policy", metavar="RULES", help="Such as npu=require,min_mac_share=0.9,max_latency_ms=20."),
        click.option(
            "--profile",
            metavar="ID",
            shell_complete=device_ids,
            help="Device whose delegates `auto` tries; default: what is found here.",
        ),
        click.option("--variant", help="Of a bundle; default: what suits the accelerator."),
        click.option(
            "--trusted-key", "trusted_keys", multiple=True, type=click.Path(), help="One must have signed it."
        ),
        click.option("--engine", help="ai-edge-litert or tflite-runtime; default: the first installed."),
    )
