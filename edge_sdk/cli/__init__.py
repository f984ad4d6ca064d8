"""The ``edge-sdk`` command. Commands are imported when they are used; nothing here imports numpy."""

from __future__ import annotations

import pkgutil
import sys
from typing import Any

import click

from edge_sdk.version import __version__

COMMANDS: dict[str, str] = {
    "convert": "edge_sdk.cli.convert:convert",
    "inspect": "edge_sdk.cli.inspect:inspect",
    "check": "edge_sdk.cli.check:check_command",
    "compare": "edge_sdk.cli.compare:compare",
    "compose": "edge_sdk.cli.compose:compose",
    "bundle": "edge_sdk.cli.bundle:bundle",
    "run": "edge_sdk.cli.run:run",
    "benchmark": "edge_sdk.cli.benchmark:benchmark",
    "report": "edge_sdk.cli.report:report",
    "profiles": "edge_sdk.cli.profiles:profiles",
    "devices": "edge_sdk.cli.devices:devices",
    "android": "edge_sdk.cli.android:android",
    "doctor": "edge_sdk.cli.doctor:doctor",
    "demo": "edge_sdk.cli.demo:demo",
}
"""Name to ``module:command``; a file and a line add one."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = pkgutil.resolve_name(COMMANDS[cmd_name])
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from edge_sdk.errors import nearest

            ctx.fail(f"no command `{args[0]}`{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="edge-sdk")
def cli() -> None:
    """Models to TFLite files that are proven to compute what their source computes.

    Exit codes: 0 done; 1 an expected failure, said in one line; 2 usage; 3 checked and found not to fit.
    """


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="edge-sdk")
    sys.exit(0)
