"""What the Java wrapper's tests read: bundles right, damaged and hostile, steps, sessions, with Python's answers.

``python -m tests.android.vectors FOLDER`` writes it anew. The hostile bundles are those of tests/core/bundle: whatever
these tests give to Python's reader is kept, with the class of the error that Python answered with.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk import Session
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.bundle import reading, strict, verifying
from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden, Signing
from edge_sdk.bundle.processing import postprocess, preprocess
from edge_sdk.bundle.signing import id_of, load_public_key, make_keys
from edge_sdk.bundle.steps import InputProcessing, OutputProcessing
from edge_sdk.checks.memory.need import plan_memory
from edge_sdk.errors import BundleError, EdgeSdkError
from edge_sdk.runtime.load import Deadline, LoadState, after_run
from tests.android.signatures import write_signatures
from tests.graphs import Graph, conv_model, int8_model, options, padded_pool_model
from tests.runtime.kinds import delay

_FLOODS = "every_bit_flip or truncation or any_damage or any_value or every_byte"
_OPTIONS = {"ADD": "AddOptions", "SOFTMAX": "SoftmaxOptions", "CONCATENATION": "ConcatenationOptions"}
_FIELDS: dict[str, dict[str, Any]] = {"SOFTMAX": {"beta": 1.0}, "CONCATENATION": {"axis": 1}}
# Seeds of what is drawn; any will do.
_SEED = 3


def write_vectors(folder: Path) -> None:
    """Writes all of it into a folder that exists."""
    (folder / "bundles").mkdir()
    _dump(folder / "bundles.json", list(_harvested(folder / "bundles")))
    _dump(folder / "pre.json", list(_pre_cases()))
    _dump(folder / "post.json", list(_post_cases()))
    _dump(folder / "json.json", list(_json_cases()))
    _dump(folder / "load.json", _load_case())
    _dump(folder / "memory.json", list(_memory_cases()))
    _sessions(folder)
    write_signatures(folder)


class _Harvest:
    """A pytest plugin: what the tests of bundles open, and how that ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: dict[str, dict[str, Any]] = {}
        self._open, self._verify = reading.open_bundle, verifying.verify_bundle

    def pytest_collection_finish(self) -> None:
        """The tests, and what helps them, have these functions in their own modules by now."""
        for module in [one for name, one in sys.modules.items() if name.startswith("tests.core.bundle.")]:
            for name, call in (("open_bundle", self._open), ("verify_bundle", self._verify)):
                if hasattr(module, name):
                    setattr(module, name, self._kept(call))

    def _kept(self, call: Any) -> Any:
        def kept(path: Path, *, trusted_keys: Any = ()) -> Any:
            error = None
            try:
                return call(path, trusted_keys=trusted_keys)
            except EdgeSdkError as caught:
                error = caught
                raise
            finally:
                # What is no file has no bytes to keep; the tests that only open are not about the rest.
                if Path(path).is_file() and (error is not None or call is self._verify):
                    self._keep(Path(path).read_bytes(), trusted_keys, error)

        return kept

    def _keep(self, data: bytes, trusted_keys: Any, error: EdgeSdkError | None) -> None:
        keys = [base64.b64encode(load_public_key(key).public_bytes_raw()).decode() for key in trusted_keys]
        name = hashlib.sha256(data + "".join(keys).encode()).hexdigest()[:16]
        (self.folder / name).write_bytes(data)
        kind = type(error).__name__ if error else None
        self.cases[name] = {"file": name, "keys": keys, "error": kind, "message": str(error)}


def _harvested(folder: Path) -> Iterator[dict[str, Any]]:
    harvest = _Harvest(folder)
    tests = Path(__file__).parents[1] / "core/bundle"
    # In a process of our own, so that this does not meddle with tests that are under way.
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        done = pytest.main(
            ["-q", "-k", f"not ({_FLOODS})", str(tests), f"--ignore={tests / 'test_creating.py'}"], plugins=[harvest]
        )
    if done != pytest.ExitCode.OK:
        raise SystemExit(f"the tests of bundles fail:\n{printed.getvalue()[-2000:]}")
    yield from harvest.cases.values()


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _array(values: Any) -> dict[str, Any]:
    values = np.asarray(values, order="C")
    data = base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": values.dtype.name, "shape": list(values.shape), "data": data}


