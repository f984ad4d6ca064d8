"""Bad input meets one clear error and leaves no half-written file."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.converters import Workers, convert
from edge_sdk.errors import (
    CalibrationError,
    ConversionError,
    MissingDependencyError,
    ModelError,
    OutputError,
    RecipeError,
    SignatureError,
    UnsupportedOpError,
    UntrustedSourceError,
)
from tests.contract import samples_for
from tests.converters.sources.test_front_ends import HERE
from tests.store import KERAS, ONNX, TORCH, write


def fails(error: type[Exception], message: str, source: object, folder: Path, **options: Any) -> Any:
    """Converts, expects the error, and checks that no file is left."""
    before = sorted(folder.iterdir())
    with pytest.raises(error, match=message) as caught:
        convert(source, folder / "out.tflite", **options)
    assert sorted(folder.iterdir()) == before
    assert "\n" not in str(caught.value).strip()
    return caught.value


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("absent.keras", None, ModelError, "no such file or folder"),
        ("model.h6", b"x", ModelError, r"unknown kind of model `\.h6`, did you mean `\.h5`"),
        ("model", b"x", ModelError, "unknown kind of model `no suffix`"),
        ("model.tflite", b"x" * 100, ModelError, "not a whole TFLite file"),
    ],
)
def test_file_that_is_no_model(
    tmp_path: Path, workers: Workers, name: str, content: bytes | None, error: type[Exception], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    fails(error, message, tmp_path / name, tmp_path, workers=workers)


@pytest.mark.parametrize("suffix", [".pkl", ".pth", ".pt", ".joblib"])
def test_pickle_is_refused_unopened(tmp_path: Path, workers: Workers, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(print))
    error = fails(UntrustedSourceError, "files are pickles", path, tmp_path, workers=workers)
    assert "torch.export.save" in (error.hint or "")


def test_object_that_is_no_model(tmp_path: Path) -> None:
    fails(ModelError, "cannot convert a builtins.int", 3, tmp_path)


@pytest.mark.keras
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_needs_trust(tmp_path: Path, workers: Workers, suffix: str) -> None:
    path = write(workers, KERAS, "save", name="lambda_layer", path=str(tmp_path / f"l{suffix}"))
    error = fails(UntrustedSourceError, r"holds Lambda layers \(doubled\)", path, tmp_path, workers=workers)
    assert "--trust-source" in error.hint
    report = convert(path, tmp_path / "out.tflite", workers=workers, trust_source=True)
    assert report.verified


@pytest.mark.keras
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_truncated_keras_file(tmp_path: Path, workers: Workers, suffix: str, share: float) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / f"c{suffix}"))
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: int(len(whole) * share)])
    fails(ModelError, "not a whole|cannot load it", path, tmp_path, workers=workers)


@pytest.mark.keras
def test_a_model_that_takes_text(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="words", path=str(tmp_path / "words.keras"))
    error = fails(SignatureError, r"words\.keras: input `text` takes text", path, tmp_path, workers=workers)
    assert "behind its lookup" in error.hint
    done = CliRunner().invoke(cli, ["inspect", str(path)])
    assert "next        the part behind its lookup of text" in done.stdout


@pytest.mark.torch
def test_a_function_is_inspected_as_it_is_converted(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef build():\n    return torch.nn.Linear(3, 2), (torch.zeros(1, 3),)\n"
    )
    done = CliRunner().invoke(cli, ["inspect", f"{tmp_path}/net.py:build"])
    assert done.exit_code == 0, done.stderr
    assert "[1, 3]" in done.stdout
    absent = CliRunner().invoke(cli, ["inspect", f"{tmp_path}/nets.py:build"])
    assert absent.exit_code == 1
    assert "did you mean `net.py`" in absent.stderr


@pytest.mark.keras
def test_saved_model_without_variables(tmp_path: Path, workers: Workers) -> None:
    import shutil

    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "saved"))
    shutil.rmtree(Path(path) / "variables")
    fails(ModelError, "cannot load this SavedModel", path, tmp_path, workers=workers)


@pytest.mark.keras
def test_unknown_signature_of_a_saved_model(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "saved"))
    error = fails(SignatureError, "no signature `servin`", path, tmp_path, workers=workers, signature="servin")
    assert "serving_default" in error.hint


@pytest.mark.keras
def test_unsupported_ops_are_all_listed(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="two_erfs", path=str(tmp_path / "erf.keras"))
    error = fails(
        UnsupportedOpError, "no form for 1 TensorFlow ops of this model: Erf", path, tmp_path, workers=workers
    )
    assert [op for op, _, _ in error.ops] == ["Erf", "Erf"]


@pytest.mark.onnx
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_onnx_file(tmp_path: Path, workers: Workers, share: float) -> None:
    path = write(workers, ONNX, "save_gelu", path=str(tmp_path / "g.onnx"), order="after")
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: int(len(whole) * share)])
    fails(ModelError, "not a whole, valid ONNX file|holds no nodes", path, tmp_path, workers=workers)


@pytest.mark.onnx
def test_scales_for_each_channel_in_an_opset_without_them(tmp_path: Path) -> None:
    """ONNX Runtime's quantizer writes such files of old models, and runs them."""
    import onnx
    from onnx import helper

    from edge_sdk.converters.sources.from_onnx import _load

    node = helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"], axis=1)
    ports = [helper.make_tensor_value_info(n, k, [1, 2]) for n, k in (("x", 3), ("s", 1), ("z", 3), ("y", 1))]
    graph = helper.make_graph([node], "g", ports[:3], ports[3:])
    path = tmp_path / "old.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), str(path))
    with pytest.raises(ModelError, match="Unrecognized attribute: axis") as caught:
        _load(path)
    assert "13 or later" in str(caught.value.hint)


