"""Models of an APK in the very version of TensorFlow that it carries, and interpreters that will not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.android.archive import Entry, write_archive
from edge_sdk.android.checking import check_apk
from edge_sdk.android.trying import try_models
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden
from edge_sdk.errors import MissingToolError, TargetError
from edge_sdk.report.android import check_text
from tests.android.axml import manifest
from tests.graphs import conv_model, int8_model

ENGINE = Path(__file__).parents[2] / ".venv-tf216/bin/python"
pytestmark = [pytest.mark.android, pytest.mark.runtime]


def an_apk(folder: Path, models: dict[str, bytes], *, version: bytes = b"2.16.1") -> Path:
    """Not one that would install: a manifest, models, and what tells the engine's version."""
    entries = [Entry(f"assets/models/{name}", content) for name, content in models.items()]
    library = Entry("lib/arm64-v8a/libtensorflowlite_jni.so", b"\0" + version + b"\0")
    write_archive(folder / "some.apk", [Entry("AndroidManifest.xml", manifest("a.b")), library, *entries])
    return folder / "some.apk"


@pytest.mark.slow
@pytest.mark.skipif(not ENGINE.exists(), reason="make test-android (TensorFlow 2.16.1 in an environment of its own)")
def test_models_run_in_the_engine_or_are_refused(tmp_path: Path) -> None:
    """FULLY_CONNECTED 12 came with TensorFlow 2.17."""
    (tmp_path / "int8.tflite").write_bytes(int8_model())
    create_bundle([tmp_path / "int8.tflite"], tmp_path / "good.edge", golden=Golden(samples=1))
    models = {"good.edge": (tmp_path / "good.edge").read_bytes(), "new.tflite": int8_model(version=12)}
    report = check_apk(an_apk(tmp_path, {**models, "cut.tflite": conv_model()[:200]}), python=ENGINE)
    assert report.tried == ("assets/models/good.edge, variant int8", "assets/models/new.tflite")
    (refused,) = (finding for finding in report.findings if finding.rule == "apk-model-refused")
    assert refused.where == "assets/models/new.tflite"
    assert "does not run in tensorflow 2.16.1: " in refused.message
    assert "'FULLY_CONNECTED' version '12'" in refused.message
    assert "WOULD FAIL (2 models run here in tensorflow 2.16.1, the rest predicted" in check_text(report)


def test_an_engine_that_crashes_on_one_of_them(tmp_path: Path) -> None:
    script = """#!/bin/sh
echo '"2.16.1"'
shift 2
for path; do case $path in */1.tflite) kill -9 $$ ;; esac; echo '""'; done
"""
    found = try_models(_script(tmp_path, script), "2.16.1", dict.fromkeys("abc", b"x"))
    assert found == {"a": "", "b": "the engine's process crashed", "c": ""}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho No module named tensorflow >&2; exit 1\n", "has no TensorFlow: No module named tensorflow"),
        ("#!/bin/sh\necho '\"2.17.0\"'\n", r"has TensorFlow 2\.17\.0, the APK carries 2\.16\.1"),
        ("#!/bin/sh\nexit 3\n", "has no TensorFlow: exit status 3"),
        ("no program", "does not start: Exec format error"),
    ],
)
def test_an_interpreter_that_will_not_do(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(MissingToolError, match=words) as caught:
        try_models(_script(tmp_path, script), "2.16.1", {"a": b"x"})
    assert "pip install tensorflow-cpu==2.16.1" in str(caught.value.hint)


def test_no_engine_that_is_known(tmp_path: Path) -> None:
    apk = an_apk(tmp_path, {"m.tflite": conv_model()}, version=b"nothing")
    with pytest.raises(TargetError, match="no model can be tried: it holds tensorflow, version unknown"):
        check_apk(apk, python=tmp_path)


def _script(folder: Path, text: str) -> Path:
    path = folder / "python"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path
