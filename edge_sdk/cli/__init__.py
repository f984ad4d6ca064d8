"""The ``edge-sdk`` command. Commands are imported when they are used; nothing here imports numpy."""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from typing import Any

import click

from edge_sdk.version import __version__

COMMANDS: dict[str, str] = {
    "convert": "edge_sdk.cli.convert:convert",
    "optimize": "edge_sdk.cli.optimize:optimize",
    "sweep": "edge_sdk.cli.sweep:sweep",
    "inspect": "edge_sdk.cli.inspect:inspect",
    "check": "edge_sdk.cli.check:check_command",
    "compare": "edge_sdk.cli.compare:compare",
    "compose": "edge_sdk.cli.compose:compose",
    "compile": "edge_sdk.cli.compile:compile_command",
    "bundle": "edge_sdk.cli.bundle:bundle",
    "run": "edge_sdk.cli.run:run",
    "benchmark": "edge_sdk.cli.benchmark:benchmark",
    "report": "edge_sdk.cli.report:report",
    "profiles": "edge_sdk.cli.profiles:profiles",
    "devices": "edge_sdk.cli.devices:devices",
    "android": "edge_sdk.cli.android:android",
    "recipes": "edge_sdk.cli.recipes:recipes",
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

    def main(self, *args: Any, **settings: Any) -> Any:
        """As click's, but for a usage error under ``--json``, which is an object on stdout as every outcome is."""
        settings |= dict(zip(("args", "prog_name", "complete_var"), args, strict=False))
        given = settings["args"] = list(sys.argv[1:] if settings.get("args") is None else settings["args"])
        if not settings.pop("standalone_mode", True):
            return super().main(standalone_mode=False, **settings)
        try:
            code = super().main(standalone_mode=False, **settings)
        except click.ClickException as error:
            error.show()
            if "--json" in given:
                click.echo(json.dumps(_usage_json(error), indent=2))
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("interrupted; nothing was written", err=True)
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


def _usage_json(error: click.ClickException) -> dict[str, Any]:
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help" if context else None
    return {"error": type(error).__name__, "message": error.format_message(), "hint": hint}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="edge-sdk")
def cli() -> None:
    """Models to TFLite files that are proven to compute what their source computes.

    Exit codes: 0 done; 1 an expected failure, said in one line; 2 usage; 3 checked and found not to fit.

    \b
    First steps
      edge-sdk doctor                          what is installed here, and what to do next
      edge-sdk recipes                         which precision when
      edge-sdk convert model.keras             a .tflite beside it, proven against the source
      edge-sdk check --explain RULE            what any [rule] that a command prints means

    \b
    Completion of commands and options by the tab key, for bash (zsh and fish likewise)
      echo 'eval "$(_EDGE_SDK_COMPLETE=bash_source edge-sdk)"' >> ~/.bashrc

    Colour is for terminals only, and not where NO_COLOR is set. What TensorFlow, LiteRT and other tools print is kept
    in a file that an error names; with EDGE_SDK_TOOL_OUTPUT=screen it is shown.
    """


def main() -> None:
    """Entry point of the console script."""
    if any(name.endswith("_COMPLETE") for name in os.environ):
        cli(prog_name="edge-sdk")
    from edge_sdk.cli.noise import tools_kept_quiet

    with tools_kept_quiet():
        cli(prog_name="edge-sdk")
