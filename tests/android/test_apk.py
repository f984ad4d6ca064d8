"""The APK that a build makes, and what the check says of it and of copies with one fault each."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.android.apk import Apk
from edge_sdk.android.archive import PAGE, Entry, write_archive
from edge_sdk.android.building import build
from edge_sdk.android.checking import ApkReport, check_apk
from edge_sdk.android.dex import lambda_machinery
from edge_sdk.android.locked import cache_folder, fetch, read_lock
from edge_sdk.android.properties import project, read_properties
from edge_sdk.android.signing import user_key
from edge_sdk.android.toolchain import find_toolchain
from edge_sdk.cli import cli
from edge_sdk.errors import BuildError, MissingToolError, ModelError, RecipeError
from edge_sdk.progress import Silent
from tests.graphs import Graph, conv_model, options

ANDROGUARD = Path(__file__).parents[2] / ".venv-androguard/bin/python"
pytestmark = pytest.mark.android


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small float model."""
    path = tmp_path_factory.mktemp("model") / "conv.tflite"
    path.write_bytes(conv_model())
    return path


@pytest.fixture(scope="session")
def apk(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The demo with one model."""
    path = tmp_path_factory.mktemp("apk") / "demo.apk"
    build(path, bundles=[model])
    return path


def test_two_builds_are_the_same_bytes(apk: Path, model: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.apk"
    report = build(again, bundles=[model])
    assert again.read_bytes() == apk.read_bytes()
    assert report.size_bytes == apk.stat().st_size
    assert list(tmp_path.iterdir()) == [again]


def test_the_build_is_fit_and_says_what_its_engine_is_not(apk: Path, model: Path) -> None:
    report = check_apk(apk)
    app = read_properties(project())
    assert report.is_fit
    assert (report.manifest.package, report.manifest.version_name) == (app.application_id, app.version_name)
    assert (report.manifest.min_sdk, report.manifest.target_sdk) == (app.min_sdk, app.target_sdk)
    assert report.schemes == ("v2", "v3")
    assert report.signature == "verified by apksigner"
    assert report.engine == f"tensorflow {app.tflite}"
    assert report.abis == app.abis
    assert sum(report.parts.values()) == apk.stat().st_size
    # The engine's libraries are 4 KiB aligned: said for each, and for nothing else.
    assert [finding.rule for finding in report.findings] == ["apk-library-page-size"] * len(report.libraries)
    assert {library.page_bytes for library in report.libraries} == {4096}
    (placed,) = Apk(apk).models
    assert placed.is_stored
    assert placed.offset % PAGE == 0
    assert Apk(apk).read(placed.name) == model.read_bytes()


def test_zipalign_agrees(apk: Path) -> None:
    zipalign = shutil.which("zipalign")
    if zipalign is None:
        pytest.skip("apt-get install zipalign")
    assert subprocess.run([zipalign, "-c", "4", str(apk)], check=False).returncode == 0
    for member in [*Apk(apk).named(".so"), *Apk(apk).models]:
        assert member.offset % PAGE == 0, member


def test_androguard_reads_the_same(apk: Path) -> None:
    """An independent reader, in an environment of its own, for it wants other versions than ours."""
    if not ANDROGUARD.exists():
        pytest.skip("make .venv-androguard/.installed")
    code = (
        "import sys, json\n"
        "from loguru import logger\nlogger.remove()\n"
        "from androguard.core.apk import APK\n"
        "a = APK(sys.argv[1])\n"
        "print(json.dumps([a.get_package(), a.get_androidversion_name(), a.get_min_sdk_version(), "
        "a.get_target_sdk_version(), a.get_main_activity(), a.is_signed_v1(), a.is_signed_v2(), a.is_signed_v3()]))\n"
    )
    done = subprocess.run([ANDROGUARD, "-c", code, str(apk)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    app = read_properties(project())
    expected = [app.application_id, app.version_name, str(app.min_sdk), str(app.target_sdk)]
    assert json.loads(done.stdout) == [*expected, "dev.edgesdk.demo.MainActivity", False, True, True]


Fault = Callable[[dict[str, bytes]], None]


def _drop(ending: str) -> Fault:
    def change(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.endswith(ending)]:
            del files[name]

    return change


def _add(name: str, content: bytes) -> Fault:
    return lambda files: files.update({name: content})


def _move_libraries(abi: str) -> Fault:
    def change(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.startswith("lib/")]:
            files[f"lib/{abi}/{Path(name).name}"] = files.pop(name)

    return change


def _cut_libraries(files: dict[str, bytes]) -> None:
    files.update({name: files[name][:5000] for name in files if name.endswith("lite_jni.so")})


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (_drop(".dex"), "apk-no-classes"),
        (_add("classes2.dex", b"dex\n" + bytes(48) + struct.pack("<IIHHII", 56, 1, 7, 0, 1, 0)), "apk-invoke-custom"),
        (_move_libraries("x86_64"), "apk-no-arm"),
        (_cut_libraries, "apk-library-broken"),
        (_add("assets/models/cut.tflite", conv_model()[:200]), "apk-model-damaged"),
        (_add("assets/models/cut.edge", b"PK\5\6" + bytes(18)), "apk-model-damaged"),
    ],
)
def test_a_fault_is_found(apk: Path, tmp_path: Path, fault: Fault, rule: str) -> None:
    found = {finding.rule for finding in _check_copy(apk, tmp_path, fault).findings}
    # A copy is unsigned, whatever else is wrong with it.
    assert {"apk-unsigned", rule} <= found


def test_call_sites_are_found() -> None:
    """A map list with one section of kind 7, as dx writes it for a lambda."""
    for kind, expected in ((0x0007, True), (0x0006, False)):
        content = b"dex\n" + bytes(48) + struct.pack("<I", 56) + struct.pack("<IHHII", 1, kind, 0, 1, 0)
        assert lambda_machinery(content) is expected
    with pytest.raises(ModelError, match="truncated"):
        lambda_machinery(b"dex\n" + bytes(20))
    with pytest.raises(ModelError, match=r"not a \.dex"):
        lambda_machinery(b"PK")


@pytest.mark.parametrize("compress", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_models_and_libraries_that_cannot_be_mapped(apk: Path, tmp_path: Path, compress: int) -> None:
    path = tmp_path / "plain.apk"
    with zipfile.ZipFile(apk) as old, zipfile.ZipFile(path, "w", compress) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    rules = {finding.rule for finding in check_apk(path).findings}
    if compress == zipfile.ZIP_DEFLATED:
        assert {"apk-library-compressed", "apk-model-compressed"} <= rules
    else:
        assert "apk-library-offset" in rules


def test_ops_that_the_engine_inside_lacks(apk: Path, tmp_path: Path) -> None:
    """FULLY_CONNECTED 12 came with TensorFlow 2.17; the engine inside is 2.16.1."""
    newer = _dense_model(version=12)
    report = _check_copy(apk, tmp_path, _add("assets/models/newer.tflite", newer))
    assert [finding.where for finding in report.findings if finding.rule == "apk-op-version"] == [
        "assets/models/newer.tflite"
    ]


def test_a_build_says_what_will_not_load(tmp_path: Path) -> None:
    (tmp_path / "newer.tflite").write_bytes(_dense_model(version=12))
    words = ["android", "build", "--bundle", str(tmp_path / "newer.tflite"), "-o", str(tmp_path / "demo.apk")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 3
    assert (tmp_path / "demo.apk").exists()
    assert "error: newer.tflite: needs FULLY_CONNECTED version 12, which tensorflow 2.16.1 in this APK" in done.stdout


def test_a_broken_signature_is_an_error(apk: Path, tmp_path: Path) -> None:
    content = bytearray(apk.read_bytes())
    content[Apk(apk).models[0].offset + 40] ^= 1
    path = tmp_path / "flipped.apk"
    path.write_bytes(content)
    report = check_apk(path)
    assert report.signature == "does not verify"
    (said,) = (finding.message for finding in report.findings if finding.rule == "apk-signature-broken")
    assert "digest mismatch" in said


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no more", bytes(100)])
def test_no_apk_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.apk"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not an APK"):
        check_apk(path)


def test_bad_input_of_a_build(tmp_path: Path, model: Path) -> None:
    damaged = tmp_path / "cut.tflite"
    damaged.write_bytes(model.read_bytes()[:100])
    cases = [
        ({"bundles": [damaged]}, ModelError, "cut.tflite"),
        ({"bundles": [tmp_path / "x.onnx"]}, RecipeError, "expected an .edge bundle or a .tflite file"),
        ({"bundles": [model, model]}, RecipeError, "two models are called"),
        ({"abis": ["mips"]}, RecipeError, "no engine for the ABI `mips`"),
    ]
    for arguments, kind, message in cases:
        with pytest.raises(kind, match=message):
            build(tmp_path / "demo.apk", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [damaged]


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, lock = read_properties(project()), read_lock(project())
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path))
    with pytest.raises(MissingToolError, match="no build tools") as caught:
        find_toolchain(app, lock, Silent())
    assert "sdkmanager" in str(caught.value.hint)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingToolError, match="no javac"):
        find_toolchain(app, lock, Silent())
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.delenv("ANDROID_HOME")
    only_java = tmp_path / "bin"
    only_java.mkdir()
    (only_java / "javac").symlink_to(str(shutil.which("javac")))
    monkeypatch.setenv("PATH", str(only_java))
    with pytest.raises(MissingToolError, match="no apksigner") as caught:
        find_toolchain(app, lock, Silent())
    assert "apt-get install apksigner" in str(caught.value.hint)


def test_a_corrupt_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the right size, and with another byte."""
    smallest = min(read_lock(project()).values(), key=lambda one: one.size_bytes)
    (good,) = fetch([smallest], Silent()).values()
    content = good.read_bytes()
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path))
    bad = cache_folder() / smallest.file_name
    bad.parent.mkdir(parents=True)
    bad.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (again,) = fetch([smallest], Silent()).values()
    assert again == bad
    assert again.read_bytes() == content


