"""Composed files against numpy and against their parts, run one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.artifact.model import Quantization
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.cli import cli
from edge_sdk.converters.composing import ArgMax, Nms, Pixels, Softmax, TopK, chain, embed, ensemble
from edge_sdk.converters.layout import Port
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.writing import write
from edge_sdk.converters.proving.finish import finish
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import ParityError, SignatureError
from tests.graphs import Graph, options

pytestmark = pytest.mark.runtime


def dense(folder: Path, name: str, inputs: int, outputs: int, seed: int, ends: tuple[str, str] = ("x", "y")) -> Path:
    """A file with one FULLY_CONNECTED, ``[1, inputs]`` to ``[1, outputs]``."""
    generator, builder = np.random.default_rng(seed), Builder()
    x = Tensor("x", (1, inputs), "float32")
    weights = builder.constant(generator.standard_normal((outputs, inputs)), "float32")
    y = builder.emit("FULLY_CONNECTED", [x, weights, builder.constant(np.ones(outputs), "float32")], (1, outputs))
    return saved(folder / name, builder, {ends[0]: x}, {ends[1]: y})


def saved(path: Path, builder: Builder, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> Path:
    data = write(builder.graph("main", list(inputs.values()), list(outputs.values())))
    path.write_bytes(finish(data, [Port(n) for n in inputs], [Port(n) for n in outputs], {}))
    return path


def run(path: Path, **inputs: Any) -> dict[str, Any]:
    return Runner(path).run_real({name: np.asarray(values) for name, values in inputs.items()})


X = np.random.default_rng(9).standard_normal((1, 6)).astype(np.float32)


def test_chain_of_three(tmp_path: Path) -> None:
    files = [dense(tmp_path, f"{i}.tflite", a, b, i) for i, (a, b) in enumerate([(6, 5), (5, 4), (4, 3)])]
    made = chain(files, tmp_path / "all.tflite")
    want = X
    for file in files:
        want = run(file, x=want)["y"]
    np.testing.assert_allclose(run(made.output, x=X)["y"], want, rtol=1e-5)
    assert [op.name for op in made.artifact.main.ops] == ["FULLY_CONNECTED"] * 3


def test_chain_by_name(tmp_path: Path) -> None:
    first = dense(tmp_path, "a.tflite", 6, 4, 0, ("x", "features"))
    second = dense(tmp_path, "b.tflite", 4, 3, 1, ("features", "scores"))
    made = chain([first, second], tmp_path / "c.tflite")
    assert list(made.artifact.signature.inputs) == ["x"]
    assert list(made.artifact.signature.outputs) == ["scores"]


def test_integer_ends_are_converted_between(tmp_path: Path) -> None:
    grid, builder = Quantization((0.05,), (3,), 0), Builder()
    x = Tensor("x", (1, 4), "int8", None, grid)
    second = saved(tmp_path / "b.tflite", builder, {"x": x}, {"y": builder.reshaped(x, (2, 2))})
    first = dense(tmp_path, "a.tflite", 6, 4, 0)
    made = chain([first, second], tmp_path / "c.tflite")
    assert [op.name for op in made.artifact.main.ops] == ["FULLY_CONNECTED", "QUANTIZE", "RESHAPE"]
    want = run(first, x=X)["y"].reshape(2, 2)
    low, high = (np.array([-128, 127]) - 3) * 0.05
    np.testing.assert_allclose(run(made.output, x=X)["y"], np.clip(want, low, high), rtol=0, atol=0.0251)


def test_chain_refuses_what_does_not_fit(tmp_path: Path) -> None:
    files = [dense(tmp_path, "a.tflite", 6, 4, 0), dense(tmp_path, "b.tflite", 5, 3, 1)]
    with pytest.raises(SignatureError, match=r"float32\[1, 4\] does not fit float32\[1, 5\]"):
        chain(files, tmp_path / "c.tflite")
    assert not (tmp_path / "c.tflite").exists()


def test_mean_and_weighted(tmp_path: Path) -> None:
    files = [dense(tmp_path, f"{i}.tflite", 6, 3, i) for i in range(3)]
    every = [run(file, x=X)["y"] for file in files]
    mean = ensemble(files, tmp_path / "mean.tflite")
    np.testing.assert_allclose(run(mean.output, x=X)["y"], np.mean(every, axis=0), rtol=1e-5, atol=1e-6)
    weighted = ensemble(files, tmp_path / "weighted.tflite", "weighted", [1, 1, 2])
    want = np.average(every, axis=0, weights=[1, 1, 2])
    np.testing.assert_allclose(run(weighted.output, x=X)["y"], want, rtol=1e-5, atol=1e-6)


def test_vote_takes_the_class_of_most(tmp_path: Path) -> None:
    files = [dense(tmp_path, f"{i}.tflite", 6, 3, i) for i in range(5)]
    made = ensemble(files, tmp_path / "vote.tflite", "vote")
    for seed in range(8):
        x = np.random.default_rng(seed).standard_normal((1, 6)).astype(np.float32)
        classes = [int(run(file, x=x)["y"].argmax()) for file in files]
        assert int(run(made.output, x=x)["y"][0]) == int(np.bincount(classes, minlength=3).argmax())


def test_ensemble_of_different_signatures(tmp_path: Path) -> None:
    files = [dense(tmp_path, "a.tflite", 6, 3, 0), dense(tmp_path, "b.tflite", 6, 4, 1)]
    with pytest.raises(SignatureError, match="y: float32"):
        ensemble(files, tmp_path / "c.tflite")


def image_model(folder: Path) -> Path:
    """``[1, 4, 4, 3]`` to the mean of each channel."""
    builder = Builder()
    x = Tensor("x", (1, 4, 4, 3), "float32")
    y = builder.emit("MEAN", [x, builder.constant([1, 2], "int32")], (1, 3), keep_dims=False)
    return saved(folder / "image.tflite", builder, {"image": x}, {"scores": y})


def test_pixels_and_softmax_inside(tmp_path: Path) -> None:
    pixels = Pixels(mean=(120.0, 110.0, 100.0), std=(60.0, 50.0, 40.0))
    made = embed(image_model(tmp_path), tmp_path / "app.tflite", {"image": pixels}, {"scores": Softmax()})
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    logits = ((image - np.array([120.0, 110, 100])) / np.array([60.0, 50, 40])).mean((1, 2))
    want = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(run(made.output, image=image)["scores"], want, rtol=1e-4)
    assert made.artifact.signature.inputs["image"].dtype == "uint8"


@pytest.mark.parametrize(("step", "names"), [(ArgMax(), ["scores"]), (TopK(2), ["scores_values", "scores_indices"])])
def test_places_of_the_largest(tmp_path: Path, step: Any, names: list[str]) -> None:
    made = embed(image_model(tmp_path), tmp_path / "app.tflite", outputs={"scores": step})
    image = np.random.default_rng(0).standard_normal((1, 4, 4, 3)).astype(np.float32)
    results = run(made.output, image=image)
    assert list(made.artifact.signature.outputs) == names
    order = np.argsort(-image.mean((1, 2)), axis=-1)
    np.testing.assert_array_equal(results[names[-1]].reshape(-1), order[0, : results[names[-1]].size])


def test_nms_inside(tmp_path: Path) -> None:
    builder = Builder()
    boxes, scores = Tensor("b", (1, 40, 4), "float32"), Tensor("s", (1, 40, 3), "float32")
    ends = [builder.emit("ABS", [tensor], tensor.shape) for tensor in (boxes, scores)]
    file = saved(tmp_path / "d.tflite", builder, {"b": boxes, "s": scores}, {"boxes": ends[0], "scores": ends[1]})
    made = embed(file, tmp_path / "app.tflite", outputs={"boxes": Nms("scores", count=10, iou=0.4, score=0.5)})
    # Two boxes that are nearly one, one apart, one too faint.
    given = np.zeros((1, 40, 4), np.float32)
    given[0, :4] = [[0, 0, 1, 1], [0, 0, 1, 0.9], [2, 2, 3, 3], [5, 5, 6, 6]]
    marks = np.zeros((1, 40, 3), np.float32)
    marks[0, 0, 1], marks[0, 1, 1], marks[0, 2, 2], marks[0, 3, 0] = 0.9, 0.8, 0.7, 0.4
    results = run(made.output, b=given, s=marks)
    assert int(results["valid"]) == 2
    np.testing.assert_array_equal(results["boxes"][:2], given[0, [0, 2]])
    assert results["classes"][:2].tolist() == [1, 2]


def test_nms_of_equal_scores_and_boxes_without_area(tmp_path: Path) -> None:
    """As int8 has them: the first of equal ones is taken, what overlaps by just the threshold stays, no box twice."""
    builder = Builder()
    boxes, scores = Tensor("b", (1, 6, 4), "float32"), Tensor("s", (1, 6), "float32")
    ends = [builder.emit("ABS", [tensor], tensor.shape) for tensor in (boxes, scores)]
    file = saved(tmp_path / "d.tflite", builder, {"b": boxes, "s": scores}, {"boxes": ends[0], "scores": ends[1]})
    made = embed(file, tmp_path / "app.tflite", outputs={"boxes": Nms("scores", count=6, iou=0.5, score=0.5)})
    given = np.array([[0, 0, 2, 2], [0, 0, 2, 1], [5, 5, 5, 7], [5, 5, 5, 7], [0, 0, 2, 2], [8, 8, 9, 9]], np.float32)
    marks = np.array([0.75, 0.75, 0.875, 0.875, 0.75, 0.5], np.float32)
    results = run(made.output, b=given[None], s=marks[None])
    assert int(results["valid"]) == 4
    np.testing.assert_array_equal(results["boxes"][:4], given[[2, 3, 0, 1]])
    # What does not count is the best box, as numpy's side has it: nothing there depends on the kernel.
    np.testing.assert_array_equal(results["boxes"][4:], given[[2, 2]])


@pytest.mark.parametrize("limits", [{"iou": 1.0}, {"iou": -0.1}, {"iou": float("nan")}, {"count": 0}])
def test_limits_of_nms(limits: Any) -> None:
    with pytest.raises(SignatureError, match="expected count from 1 on and iou from 0 to below 1"):
        Nms("scores", **limits)


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="output `logits` does not exist"):
        embed(image_model(tmp_path), tmp_path / "app.tflite", outputs={"logits": Softmax()})


def test_what_errs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [dense(tmp_path, f"{i}.tflite", 6, 3, i) for i in range(2)]
    monkeypatch.setattr("edge_sdk.converters.composing.compose._shares", lambda *_: [0.5, 0.6])
    monkeypatch.setattr(
        "edge_sdk.converters.composing.compose._run_ensemble", lambda *_: {"y": np.zeros((1, 3), np.float32)}
    )
    with pytest.raises(ParityError, match="output `y` differs by"):
        ensemble(files, tmp_path / "c.tflite")
    assert not (tmp_path / "c.tflite").exists()


def coder(path: Path) -> Path:
    """``encode``: y = Wx; ``decode``: z = Vy, which runs two subgraphs more."""
    draw, graph = np.random.default_rng(3), Graph()
    x, y = graph.tensor("x", (1, 6)), graph.tensor("y", (1, 4))
    weights = graph.constant("w", draw.standard_normal((4, 6)).astype(np.float32))
    graph.op("FULLY_CONNECTED", (x, weights), (y,), options("FullyConnectedOptions"))
    graph.entry("encode", (x,), (y,))
    other = graph.another("decode")
    y, z, large = other.tensor("y", (1, 4)), other.tensor("z", (1, 3)), other.tensor("large", (1, 3))
    weights = other.constant("v", draw.standard_normal((3, 4)).astype(np.float32))
    other.op("FULLY_CONNECTED", (y, weights), (z,), options("FullyConnectedOptions"))
    flag = other.constant("flag", np.array([True]))
    other.op("IF", (flag, z), (large,), options("IfOptions", then_subgraph_index=2, else_subgraph_index=3))
    other.entry("decode", (y,), (large,))
    for name, kind in (("then", "ABS"), ("else", "NEG")):
        branch = graph.another(name)
        a, b = branch.tensor("a", (1, 3)), branch.tensor("b", (1, 3))
        branch.op(kind, (a,), (b,), options(f"{kind.capitalize()}Options"))
        branch.node.inputs, branch.node.outputs = [a], [b]
    path.write_bytes(pack_tree(graph.root))
    return path


def test_a_part_of_several_signatures_is_entered_by_the_one_that_is_named(tmp_path: Path) -> None:
    both = coder(tmp_path / "both.tflite")
    made = chain([f"{both}:encode", f"{both}:decode"], tmp_path / "c.tflite")
    want = Runner(both).entered("decode").run_real(Runner(both).entered("encode").run_real({"x": X}))
    np.testing.assert_allclose(run(made.output, x=X)["large"], want["large"], rtol=1e-5)
    assert made.parts == (f"{both}:encode", f"{both}:decode")
    # Of the first part neither the other entry nor its weights are there.
    alone = ensemble([f"{both}:encode"] * 2, tmp_path / "e.tflite")
    assert len(alone.artifact.subgraphs) == 1
    assert alone.artifact.size_bytes < both.stat().st_size + 2000
    embed(f"{both}:decode", tmp_path / "d.tflite", outputs={"large": Softmax()})
    assert (
        CliRunner()
        .invoke(cli, ["compose", "--chain", f"{both}:encode", f"{both}:decode", "-o", str(tmp_path / "cli.tflite")])
        .exit_code
        == 0
    )


def test_a_part_of_several_signatures_is_not_guessed(tmp_path: Path) -> None:
    both = coder(tmp_path / "both.tflite")
    with pytest.raises(SignatureError, match=r"has several signatures: encode, decode") as caught:
        chain([both, f"{both}:decode"], tmp_path / "c.tflite")
    assert caught.value.hint == f"name one of them: {both}:SIGNATURE"
    with pytest.raises(SignatureError, match="`encod` does not exist, did you mean `encode`"):
        chain([f"{both}:encod", f"{both}:decode"], tmp_path / "c.tflite")
    assert not (tmp_path / "c.tflite").exists()