@pytest.mark.onnx
def test_onnx_custom_ops_are_all_listed(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, ONNX, "save_custom_ops", path=str(tmp_path / "c.onnx"))
    error = fails(UnsupportedOpError, "2 nodes cannot be lowered", path, tmp_path, workers=workers)
    assert [op[:2] for op in error.ops] == [("com.acme::Mine", "first"), ("com.acme::Other", "second")]


@pytest.mark.onnx
def test_onnx_op_without_tflite_form(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, ONNX, "save_word_counts", path=str(tmp_path / "words.onnx"))
    error = fails(UnsupportedOpError, "TfIdfVectorizer", path, tmp_path, workers=workers)
    assert error.ops[0][0] == "TfIdfVectorizer"


@pytest.mark.torch
def test_branch_on_a_tensor_is_named_with_its_line(tmp_path: Path, workers: Workers) -> None:
    error = fails(
        ModelError,
        r"branches on tensor values at torch_models.py:\d+ \(`if x.sum\(\) > 0:`\)",
        f"{HERE}/torch_models.py:branching",
        tmp_path,
        workers=workers,
    )
    assert "torch.where" in error.hint


@pytest.mark.torch
def test_branch_in_a_library_is_named_with_the_line_that_called_it(tmp_path: Path) -> None:
    """The user's own line says nothing there: it calls the model."""
    import importlib

    import torch

    from edge_sdk.converters.sources.pytorch.export import exported

    library = tmp_path / "site-packages" / "branching_library.py"
    library.parent.mkdir()
    library.write_text("def forward(x):\n    return x + 1 if x.any() else x\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(library.parent)
        forward = importlib.import_module("branching_library").forward

    class Caller(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return forward(x)

    own = r"called at test_bad_input\.py:\d+ \(`return forward\(x\)`\)"
    with pytest.raises(ModelError, match=rf"at branching_library\.py:2 \(`return x \+ 1 if x\.any.*\), {own}"):
        exported(Caller().eval(), [torch.ones(2)], ["x"], ["y"], {"exporter": "dynamo", "opset": 20})


@pytest.mark.torch
@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("half", ModelError, "is float16"),
        ("nothing", ModelError, "returned None"),
        ("cnnn", ModelError, "has no function `cnnn`, did you mean `cnn`"),
    ],
)
def test_function_that_returns_no_usable_model(
    tmp_path: Path, workers: Workers, function: str, error: type[Exception], message: str
) -> None:
    fails(error, message, f"{HERE}/torch_models.py:{function}", tmp_path, workers=workers)


@pytest.mark.torch
def test_pickle_hidden_in_a_pt2_is_not_run(tmp_path: Path, workers: Workers) -> None:
    path, touched = tmp_path / "sneaky.pt2", tmp_path / "touched"
    write(workers, TORCH, "save_pickle_in_pt2", path=str(path), target=str(touched))
    fails(UntrustedSourceError, "holds a pickle with more than tensors", path, tmp_path, workers=workers)
    assert not touched.exists()


