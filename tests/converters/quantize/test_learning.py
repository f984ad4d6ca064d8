"""The whole int8 file learned from its float file: the student is the file, nearer afterwards, explained, resumable."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.tuning.budget import Budget
from edge_sdk.converters.replay.blocks import ends_of_blocks
from edge_sdk.converters.replay.plan import make_plan
from edge_sdk.parity.constants import constant_faults
from edge_sdk.parity.pairing import pair_ops
from edge_sdk.signature import Arrays
from tests.converters.quantize.test_tuning import CHANNELS, prepared, samples, sqnr_db
from tests.converters.quantize.tuning_heard import Heard
from tests.graphs import Graph, options


def parts(part: str) -> Iterable[Arrays]:
    return samples(1, 16) if part == "rounding" else samples(2, 6)


def test_blocks_end_where_one_value_carries_all() -> None:
    """Behind the sum, not inside its branch; and not at the output."""
    graph = Graph()
    x = graph.tensor("x", (1, 4))
    weights = graph.constant("w", np.eye(4, dtype=np.float32))
    names = ("first", "branch", "sum", "last")
    first, branch, total, last = (graph.tensor(name, (1, 4)) for name in names)
    dense = options("FullyConnectedOptions")
    graph.op("FULLY_CONNECTED", (x, weights), (first,), dense)
    graph.op("FULLY_CONNECTED", (first, weights), (branch,), dense)
    graph.op("ADD", (first, branch), (total,), options("AddOptions"))
    graph.op("FULLY_CONNECTED", (total, weights), (last,), dense)
    artifact = parse_artifact(graph.finish((x,), (last,)))
    assert [artifact.main.tensors[i].name for i in ends_of_blocks(make_plan(artifact, artifact))] == ["first", "sum"]


@pytest.mark.torch
@pytest.mark.keras
@pytest.mark.runtime
def test_student_is_the_file_and_unlearns_a_planted_error(tmp_path: Path) -> None:
    """A step on each bias of a layer: it has nothing to do with rounding weights, and is seen at the end alone."""
    from edge_sdk.converters.quantize.tuning.learning import Start, learn

    made, target, _ = prepared(tmp_path)
    reference, untuned = Path(made["tunable"]["reference"]).read_bytes(), target.read_bytes()
    spoilt = shifted(untuned, Path(made["explained"]).read_bytes(), 1.0)
    found = learn(Start(reference, *spoilt), parts, stored=None, seed=0, budget=Budget(1e6))
    # The loss that the student begins with is the file's own: of the one output, by the power of what it learns on.
    own = sqnr_of(reference, spoilt[0], "held_out")
    power = {part: np.mean([np.mean(run(reference, s) ** 2) for s in parts(part)]) for part in ("rounding", "held_out")}
    assert found.loss[0] == pytest.approx(10 ** (-own / 10) * power["held_out"] / power["rounding"], rel=0.05)
    assert found.loss[1] < found.loss[0]
    # On samples that nothing was set on.
    assert sqnr_db(reference, found.quantized) > sqnr_db(reference, spoilt[0]) + 1
    assert constant_faults(parse_artifact(found.reference), parse_artifact(found.quantized)) == []
    assert (found.blocks, found.mixed) == (4, 64)


def shifted(quantized: bytes, explained: bytes, steps: float) -> tuple[bytes, bytes]:
    """Both files with the biases of the third layer moved by so many steps of its result, up and down by turns."""
    graph = parse_artifact(quantized).main
    op = [op for op in graph.ops if op.name == "CONV_2D"][1]
    by = steps * np.where(np.arange(CHANNELS) % 2, 1, -1) * scale_of(graph.tensors[op.outputs[0]])
    root, floats = parse_tree(quantized)[0], parse_tree(explained)[0]
    bias = graph.tensors[op.inputs[2]]
    ConstantEdit(root).set_values(bias.index, np.rint(bias.values() + by / scale_of(bias)).astype(np.int32))
    other = next(p.reference.inputs[2] for p in pair_ops(parse_artifact(explained), parse_artifact(quantized))
                 if p.candidate.index == op.index)  # fmt: skip
    values = parse_artifact(explained).main.tensors[other].values() + by
    ConstantEdit(floats).set_values(other, values.astype(np.float32))
    return pack_tree(root), pack_tree(floats)


def scale_of(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    assert tensor.quantization is not None
    return np.asarray(tensor.quantization.scale)


def sqnr_of(reference: bytes, candidate: bytes, part: str) -> float:
    from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db

    return output_sqnr_db(reference, candidate, parts(part))


def run(data: bytes, sample: Arrays) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    from edge_sdk.engines.runner import Runner
    from edge_sdk.folders import temporary_folder

    with temporary_folder("run") as folder:
        path = Path(folder) / "file.tflite"
        path.write_bytes(data)
        return np.array(next(iter(Runner(path).run(sample).values())))


@pytest.mark.torch
@pytest.mark.keras
@pytest.mark.runtime
def test_interrupted_learning_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.converters.quantize.tuning import learning

    monkeypatch.setattr(learning, "_KEPT_AFTER", 0.0)
    monkeypatch.setattr(learning, "_MOST", 16)
    monkeypatch.setattr(learning, "_FEWEST", 16)
    made, target, _ = prepared(tmp_path)
    start = learning.Start(
        Path(made["tunable"]["reference"]).read_bytes(), target.read_bytes(), Path(made["explained"]).read_bytes()
    )
    whole = learning.learn(start, parts, stored=None, seed=0, budget=Budget(1e6))
    kept = tmp_path / "state.npz"

    # A look is at each step: six of blocks, then ten from end to end.
    with pytest.raises(KeyboardInterrupt):
        learning.learn(start, parts, stored=kept, seed=0, budget=Budget(1e6, progress=Heard(stop_at=("whole", 5))))
    heard = Heard()
    again = learning.learn(start, parts, stored=kept, seed=0, budget=Budget(1e6, progress=heard))
    assert heard.counts == [("whole", done, 10) for done in range(5, 11)]
    assert again.loss == pytest.approx(whole.loss)
    assert again.quantized == whole.quantized


def test_what_has_no_gradient_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec

    from edge_sdk.converters.quantize.tuning import learning
    from edge_sdk.converters.replay.ops import KERNELS

    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("ABS", (x,), (y,), options("AbsOptions"))
    data = graph.finish((x,), (y,))
    monkeypatch.delitem(KERNELS, "ABS")
    wanted = "no gradient is known of ABS" if find_spec("torch") else "PyTorch is not installed"
    assert learning.cannot_learn(data) == wanted
    assert learning.steps_of(data) == 0


def test_a_file_of_whole_numbers_has_nothing_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of the largest value has no gradient, and no step of it is a little nearer."""
    from edge_sdk.converters.quantize.tuning import learning

    monkeypatch.setattr(learning, "find_spec", lambda name: name)
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4), "int32")
    graph.op("CAST", (x,), (y,), options("CastOptions", in_data_type=0, out_data_type=2))
    assert learning.cannot_learn(graph.finish((x,), (y,))) == "no output is a real number"
