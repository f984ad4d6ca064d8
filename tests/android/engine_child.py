"""An engine behind pipes, for the Java wrapper's tests: TensorFlow of the version that the APK carries.

A request is a line of JSON, then the bytes that it announces; so is the answer. Nothing of edge-sdk is imported.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

# The weights of ``classes`` in tests/runtime/test_decisions.py: two equal rows, of which the second is scaled.
_ROW = np.array([0.3, -0.2, 0.5, 0.1], np.float32)
_FACTORS = {"rounding": 1 + 1e-5, "skewed": 1.5}


class Opened:
    """One model; ``delegate`` is cpu or xnnpack, or one that is off.

    ``wrong`` is an xnnpack whose results are; ``rounding`` a cpu that adds in another order, as it were; ``skewed`` one
    that computes wrong; ``choosing`` one that computes right and picks the wrong place.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        kinds = tf.lite.experimental.OpResolverType
        plain = request["delegate"] not in ("xnnpack", "wrong")
        self.delegate = request["delegate"]
        content = Path(request["path"]).read_bytes()
        if self.delegate in _FACTORS:
            second = content.index(_ROW.tobytes() * 2) + _ROW.nbytes
            scaled = (_ROW * np.float32(_FACTORS[self.delegate])).tobytes()
            content = content[:second] + scaled + content[second + len(scaled) :]
        self.interpreter = tf.lite.Interpreter(
            model_content=content,
            num_threads=request["threads"],
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else kinds.AUTO,
        )
        self.interpreter.allocate_tensors()

    def run(self, values: list[bytes]) -> list[bytes]:
        """Inputs and outputs in the interpreter's own order."""
        for detail, data in zip(self.interpreter.get_input_details(), values, strict=True):
            array = np.frombuffer(data, detail["dtype"]).reshape(detail["shape"])
            self.interpreter.set_tensor(detail["index"], array)
        self.interpreter.invoke()
        made = [self.interpreter.get_tensor(detail["index"]) for detail in self.interpreter.get_output_details()]
        return self._bytes(made)

    def call(self, request: dict[str, Any], values: list[bytes]) -> list[bytes]:
        """Likewise by a signature's key, in the order of names that the request gives."""
        runner = self.interpreter.get_signature_runner(request["key"])
        details = runner.get_input_details()
        arrays = {
            name: np.frombuffer(data, details[name]["dtype"]).reshape(details[name]["shape"])
            for name, data in zip(request["inputs"], values, strict=True)
        }
        made = runner(**arrays)
        return self._bytes([made[name] for name in request["outputs"]])

    def _bytes(self, made: list[Any]) -> list[bytes]:
        return [self._off(one).tobytes() for one in made]

    def _off(self, values: Any) -> Any:
        if self.delegate == "wrong":
            return np.roll(values, 1, -1)
        return values * 0 + 2 if self.delegate == "choosing" and values.dtype.kind == "i" else values


def answer(request: dict[str, Any], source: BinaryIO, opened: dict[int, Opened]) -> tuple[dict[str, Any], list[bytes]]:
    """The answer's line, and its bytes."""
    if "path" in request:
        opened[request["id"]] = Opened(request)
        return {}, []
    if "close" in request:
        opened.pop(request["close"], None)
        return {}, []
    if "reset" in request:
        opened[request["reset"]].interpreter.reset_all_variables()
        return {}, []
    running, values = opened[request["run"]], [source.read(size) for size in request["sizes"]]
    made = running.call(request, values) if "key" in request else running.run(values)
    return {"sizes": [len(one) for one in made]}, made


def main() -> None:
    """Answers until the pipe is closed."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    opened: dict[int, Opened] = {}
    sink.write(json.dumps({"version": tf.__version__}).encode() + b"\n")
    sink.flush()
    while line := source.readline():
        try:
            head, data = answer(json.loads(line), source, opened)
        except (ValueError, RuntimeError, KeyError) as error:
            head, data = {"error": str(error)}, []
        sink.write(json.dumps(head).encode() + b"\n" + b"".join(data))
        sink.flush()


main()
