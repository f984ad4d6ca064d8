"""The models of an APK, loaded and run here in the engine that it carries.

It is a TensorFlow of that version, in a Python of its own, for edge-sdk converts with a newer one.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edge_sdk.errors import MissingToolError
from edge_sdk.folders import temporary_folder
from edge_sdk.tied import run_tied

# All on zeros: numbers are for the golden cases to judge. What an engine does to a model may end the process.
_CHILD = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

def fault(path, kind):
    try:
        engine = tf.lite.Interpreter(path, experimental_op_resolver_type=kind)
        engine.allocate_tensors()
        for detail in engine.get_input_details():
            engine.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        engine.invoke()
    except (ValueError, RuntimeError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""

kinds = tf.lite.experimental.OpResolverType
print(json.dumps(tf.__version__), flush=True)
for path in sys.argv[1:]:
    faults = [fault(path, kind) for kind in (kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES, kinds.AUTO)]
    print(json.dumps(faults[0] or (faults[1] and "with XNNPACK: " + faults[1])), flush=True)
"""
_CRASHED = "the engine's process crashed"


def try_models(python: Path, version: str, models: Mapping[str, bytes]) -> dict[str, str]:
    """What the engine has against each model, by name; nothing, where it loads and runs.

    Args:
        python: an interpreter that has TensorFlow.
        version: that it must be of, such as ``2.16.1``.
        models: TFLite files.

    Raises:
        MissingToolError: the interpreter does not start, or has no TensorFlow, or one of another version.
    """
    with temporary_folder("android") as folder:
        files = {name: Path(folder, f"{number}.tflite") for number, name in enumerate(models)}
        for name, path in files.items():
            path.write_bytes(models[name])
        return dict(zip(files, _faults(python, version, list(files.values())), strict=True))


def _faults(python: Path, version: str, paths: Sequence[Path]) -> Iterator[str]:
    """After a crash, the rest in a new process."""
    left = list(paths)
    while left:
        found = _run(python, version, left)
        answers = found if len(found) == len(left) else [*found, _CRASHED]
        yield from answers
        left = left[len(answers) :]


def _run(python: Path, version: str, paths: Sequence[Path]) -> list[str]:
    hint = f"an environment of its own: pip install tensorflow-cpu=={version}"
    try:
        command = [str(python), "-c", _CHILD, *map(str, paths)]
        done = run_tied(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise MissingToolError(f"{python} does not start: {error.strerror}", hint=hint) from error
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('"')]
    if not told:
        why = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise MissingToolError(f"{python} has no TensorFlow: {why}", hint=hint)
    if told[0] != version:
        raise MissingToolError(f"{python} has TensorFlow {told[0]}, the APK carries {version}", hint=hint)
    return told[1:]
