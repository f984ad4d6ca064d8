"""``edge-sdk doctor``."""

from __future__ import annotations

from edge_sdk.cli.screen import OK, UNFIT, Screen, command


@command(short_help="Show what is installed, what is missing, and what conflicts.")
def doctor(screen: Screen) -> int:
    """Show what is here: engines, delegates and why not, CPU, free memory, each extra and what it would add, conflicts.

    Exit code 3 if packages conflict. Reads files and package metadata; of all that is installed only engines are
    imported, and no driver is loaded.
    """
    from edge_sdk.doctor import diagnose

    diagnosis = diagnose()
    screen.result(diagnosis.as_json(), diagnosis.text())
    return UNFIT if diagnosis.conflicts else OK