@pytest.mark.torch
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_truncated_pt2(tmp_path: Path, workers: Workers, share: float) -> None:
    path = write(workers, TORCH, "save_pt2", name="cnn", path=str(tmp_path / "c.pt2"))
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: int(len(whole) * share)])
    fails(ModelError, r"not a whole \.pt2 file", path, tmp_path, workers=workers)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: {"imag": x}, "`imag` is not an input of the model, did you mean `image`"),
        (lambda x: {"image": x[:, :8]}, r"expects \[\?, 16, 16, 3\] with samples along the first axis"),
        (lambda x: {"image": x.astype(np.float64)}, "expects float32, got float64"),
        (lambda x: {"image": np.where(x > 2, np.nan, x).astype(np.float32)}, "holds NaN"),
        (lambda x: {"image": x[:0]}, "there are no samples"),
        (lambda x: {"image": np.full_like(x, 0.5)}, "the same value everywhere"),
        (lambda x: "absent.npz", "no such file"),
    ],
    ids=["name", "shape", "dtype", "nan", "none", "constant", "absent"],
)
def test_calibration_that_does_not_fit(tmp_path: Path, workers: Workers, change: Any, message: str) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "c.keras"))
    images = np.random.default_rng(0).standard_normal((120, 16, 16, 3)).astype(np.float32)
    fails(CalibrationError, message, path, tmp_path, recipe="int8", calibration=change(images), workers=workers)


@pytest.mark.keras
def test_recipe_and_output_are_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    absent = tmp_path / "absent.keras"
    with pytest.raises(RecipeError, match="did you mean `int8`"):
        convert(absent, tmp_path / "o.tflite", recipe="int88")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        convert(absent, tmp_path / "file" / "o.tflite")


@pytest.mark.keras
def test_integer_only_with_an_op_that_has_no_integer_form(tmp_path: Path, workers: Workers) -> None:
    """Embedding lookups keep their ids, but a model whose ops cannot be integer is refused, with their names."""
    path = write(workers, KERAS, "save", name="sine", path=str(tmp_path / "s.keras"))
    calibration = samples_for({"x": ((1, 6), "float32")})
    error = fails(
        ConversionError,
        "must be integer-only, but 1 ops are float: SIN",
        path,
        tmp_path,
        recipe="int8_only",
        calibration=calibration,
        workers=workers,
    )
    assert "--io float32" in error.hint
    report = convert(path, tmp_path / "o.tflite", recipe="int8", calibration=calibration, workers=workers)
    finding = next(f for f in report.findings if f.rule == "float-ops-left")
    assert "SIN" in finding.message


@pytest.mark.keras
def test_worker_that_is_killed_is_an_error_with_the_stage(tmp_path: Path, workers: Workers) -> None:
    write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "c.keras"))
    worker = workers.get("source-keras")
    worker.function("tests.converters.test_bad_input:die_on_next_load", "preparing", number=int(signal.SIGSEGV))
    error = fails(
        ConversionError,
        r"the worker process died while loading the model \(killed by SIGSEGV\)",
        tmp_path / "c.keras",
        tmp_path,
        workers=workers,
    )
    assert error.hint is None
    assert convert(tmp_path / "c.keras", tmp_path / "ok.tflite", workers=workers).verified


def die_on_next_load(number: int) -> None:
    import keras

    keras.models.load_model = lambda *_, **__: os.kill(os.getpid(), number)


def edge_sdk(*arguments: str | Path, **settings: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge_sdk", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


@pytest.mark.keras
def test_interrupt_leaves_no_file_and_no_process(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "c.keras"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    process = edge_sdk(
        "convert",
        path,
        "-o",
        tmp_path / "out.tflite",
        env=environment,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    while not any(scratch.rglob("worker.log")):
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "out.tflite").exists()
    assert list(scratch.iterdir()) == []
    assert not [process for process in Path("/proc").glob("[0-9]*") if works_in(process, scratch)]


def heed_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so does whatever it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def works_in(process: Path, folder: Path) -> bool:
    """Whether a process, by its entry in /proc, stands in the folder."""
    with contextlib.suppress(OSError):
        return (process / "cwd").readlink().is_relative_to(folder)
    return False


@pytest.mark.keras
def test_missing_extra_names_the_pip_command(tmp_path: Path, workers: Workers) -> None:
    """A Python without TensorFlow: its import is made to fail in the worker."""
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "saved"))
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text("import sys\nsys.modules['tensorflow'] = None\n")
    process = edge_sdk(
        "convert", path, "-o", tmp_path / "out.tflite", "-q", env={**os.environ, "PYTHONPATH": str(blocked)}
    )
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: reading a SavedModel needs tensorflow, which is not installed" in stderr
    assert "hint: pip install 'edge-sdk[keras]'" in stderr
    assert not (tmp_path / "out.tflite").exists()


def test_missing_dependency_is_an_edge_sdk_error() -> None:
    assert MissingDependencyError("x", extra="y", why="z").hint == "pip install 'edge-sdk[y]'"


@pytest.mark.keras
def test_full_disk_is_one_error(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "c.keras"))
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        fails(OutputError, "cannot be written: No space left on device", path, disk, workers=workers)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
