"""Run as a script in the environment that holds rknn-toolkit2, without edge-sdk: one file for one chip.

``python rockchip_child.py MODEL CHIP OUTPUT``: each step that the toolkit takes is printed with its own return value;
what came of it is judged by the file, since the toolkit prints errors and returns 0.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Loads, builds, exports."""
    sys.addaudithook(_refuse_network)
    from rknn.api import RKNN

    model, chip, output = sys.argv[1:]
    toolkit = RKNN(verbose=False)
    steps: dict[str, Callable[[], Any]] = {
        "config": lambda: toolkit.config(target_platform=chip),
        "load_tflite": lambda: toolkit.load_tflite(model=model),
        # The file is in the precision that it is in.
        "build": lambda: toolkit.build(do_quantization=False),
        "export_rknn": lambda: toolkit.export_rknn(output),
    }
    for name, step in steps.items():
        status = step()
        print(f"step {name} returned {status}", flush=True)  # noqa: T201 - what the parent reads
        if status:
            sys.exit(1)


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        raise OSError(errno.ENETUNREACH, f"connection to {arguments[1][0]} refused: compilers are offline")


if __name__ == "__main__":
    main()
