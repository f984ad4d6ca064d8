"""Run as a script with an accelerator and families of probes: Vela's placement of each, one line of JSON for each.

``[family, label, answer]``; the answer is ``[cpu, absorbed, reasons]``, or Vela's last words where it refused the file,
or null where it died of the file, or did not end. Vela is imported once and every probe is a fork: a thousand starts
take ten minutes.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.delegates.ethos_u.vela_answer import read_answer
from tests.core.checks.delegates.ethos_u.families import FAMILIES

_SECONDS = 3
"""Most take 20 ms; on a few ops of bool, Vela for the U85 does not end."""


def main() -> None:
    from ethosu.vela import vela

    # A child that looks through all objects for garbage copies the pages that they are on.
    gc.disable()
    gc.freeze()
    accelerator, *families = sys.argv[1:]
    for name in families:
        for label, content in FAMILIES[name]():
            print(json.dumps([name, label, _in_child(vela, content, accelerator)]), flush=True)


def _in_child(vela: Any, content: bytes, accelerator: str) -> Any:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_SECONDS)
        try:
            with tempfile.TemporaryDirectory() as folder:
                os.write(writing, json.dumps(_compiled(vela, content, accelerator, Path(folder))).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def _compiled(vela: Any, content: bytes, accelerator: str, folder: Path) -> Any:
    source = folder / "model.tflite"
    source.write_bytes(content)
    arguments = [str(source), "--accelerator-config", accelerator, "--output-dir", str(folder), "--enable-debug-db"]
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        with contextlib.redirect_stdout(os.fdopen(os.dup(1), "w")) as out:
            vela.main(arguments)
            out.flush()
    except RuntimeError as error:
        return str(error)
    said = (folder / "log.txt").read_text(errors="replace")
    (summary,) = folder.glob("*_summary_*.csv")
    database = (folder / "model_debug.xml").read_text(errors="replace")
    answer = read_answer(
        parse_artifact(content), "5.2.0", accelerator, said=said, database=database, summary=summary.read_text()
    )
    absorbed = [op.index for op in answer.ops if op.target == "absorbed"]
    return [list(answer.on_cpu), absorbed, {op.index: op.reason for op in answer.ops if op.reason}]


if __name__ == "__main__":
    main()
