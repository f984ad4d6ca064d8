"""Bundles from .tflite files, through Python and the command line, and the self-test they carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import edge_sdk
from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.options import BundleOptions, Golden, Signing
from edge_sdk.bundle.reading import open_bundle
from edge_sdk.bundle.sources import source_facts, stable_report
from edge_sdk.bundle.tolerance import widened
from edge_sdk.cli import cli
from edge_sdk.data import ImageOptions
from edge_sdk.errors import BundleError, CalibrationError, EdgeSdkError, ModelError, UnknownDeviceError
from edge_sdk.runtime import Runner
from tests.graphs import conv_model


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    """Two variants of one shape; other seeds, other weights."""
    files = [tmp_path / "one.tflite", tmp_path / "Two 2.tflite"]
    for seed, file in enumerate(files):
        file.write_bytes(conv_model(seed=seed))
    return files


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("zero\none\ntwo\nthree\nfour\n")
    return path


@pytest.fixture
def odd_files(tmp_path: Path, labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are wrong, in the working folder; ``labels.txt`` is right."""
    monkeypatch.chdir(tmp_path)
    Path("short.txt").write_text("a\nb\n")
    Path("blank.txt").write_text("a\n\nb\nc\nd\n")
    Path("steps.json").write_text('{"input": [], "outputs": []}')
    Path("other.json").write_text('{"inputs": [{"name": "imag", "kind": "image", "steps": []}], "outputs": []}')


NO_RUN: BundleOptions = {"golden": Golden(samples=0)}


def test_without_an_engine_a_bundle_has_no_self_test(tmp_path: Path, models: list[Path]) -> None:
    report = edge_sdk.create_bundle(models, tmp_path / "a.edge", **NO_RUN)
    assert [variant.id for variant in report.manifest.variants] == ["one", "two_2"]
    assert all(variant.golden == () and variant.tolerance == {} for variant in report.manifest.variants)
    edge_sdk.verify_bundle(tmp_path / "a.edge")


def test_checked_and_described(tmp_path: Path, models: list[Path]) -> None:
    options: BundleOptions = {**NO_RUN, "profiles": ["pixel-8", "raspberry-pi-4"]}
    report = edge_sdk.create_bundle(models[:1], tmp_path / "a.edge", **options)
    (variant,) = report.manifest.variants
    artifact = read_artifact(models[0])
    assert (variant.precision, variant.made_from_sha256) == ("float32", artifact.sha256)
    assert [one.profile for one in variant.checked] == ["pixel-8", "raspberry-pi-4"]
    pixel = variant.checked_for("pixel-8")
    assert pixel is not None
    assert pixel.fits
    assert {one.rules: one.verdict for one in pixel.delegates}["gpu_v2"] == "all"
    assert variant.checked_for("none") is None
    assert variant.predicted_memory.floor_bytes > variant.size_bytes


def test_the_tflite_inside_has_metadata_and_computes_the_same(tmp_path: Path, models: list[Path], labels: Path) -> None:
    from edge_sdk.metadata import read_metadata

    asked = ProcessingOptions(images=ImageOptions(mean=(0.5,), std=(0.25,)), labels={"": labels})
    for wanted in (True, False):
        options: BundleOptions = {**NO_RUN, "processing": asked, "tflite_metadata": wanted}
        edge_sdk.create_bundle(models[:1], tmp_path / "a.edge", **options)
        with open_bundle(tmp_path / "a.edge") as bundle:
            found = read_metadata(bundle.artifact("one"))
            assert (found is not None) == wanted
            if found is None:
                assert bytes(bundle.model("one")) == models[0].read_bytes()
            else:
                assert found.inputs[0].normalization is not None
                assert found.inputs[0].normalization.mean == (127.5,)
                assert found.outputs[0].files == (("labels_scores.txt", "TENSOR_AXIS_LABELS"),)