def _pre_cases() -> Iterator[dict[str, Any]]:
    """Chains of steps on pictures of several sizes, right ones and such that cannot follow."""
    generator = np.random.default_rng(_SEED)
    sizes = [(9, 7), (5, 13), (37, 53), (1, 1), (64, 48)]
    pictures = [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    for picture in pictures:
        for chain in _chains():
            processing = strict.read(InputProcessing, {"name": "image", "kind": "image", "steps": chain})
            try:
                made, error = _array(preprocess(picture, processing)), None
            except BundleError as caught:
                made, error = None, type(caught).__name__
            yield {"picture": _array(picture), "steps": chain, "made": made, "error": error}


def _chains() -> Iterator[list[dict[str, Any]]]:
    for fit in ("stretch", "crop", "pad", "shorter"):
        for method, antialias in (("bilinear", True), ("bilinear", False), ("nearest", False)):
            base = {"op": "resize", "fit": fit, "method": method, "antialias": antialias, "pad_value": 114}
            yield [base | {"height": 8, "width": 8}]
            if fit != "shorter":
                yield [base | {"height": 24, "width": 10}]
    square = {"op": "resize", "height": 6, "width": 6, "fit": "crop", "method": "nearest", "antialias": False}
    small = square | {"pad_value": 0}
    normal = {"op": "normalize", "scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    one = {"op": "normalize", "scale": 1.0, "mean": [127.5], "std": [127.5]}
    yield [small, normal, {"op": "layout", "order": "chw"}, {"op": "batch"}]
    yield [small, {"op": "channels", "order": "gray"}, one, {"op": "cast", "dtype": "float16"}, {"op": "batch"}]
    yield [small, {"op": "channels", "order": "bgr"}, normal, {"op": "layout", "order": "hwc"}]
    yield [small, one, {"op": "cast", "dtype": "int8"}]
    yield [{"op": "center_crop", "height": 4, "width": 3}, {"op": "cast", "dtype": "int16"}]
    yield [small, {"op": "cast", "dtype": "int8"}, {"op": "cast", "dtype": "int32"}]
    yield [small, {"op": "channels", "order": "gray"}, normal]
    yield [small, {"op": "batch"}, {"op": "center_crop", "height": 2, "width": 2}]


def _post_cases() -> Iterator[dict[str, Any]]:
    generator = np.random.default_rng(_SEED)
    ties = np.array([[1.0, 3.0, 3.0, -2.0], [0.0, -0.0, 0.0, 0.0]], np.float32)
    extreme = np.array([[1e30, -1e30, 0.0]], np.float32)
    drawn = generator.standard_normal((2, 3, 5)).astype(np.float32)
    ranking: dict[str, Any] = {"op": "top_k", "k": 3, "min_score": 0.0}
    chains: list[list[Any]] = [
        ["softmax"],
        ["sigmoid"],
        ["argmax"],
        ["softmax", ranking],
        [ranking],
        ["argmax", "argmax"],
    ]
    for values in (ties, extreme, drawn):
        for chain in chains:
            steps = [one if isinstance(one, dict) else {"op": one} for one in chain]
            processing = strict.read(OutputProcessing, {"name": "scores", "steps": steps})
            made = postprocess(values, processing, ["a", "b", "c"])
            case = {"values": _array(values), "steps": steps, "labels": ["a", "b", "c"]}
            if isinstance(made, tuple):
                yield case | {"ranking": [[[one.index, one.score, one.label] for one in row] for row in made]}
            else:
                yield case | {"made": _array(made)}


def _json_cases() -> Iterator[dict[str, Any]]:
    """Text, and whether Python's strict reader takes it."""
    texts = [
        '{"a": 1}', '{"a": 1, "a": 1}', "{a: 1}", "{'a': 1}", "[1,]", "[01]", "[-0]", "[1.]", "[.5]", "[1e5]",
        "[1E+05]", "[1e400]", "[NaN]", "[Infinity]", "[-Infinity]", '["\\u00e9\\ud83d\\ude00"]', '["\\x41"]',
        '["\\u12"]',
        '["a\nb"]', '["\\n"]', "[1] 2", "", " ", "[", '{"a"}', '{"a":}', "nul", "null", "true", "[tru]", "// c\n1",
        "/**/1", "\ufeff[]", "[123456789012345678901234567890]", "-", "[-]", "[+1]", "[1,,2]", "{,}", '"', '"\\',
        "[\u00a0]",
        "[1;2]", '{"a"=1}', "[\t\r\n 1 ]", '["\x7f"]', '["\x1f"]', "[1e]", "[1e+]", "[0x10]", "[1_000]", "\u0661",
    ]  # fmt: skip
    for data in [*(text.encode() for text in texts), b'["\xff"]', b'["\xc3"]', b'["\xed\xa0\x80"]', b"[\x00]"]:
        try:
            strict.load(data)
            taken = True
        except strict.StrictError:
            taken = False
        yield {"data": base64.b64encode(data).decode(), "taken": taken}


def _load_case() -> dict[str, Any]:
    """Times of runs under a load that comes and goes, and the variant after each."""
    generator = np.random.default_rng(_SEED)
    deadline, usual, state = Deadline(10.0, misses=3, calm=5), (8.0, 4.0, 2.0), LoadState()
    took, levels = [], []
    for run in range(2000):
        load = 1 + 2.5 * (run // 100 % 2) + 0.3 * generator.random()
        took.append(usual[state.level] * load)
        state = after_run(state, took[-1], deadline, usual)
        levels.append(state.level)
    assert set(levels) == {0, 1, 2}
    return {"ms": 10.0, "misses": 3, "calm": 5, "margin": 0.8, "usual": list(usual), "took": took, "levels": levels}


def _memory_cases() -> Iterator[dict[str, Any]]:
    """Models, and bytes that Python predicts: of the whole plan, alive at its fullest step, and of kernels' scratch."""
    models = {"conv": conv_model(), "int8": int8_model(), "pool": padded_pool_model()}
    models["delay"] = delay("float32", (2, 3))
    models |= {f"drawn {seed}": _drawn_graph(np.random.default_rng(seed)) for seed in range(60)}
    for name, model in models.items():
        plan, *_ = plan_memory(parse_artifact(model, path=Path(name))).subgraphs
        assert plan.peak is not None
        planned = plan.arena_bytes + plan.persistent_bytes + plan.heap_bytes
        scratch = sum(one.size_bytes for one in (*plan.tensors, *plan.persistent) if " of op " in one.name)
        sizes = {"planned": planned, "peak": plan.peak.live_bytes, "scratch": scratch}
        yield {"name": name, "model": base64.b64encode(model).decode(), "variables": name == "delay", **sizes}


def _drawn_graph(generator: np.random.Generator) -> bytes:
    """Ops that may overwrite an operand, share its memory or neither, on tensors of 16 to 64 values."""
    graph = Graph()
    known = [graph.tensor(f"in{place}", (1, size)) for place, size in enumerate((16, 64))]
    widths, read = {known[0]: 16, known[1]: 64}, set[int]()
    for step in range(int(generator.integers(2, 14))):
        kind = str(generator.choice(["ADD", "SOFTMAX", "RESHAPE", "CONCATENATION", "TANH"]))
        unread = [one for one in known[2:] if one not in read]
        first = unread[0] if unread and generator.random() < 0.6 else int(generator.choice(known))
        same = [one for one in known if widths[one] == widths[first]]
        second = int(generator.choice(same))
        operands = {"ADD": (first, second), "CONCATENATION": (first, second)}.get(kind, (first,))
        width = widths[first] * (2 if kind == "CONCATENATION" else 1)
        made = graph.tensor(f"t{step}", (1, width))
        graph.op(
            kind, operands, (made,), options(_OPTIONS[kind], **_FIELDS.get(kind, {})) if kind in _OPTIONS else None
        )
        widths[made] = width
        known.append(made)
        read.update(operands)
    return graph.finish(known[:2], [one for one in known[2:] if one not in read])


def _sessions(folder: Path) -> None:
    """A signed bundle with a float and an int8 variant, bare files, and what Python's session makes of them."""
    (folder / "float.tflite").write_bytes(conv_model())
    (folder / "int8.tflite").write_bytes(int8_model())
    # What TensorFlow 2.16.1 refuses: of this op it knows versions up to 11.
    (folder / "newer.tflite").write_bytes(int8_model(version=12))
    public, _ = make_keys(folder / "key.pem")
    (folder / "labels.txt").write_text("".join(f"class {index}\n" for index in range(5)))
    create_bundle(
        [folder / "float.tflite", folder / "int8.tflite"],
        folder / "two.edge",
        profiles=["pixel-8"],
        golden=Golden(samples=3),
        signing=Signing((folder / "key.pem",)),
        processing=ProcessingOptions(labels={"": folder / "labels.txt"}, top_k=2),
    )
    (folder / "key.pem").unlink()
    image = np.random.default_rng(_SEED).standard_normal((1, 8, 8, 3)).astype(np.float32)
    told: dict[str, Any] = {"key_id": id_of(load_public_key(public)), "image": _array(image), "runs": {}}
    for variant in ("float", "int8"):
        with Session.open(folder / "two.edge", variant=variant, delegate="cpu") as session:
            told["runs"][variant] = {
                "scores": _array(session.run({"image": image})["scores"]),
                "receipt": session.receipt.as_json(),
            }
    _dump(folder / "sessions.json", told)


if __name__ == "__main__":
    write_vectors(Path(sys.argv[1]))
