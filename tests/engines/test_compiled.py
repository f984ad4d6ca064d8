"""What keeps a model or an engine from CompiledModel, before anything is opened."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest

from edge_sdk.engines import cpu_features
from edge_sdk.engines.compiled import Ask
from edge_sdk.engines.compiled_trial import _evidence
from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.probe import Trial
from edge_sdk.engines.source import open_source
from edge_sdk.errors import DelegateUnavailableError, RecipeError

pytestmark = pytest.mark.runtime


@pytest.mark.parametrize("delegate", ["gpu", "npu"])
def test_an_engine_without_it_says_which_has(delegate: str, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DelegateUnavailableError, match=r"LiteRT brings one since 2\.2") as caught:
        open_with(delegate, open_source(models / "residual.tflite"), DelegateOptions(find_engine()))
    assert "ai-edge-litert>=2.2" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("delegate", "options", "message"),
    [
        ("gpu", {"softwar": "true"}, "gpu: unknown option `softwar`, did you mean `software`?"),
        ("gpu", {"software": "perhaps"}, "gpu: option software: expected true or false, got `perhaps`"),
        ("gpu", {"precision": "float8"}, "gpu: option precision: expected float32 or float16, got `float8`"),
        ("npu", {"backend": "tpu"}, "npu: option backend: expected npu, gpu, cpu, got `tpu`, did you mean `npu`?"),
        ("npu", {"bakend": "cpu"}, "npu: unknown option `bakend`, did you mean `backend`?"),
    ],
)
def test_an_option_that_is_not_known(delegate: str, options: dict[str, str], message: str, models: Path) -> None:
    source = open_source(models / "residual.tflite")
    with pytest.raises(RecipeError) as caught:
        open_with(delegate, source, DelegateOptions(find_engine(), library_options=options))
    assert str(caught.value) == message


def test_a_dispatch_folder_without_a_dispatch_library(models: Path, tmp_path: Path) -> None:
    options = DelegateOptions(find_engine(), library=str(tmp_path))
    with pytest.raises(DelegateUnavailableError, match="holds no libLiteRtDispatch_"):
        open_with("npu", open_source(models / "residual.tflite"), options)


def test_atomics_are_asked_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit 8 of AT_HWCAP on arm64; elsewhere nobody is asked."""

    class Libc:
        def __init__(self, word: int) -> None:
            self.getauxval = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong)(lambda kind: word if kind == 16 else 0)

    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    for word, expected in ((0b1_1111_1111, True), (0b0_1111_1111, False)):
        monkeypatch.setattr(ctypes, "CDLL", lambda name, word=word: Libc(word))
        assert cpu_features.has_atomics() is expected
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert cpu_features.has_atomics()


CHOSE_FOUR = "Partitioned subgraph<0>, selected 4 ops, from a total of 6 ops. resulted in 2 partitions."


def trial(log: str, *, alone: bool, whole: bool) -> Trial:
    return Trial({"alone": alone, "all": whole}, None, None, "closing it", log)


@pytest.mark.parametrize(
    ("accelerator", "log", "whole"),
    [
        # LiteRT 2.3.0 with NPU|CPU and no NPU: "fully accelerated", on the CPU.
        ("npu", "INFO: 0 compiler plugins were applied successfully: ", True),
        # The same with a plugin that chose ops and then failed to compile them.
        ("npu", f"{CHOSE_FOUR}\nINFO: [compiled_model.cc:1397] 0 compiler plugins were applied successfully: ", False),
        ("gpu", "", False),
        ("gpu", "0 operations will run on the GPU, and the remaining 6 operations will run on the CPU.", False),
        # Another count than the file's ops is of something else.
        ("gpu", "3 operations will run on the GPU, and the remaining 9 operations will run on the CPU.", False),
    ],
)
def test_what_nothing_proves_is_refused(accelerator: str, log: str, whole: bool, models: Path) -> None:
    model = open_source(models / "residual.tflite")
    ask = Ask("gpu" if accelerator == "gpu" else "npu")
    with pytest.raises(DelegateUnavailableError, match="nothing shows that it took an op"):
        _evidence(trial(log, alone=False, whole=whole), model, ask)


def test_a_first_run_that_litert_gives_up_is_told_as_that(models: Path) -> None:
    text = (
        "TensorBufferWrapper error: code=7 [litert/runtime/tensor_buffer.cc:1133] Failed to lock custom tensor buffer."
    )
    gone = Trial(None, ("RuntimeError", text), None, "running the model once", "")
    with pytest.raises(DelegateUnavailableError, match="its first run was not done after two minutes") as caught:
        _evidence(gone, open_source(models / "residual.tflite"), Ask("gpu"))
    assert "try once more" in str(caught.value.hint)


def test_a_crash_is_an_error_with_its_place(models: Path) -> None:
    died = Trial(None, None, "crashed with SIGILL", "opening the model", "INFO: x\nFATAL ERROR: compiled with lse\n")
    expected = "gpu crashed with SIGILL while opening the model; it last said: FATAL ERROR: compiled with lse"
    with pytest.raises(DelegateUnavailableError, match=expected):
        _evidence(died, open_source(models / "residual.tflite"), Ask("gpu"))