@pytest.mark.runtime
def test_equal_inputs_make_equal_bytes(tmp_path: Path, models: list[Path], labels: Path) -> None:
    """The self-test included: it is run anew."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        edge_sdk.create_bundle(models, tmp_path / name / "x.edge", processing=ProcessingOptions(labels={"": labels}))
    assert (tmp_path / "a" / "x.edge").read_bytes() == (tmp_path / "b" / "x.edge").read_bytes()


@pytest.mark.runtime
def test_the_self_test_is_passed_by_the_model_and_failed_by_another(tmp_path: Path, models: list[Path]) -> None:
    data = {"image": np.random.default_rng(1).random((6, 8, 8, 3), np.float32)}
    edge_sdk.create_bundle(models, tmp_path / "a.edge", golden=Golden(data, samples=3))
    with open_bundle(tmp_path / "a.edge") as bundle:
        cases = bundle.golden("one")
        assert len(cases) == 3
        for place, case in enumerate(cases):
            np.testing.assert_array_equal(case.inputs["image"][0], data["image"][place])
            right, wrong = Runner(models[0]).run(case.inputs), Runner(models[1]).run(case.inputs)
            half = {name: values.astype(np.float16).astype(np.float32) for name, values in right.items()}
            assert case.faults(right, "float32") == ()
            assert case.faults(half, "float16") == ()
            assert "max abs error" in case.faults(half, "float32")[0].message
            assert "SQNR" in case.faults(wrong, "float16")[0].message
            assert "no tolerance for integer" in case.faults(right, "integer")[0].message
            assert "got nothing" in case.faults({}, "float32")[0].message
            assert "got float32[5]" in case.faults({"scores": right["scores"][0]}, "float32")[0].message
            assert case.faults({"scores": np.full_like(right["scores"], np.nan)}, "float16")


@pytest.mark.runtime
def test_variants_share_equal_inputs(tmp_path: Path, models: list[Path]) -> None:
    report = edge_sdk.create_bundle(models, tmp_path / "a.edge")
    one, two = report.manifest.variants
    assert [run.inputs for run in one.golden] == [run.inputs for run in two.golden]
    assert {run.outputs["scores"] for run in one.golden}.isdisjoint({run.outputs["scores"] for run in two.golden})


def test_a_broken_limit_is_widened_to_what_was_measured() -> None:
    from edge_sdk.bundle.manifest import Limit, Port

    port = Port("x", "float32", (3,), None, None)
    expected, got = [np.ones(3, np.float32)], [np.array([1, 1, 1.5], np.float32)]
    tight = Limit("float32", "max_abs_error", 0.1, "a test's own")
    wide = widened(tight, expected, got, port)
    assert (wide.value, wide.derivation[:5]) == (1.0, "twice")
    assert widened(Limit("float32", "max_abs_error", 0.6, ""), expected, got, port).value == 0.6
    sqnr = widened(Limit("float16", "sqnr_db", 30.0, ""), expected, got, port)
    assert sqnr.value == pytest.approx(10 * np.log10(3 / 0.25) - 20 * np.log10(2))


def _asked(**options: Any) -> BundleOptions:
    return {"processing": ProcessingOptions(**options)}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"profiles": ["pixel-88"]}, UnknownDeviceError, "pixel-8"),
        (_asked(labels={"": Path("absent.txt")}), BundleError, "cannot be read"),
        (_asked(labels={"score": Path("labels.txt")}), BundleError, "did you mean `scores`"),
        (
            {"processing": ProcessingOptions(labels={"": Path("short.txt")})},
            BundleError,
            "2 labels for output `scores`",
        ),
        (
            {"processing": ProcessingOptions(labels={"": Path("blank.txt")})},
            BundleError,
            "line 2 of the labels is blank",
        ),
        (_asked(images=ImageOptions(mean=(1.0, 2.0))), BundleError, "has 3 channels"),
        (_asked(file=Path("steps.json")), BundleError, "did you mean `inputs`"),
        (_asked(file=Path("other.json")), BundleError, "input `imag` does not exist"),
        ({"reports": [{}]}, BundleError, "not a conversion report"),
        ({"reports": [{"artifact": {"sha256": "0" * 64}}]}, BundleError, "none of those given"),
        ({"golden": Golden({"image": np.zeros((2, 9, 9, 3), np.float32)})}, CalibrationError, "expects"),
        ({"golden": Golden({"image": np.zeros((0, 8, 8, 3), np.float32)})}, BundleError, "no sample"),
        ({"golden": Golden({"image": np.full((2, 8, 8, 3), np.nan, np.float32)})}, CalibrationError, "NaN"),
    ],
)
@pytest.mark.usefixtures("odd_files")
def test_what_cannot_be_made_leaves_no_file(models: list[Path], options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words.replace("[", r"\[")):
        edge_sdk.create_bundle(models[:1], "a.edge", **options)
    assert not Path("a.edge").exists()


def test_files_that_do_not_belong_together(tmp_path: Path, models: list[Path]) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(conv_model(side=9))
    with pytest.raises(BundleError, match=r"other\.tflite has other inputs than .*one\.tflite"):
        edge_sdk.create_bundle([models[0], other], tmp_path / "a.edge", **NO_RUN)
    with pytest.raises(BundleError, match="2 files would be the variant `one`"):
        edge_sdk.create_bundle([models[0], models[0]], tmp_path / "a.edge", **NO_RUN)
    with pytest.raises(BundleError, match="at least one"):
        edge_sdk.create_bundle([], tmp_path / "a.edge")
    with pytest.raises(ModelError, match="No such file"):
        edge_sdk.create_bundle([tmp_path / "absent.tflite"], tmp_path / "a.edge")
    (tmp_path / "file").touch()
    with pytest.raises(EdgeSdkError, match="is a file, not a folder"):
        edge_sdk.create_bundle(models[:1], tmp_path / "file" / "a.edge", **NO_RUN)


def test_a_report_is_kept_without_what_varies() -> None:
    report = {
        "artifact": {"sha256": "0", "path": "/home/me/x.tflite"},
        "source": "/home/me/model.keras",
        "output": "/home/me/x.tflite",
        "attempts": [{"name": "a", "seconds": 1.5}],
        "stages_seconds": {"load": 1.0},
        "timings_measured": [1],
        "verified": True,
    }
    kept = stable_report(report)
    assert "/home" not in json.dumps(kept)
    assert "seconds" not in json.dumps(kept)
    assert kept["verified"] is True


def test_the_source_has_a_hash_file_or_folder(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "m" / "sub").mkdir(parents=True)
    (tmp_path / "m" / "a").write_bytes(b"1")
    (tmp_path / "m" / "sub" / "b").write_bytes(b"2")
    assert source_facts(tmp_path / "m" / "a", None).sha256 == hashlib.sha256(b"1").hexdigest()
    lines = f"{hashlib.sha256(b'1').hexdigest()}  a\n{hashlib.sha256(b'2').hexdigest()}  sub/b\n"
    assert source_facts(tmp_path / "m", "keras").sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert source_facts(object(), "torch").name is None
    (tmp_path / "f.py").touch()
    assert source_facts(f"{tmp_path}/f.py:net", None).name == "f.py"


def test_command_line_from_end_to_end(tmp_path: Path, models: list[Path], labels: Path) -> None:
    path = tmp_path / "a.edge"
    options = ["--golden-samples", 0, "--profile", "pixel-8", "--labels", labels, "--top-k", 2, "--softmax"]
    done = invoke("bundle", "create", *models, "-o", path, *options, "--image-mean", "0.5", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    steps = made["manifest"]["raw_processing"]
    assert [step["op"] for step in steps["inputs"][0]["steps"]] == ["resize", "normalize", "cast", "batch"]
    assert [step["op"] for step in steps["outputs"][0]["steps"]] == ["softmax", "top_k"]
    shown = json.loads(invoke("bundle", "inspect", path, "--json").stdout)
    assert shown["manifest"] == made["manifest"]
    assert "predicted to fit" in invoke("bundle", "inspect", path).stdout
    checked = json.loads(invoke("bundle", "verify", path, "--json").stdout)
    assert (checked["trust"], checked["variants"]) == ("unsigned", ["one", "two_2"])
    assert "nothing says who made it" in invoke("bundle", "verify", path, "-q").stdout


def test_verify_fails_with_one_line_and_code_1(tmp_path: Path, models: list[Path]) -> None:
    path = tmp_path / "a.edge"
    assert invoke("bundle", "create", models[0], "-o", path, "--golden-samples", 0).exit_code == 0
    data = bytearray(path.read_bytes())
    data[data.index(b"TFL3") + 600] ^= 1
    path.write_bytes(data)
    done = invoke("bundle", "verify", path, "-q")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0].startswith("error: ")
    assert json.loads(invoke("bundle", "verify", path, "--json", "-q").stdout)["error"] == "BundleIntegrityError"


@pytest.mark.signing
def test_keys_on_the_command_line(tmp_path: Path, models: list[Path]) -> None:
    key, secret, path = tmp_path / "k.pem", tmp_path / "secret", tmp_path / "a.edge"
    secret.write_text("open sesame\n")
    made = json.loads(invoke("bundle", "keygen", key, "--passphrase-file", secret, "--json").stdout)
    sign = ["--sign", key, "--passphrase-file", secret]
    assert invoke("bundle", "create", models[0], "-o", path, "--golden-samples", 0, *sign).exit_code == 0
    done = invoke("bundle", "verify", path, "--key", f"{key}.pub", "-q")
    assert done.exit_code == 0
    assert f"trusted key {made['key_id']}" in done.stdout
    assert "nothing is encrypted" in done.stdout
    assert invoke("bundle", "create", models[0], "-o", path, "--sign", key, "-q").exit_code == 1
    assert "NOT CHECKED" in invoke("bundle", "verify", path, "-q").stdout
    assert invoke("bundle", "keygen", key).exit_code == 1


@pytest.mark.signing
def test_a_wrong_key_is_found_before_any_work(tmp_path: Path) -> None:
    options: BundleOptions = {"signing": Signing((tmp_path / "absent.pem",))}
    with pytest.raises(BundleError, match=r"absent\.pem: the private key cannot be read"):
        edge_sdk.create_bundle([tmp_path / "absent.tflite"], tmp_path / "a.edge", **options)


def test_bundle_options_need_the_flag(tmp_path: Path) -> None:
    done = invoke("convert", "m.keras", "-o", tmp_path / "x.tflite", "--top-k", "3")
    assert done.exit_code == 2
    assert "--top-k: only with --bundle" in done.stderr
    many = invoke("convert", "m.keras", "-o", tmp_path / "x.tflite", "--profile", "pixel-8", "--profile", "imx93")
    assert many.exit_code == 2
    assert "one --profile for a file; --bundle takes several" in many.stderr


def _custom_model() -> bytes:
    """``conv_model`` whose first op is one that no engine has, as compilers for accelerators leave."""
    root, _ = parse_tree(conv_model())
    custom = next(value for value, name in schema().enums["BuiltinOperator"].items() if name == "CUSTOM")
    root.operator_codes[0].builtin_code = custom
    root.operator_codes[0].deprecated_builtin_code = custom
    root.operator_codes[0].custom_code = "edgetpu-custom-op"
    return pack_tree(root)


@pytest.mark.runtime
def test_a_variant_for_an_accelerator_goes_in_without_golden_runs(tmp_path: Path, models: list[Path]) -> None:
    compiled = tmp_path / "compiled.tflite"
    compiled.write_bytes(_custom_model())
    report = edge_sdk.create_bundle([models[0], compiled], tmp_path / "a.edge")
    assert [len(variant.golden) for variant in report.manifest.variants] == [4, 0]
    assert report.manifest.variants[1].minimum_runtime is None
    (finding,) = report.findings
    assert (finding.rule, finding.where) == ("no-self-test", "compiled")
    edge_sdk.verify_bundle(tmp_path / "a.edge")