def test_a_file_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path))
    smallest = min(read_lock(project()).values(), key=lambda one: one.size_bytes)
    with pytest.raises(BuildError, match="expected SHA-256 0000"):
        fetch([replace(smallest, sha256="0" * 64)], Silent())
    assert not list(cache_folder().iterdir())
    with pytest.raises(BuildError, match="fetching"):
        fetch([replace(smallest, coordinates="org.tensorflow:no-such-thing:1.0:jar")], Silent())


def test_a_key_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such keystore"):
        user_key(tmp_path / "none.p12", "me", "env:PASSWORD")
    store = tmp_path / "some.p12"
    store.write_bytes(b"not a keystore")
    with pytest.raises(RecipeError, match="readable by all"):
        user_key(store, "me", "secret")
    with pytest.raises(BuildError, match="apksigner sign failed"):
        build(tmp_path / "demo.apk", key=user_key(store, "me", f"file:{store}"))
    assert not (tmp_path / "demo.apk").exists()


def _dense_model(*, version: int) -> bytes:
    graph = Graph()
    values = graph.tensor("values", (1, 4))
    weights = graph.constant("weights", np.eye(4, dtype=np.float32))
    result = graph.tensor("result", (1, 4))
    graph.op("FULLY_CONNECTED", (values, weights, -1), (result,), options("FullyConnectedOptions"), version=version)
    return graph.finish((values,), (result,))


def _check_copy(apk: Path, folder: Path, change: Fault) -> ApkReport:
    """The APK's files, changed, in an archive placed as a build places it."""
    with zipfile.ZipFile(apk) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    path = folder / "copy.apk"
    write_archive(path, [Entry(name, content) for name, content in files.items()])
    return check_apk(path)
