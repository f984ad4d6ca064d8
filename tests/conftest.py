"""Shared fixtures; imports no ML toolchain.

Heavy work runs in worker processes that are shared by all tests, so that TensorFlow and PyTorch start once.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_NEEDS = {
    "runtime": (("ai_edge_litert", "tflite_runtime"), "runtime"),
    "images": (("PIL",), "images"),
    "signing": (("cryptography",), "signing"),
    "keras": (("tensorflow",), "keras"),
    "onnx": (("onnx",), "onnx"),
    "onnx2tf": (("onnx2tf",), "onnx2tf"),
    "torch": (("onnxscript",), "torch"),
    "dask": (("distributed",), "dask"),
    "tensorboard": (("tensorboard",), "tensorboard"),
    "ethos_u": (("ethosu",), "ethos-u"),
    "qualcomm": (("onnxruntime_qnn",), "qualcomm"),
    "forms": (("jsonschema",), "dev"),
    "metadata_reader": (("tensorflow_lite_support",), ""),
    "litert_torch": (("litert_torch",), "litert-torch"),
}
# A shell that starts CI in the background has its children ignore Ctrl-C, and theirs: those tests send it on purpose.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So does nohup with a hangup.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
_TOOLS = {
    "android": (("javac", "mvn", "apksigner"), "apt-get install openjdk-17-jdk-headless maven apksigner"),
}
# What sessions remember of files that they have tried is not the user's to keep.
os.environ["EDGE_SDK_CACHE"] = tempfile.mkdtemp(prefix="edge-sdk-tests-")
atexit.register(shutil.rmtree, os.environ["EDGE_SDK_CACHE"], ignore_errors=True)
_ALLOWED = Path(__file__).parent / "allowed_skips.txt"
# Thousands of tests are collected and stay: nothing of them is garbage, and looking through them takes a third of it.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is looked for among what tests make."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what this environment lacks, and says which tests stay in one process."""
    _skip_what_lacks(items)
    if config.pluginmanager.has_plugin("xdist"):
        _keep_together(items)


def _keep_together(items: list[pytest.Item]) -> None:
    """A file's tests share what they make; files with slow tests come first.

    All that want the demo or build the app are one group: nobody waits for the demo, and Maven's folder has one user.
    """
    first = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in first)
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue  # it says itself what it must stay with
        file = item.path.relative_to(_ALLOWED.parent).as_posix()
        shared = "demo" in getattr(item, "fixturenames", ()) or item.get_closest_marker("android")
        item.add_marker(pytest.mark.xdist_group("demo" if shared else file))


def _skip_what_lacks(items: list[pytest.Item]) -> None:
    """With the extra that adds it."""
    for item in items:
        for marker, (modules, extra) in _NEEDS.items():
            if item.get_closest_marker(marker) and not any(find_spec(module) for module in modules):
                reason = f"pip install 'edge-sdk[{extra}]'" if extra else "make test-metadata"
                item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("light") and (find_spec("tensorflow") or not find_spec("onnxscript")):
            item.add_marker(pytest.mark.skip(reason="make test-light"))
        for marker, (programs, install) in _TOOLS.items():
            if item.get_closest_marker(marker) and not all(map(shutil.which, programs)):
                item.add_marker(pytest.mark.skip(reason=install))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip that no line of allowed_skips.txt names is a failure; so it is in an environment made for tests."""
    target = os.environ.get("MAKE_TARGET")
    if not os.environ.get("CI") and not target:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    lines = [line for line in _ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    lines = [line for line in lines if f"`make {target}`" not in line]
    allowed = tuple(line.split(" -- ")[0] for line in lines)
    skipped = [report.nodeid for report in reporter.stats.get("skipped", [])] if reporter else []
    unnamed = [node for node in skipped if not node.startswith(allowed or ("\0",))]
    if unnamed and reporter:
        reporter.write_line(f"skipped in CI, but not named in {_ALLOWED.name}: {', '.join(unnamed)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True, scope="session")
def _forms() -> Iterator[None]:
    """Whatever a command prints in any test of this process is in its published form; needs the extra `dev`."""
    if not find_spec("jsonschema"):
        yield
        return
    from edge_sdk.cli.screen import Screen
    from tests.forms import check_printed

    def result(self: Screen, data: dict[str, Any], text: str) -> None:
        check_printed(data, closed=True)
        shown(self, data, text)

    shown = Screen.result
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "result", result)
        yield


@pytest.fixture(scope="session")
def workers(store: Any) -> Iterator[Any]:
    """Worker processes for all tests."""
    from tests.store import SharedWorkers

    with SharedWorkers(store) as shared:
        yield shared


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Sources and files that several tests want."""
    from tests.store import Store

    own = tmp_path_factory.getbasetemp()
    # Processes of one session lie side by side in its folder.
    return Store((own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "store")


@pytest.fixture(scope="session")
def demo(store: Any) -> tuple[Path, list[Any]]:
    """The folder that ``edge-sdk demo`` leaves, and its rows."""
    found: tuple[Path, list[Any]] = store.demo()
    return found


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    """A small float .tflite: ``image (1, 8, 8, 3) -> scores (1, 5)``."""
    from tests.graphs import conv_model

    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    return path
