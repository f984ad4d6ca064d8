"""DATA: what is read, what is refused, and that nothing is held in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.data import SampleStore, check_samples, open_data, spool
from edge_sdk.data.checks import SampleCheck, differing_sets
from edge_sdk.errors import CalibrationError, EdgeSdkError
from edge_sdk.signature import TensorSpec

IMAGE = TensorSpec("image", (1, 4, 4, 3), "float32", "NHWC")
TABLE = TensorSpec("table", (1, 6), "float32")
IDS = TensorSpec("ids", (1, 5), "int64")


def read_all(data: Any, *specs: TensorSpec, **options: Any) -> list[dict[str, np.ndarray[Any, Any]]]:
    return list(SampleCheck("test", specs).watch(open_data(data, specs, **options).samples()))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_streamed_by_input_name(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "data.npz"
    table, ids = np.random.rand(7, 6).astype(np.float32), np.arange(35).reshape(7, 5)
    save(path, ids=ids, table=table)
    source = open_data(path, (TABLE, IDS))
    samples = list(source.samples())
    assert source.count == len(samples) == 7
    np.testing.assert_array_equal(samples[3]["table"], table[3:4])
    np.testing.assert_array_equal(samples[3]["ids"], ids[3:4])


def test_npy_feeds_a_single_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 6), np.float32))
    assert len(read_all(tmp_path / "x.npy", TABLE)) == 3
    with pytest.raises(CalibrationError, match="holds one array, but the model has 2 inputs"):
        open_data(tmp_path / "x.npy", (TABLE, IDS))


def test_whole_samples_are_told_from_rows() -> None:
    assert read_all({"table": np.ones((3, 1, 6), np.float32)}, TABLE)[0]["table"].shape == (1, 6)
    assert read_all({"table": np.ones((3, 6), np.float32)}, TABLE)[0]["table"].shape == (1, 6)


def test_rows_fill_batches() -> None:
    batch = TensorSpec("table", (2, 6), "float32")
    assert [s["table"].shape for s in read_all({"table": np.ones((4, 6), np.float32)}, batch)] == [(2, 6)] * 2
    with pytest.raises(CalibrationError, match=r"5 rows .* do not fill batches of 2"):
        open_data({"table": np.ones((5, 6), np.float32)}, (batch,))


@pytest.mark.parametrize(
    "items",
    [
        [{"table": np.ones((1, 6), np.float32)}],
        [np.ones(6, np.float32)],
        [[np.ones((1, 6), np.float32)]],
        ({"table": np.ones(6, np.float32)} for _ in range(1)),
    ],
    ids=["dict", "row", "list", "generator"],
)
def test_python_iterables_of_several_shapes(items: Any) -> None:
    (sample,) = read_all(items, TABLE)
    assert sample["table"].shape == (1, 6)


def test_function_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "samples.py").write_text(
        "import numpy as np\n"
        "def rows():\n    for i in range(3):\n        yield {'table': np.full((1, 6), i, 'float32')}\n"
    )
    assert len(read_all(f"{tmp_path}/samples.py:rows", TABLE)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def rows():\n    return 3\n", "returned int"),
        ("def rows():\n    raise KeyError('x')\n", r"KeyError: 'x' \(samples.py:2\)"),
        ("import nothing_of_that_name\n", "fails to import"),
        ("def row():\n    pass\n", "no function `rows`, did you mean `row`"),
    ],
)
def test_function_that_fails_is_said_in_the_users_terms(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "samples.py").write_text(text)
    with pytest.raises(CalibrationError, match=message):
        open_data(f"{tmp_path}/samples.py:rows", (TABLE,))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"tabel": np.ones((3, 6), np.float32)}, "`tabel` is not an input of the model, did you mean `table`"),
        ({}, "no array for input `table`"),
        ({"table": np.ones((3, 6))}, "expects float32, got float64"),
        ({"table": np.ones((3, 7), np.float32)}, r"expects \[\?, 6\] with samples along the first axis, got \[3, 7\]"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_before_any_sample(arrays: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=message):
        open_data(arrays, (TABLE,))
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(CalibrationError, match=message):
        open_data(tmp_path / "d.npz", (TABLE,))


def test_different_counts_are_refused() -> None:
    arrays = {"table": np.ones((3, 6), np.float32), "ids": np.ones((4, 5), np.int64)}
    with pytest.raises(CalibrationError, match=r"different numbers of samples \(table: 3, ids: 4\)"):
        open_data(arrays, (TABLE, IDS))


def test_other_layout_is_named_in_the_hint() -> None:
    nchw = TensorSpec("image", (1, 3, 4, 5), "float32", "NCHW")
    with pytest.raises(CalibrationError) as caught:
        open_data({"image": np.ones((2, 4, 5, 3), np.float32)}, (nchw,))
    assert "looks like NHWC" in (caught.value.hint or "")


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "an infinity")])
def test_values_that_are_not_finite_name_their_sample(value: float, word: str) -> None:
    rows = np.ones((5, 6), np.float32)
    rows[3, 2] = value
    with pytest.raises(CalibrationError, match=f"sample 3: input `table` holds {word}"):
        read_all({"table": rows}, TABLE)


@pytest.mark.parametrize("name", ["absent.npz", "absent/folder"])
def test_absent_data_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CalibrationError, match="no such file or folder"):
        open_data(tmp_path / name, (TABLE,))


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2")
    with pytest.raises(CalibrationError, match=r"unknown kind of data `\.csv`"):
        open_data(tmp_path / "data.csv", (TABLE,))


def test_truncated_npz_and_npy_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", table=np.random.rand(50, 6).astype(np.float32))
    whole = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CalibrationError, match=r"not a readable \.npz"):
        open_data(tmp_path / "d.npz", (TABLE,))
    np.save(tmp_path / "d.npy", np.random.rand(50, 6).astype(np.float32))
    whole = (tmp_path / "d.npy").read_bytes()
    (tmp_path / "d.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CalibrationError, match="ends in row"):
        read_all(tmp_path / "d.npy", TABLE)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CalibrationError, match="Python objects, which are pickled"):
        open_data(tmp_path / "d.npy", (TABLE,))


def test_spool_streams(tmp_path: Path) -> None:
    spec = TensorSpec("x", (1, 100_000), "float32")
    np.save(tmp_path / "x.npy", np.random.rand(60, 100_000).astype(np.float32))
    tracemalloc.start()
    store, check = spool(open_data(tmp_path / "x.npy", (spec,)), (spec,), tmp_path / "store")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert check.count == store.count == 60
    # One sample is 0.4 MB, the whole file 24 MB.
    assert peak < 5_000_000


def test_store_reads_back_what_was_spooled(tmp_path: Path) -> None:
    data = {"table": np.random.rand(5, 6).astype(np.float32), "ids": np.arange(25).reshape(5, 5)}
    spool(open_data(data, (TABLE, IDS)), (TABLE, IDS), tmp_path / "store")
    store = SampleStore.open(tmp_path / "store")
    assert store.specs == (TABLE, IDS)
    np.testing.assert_array_equal(store.column("ids")[:, 0], data["ids"])
    assert [sorted(sample) for sample in store] == [["ids", "table"]] * 5


def test_limit_is_a_seeded_subset(tmp_path: Path) -> None:
    rows = np.arange(120, dtype=np.float32).reshape(20, 6)

    def chosen(seed: int, folder: str) -> list[float]:
        store, _ = spool(open_data({"table": rows}, (TABLE,)), (TABLE,), tmp_path / folder, limit=5, seed=seed)
        return [float(sample["table"][0, 0]) for sample in store]

    assert chosen(0, "a") == chosen(0, "b")
    assert chosen(0, "a") != chosen(1, "c")
    assert len(chosen(0, "a")) == 5


def checked(rows: np.ndarray[Any, Any], spec: TensorSpec, purpose: str = "calibration") -> list[str]:
    check = SampleCheck("test", (spec,))
    list(check.watch(open_data({spec.name: rows}, (spec,)).samples()))
    return [finding.rule for finding in check_samples(check, purpose=purpose)]


def test_few_samples_are_a_warning_for_calibration_only() -> None:
    rows = np.random.rand(99, 6).astype(np.float32)
    assert checked(rows, TABLE) == ["calibration-few-samples"]
    assert checked(rows, TABLE, "comparison") == []
    assert checked(np.random.rand(100, 6).astype(np.float32), TABLE) == []


def test_no_samples_and_constant_samples_are_errors() -> None:
    with pytest.raises(CalibrationError, match="no samples"):
        checked(np.ones((0, 6), np.float32), TABLE)
    with pytest.raises(CalibrationError, match="`table` has the same value everywhere"):
        checked(np.full((100, 6), 0.5, np.float32), TABLE)


def test_an_input_that_stays_beside_one_that_changes_is_a_warning() -> None:
    state = TensorSpec("state", (1, 4), "float32", None)
    check = SampleCheck("test", (TABLE, state))
    rows = {"table": np.random.rand(100, 6).astype(np.float32), "state": np.zeros((100, 4), np.float32)}
    list(check.watch(open_data(rows, (TABLE, state)).samples()))
    (found,) = check_samples(check, purpose="calibration")
    assert (found.rule, found.severity, found.where) == ("data-constant-input", "warning", "input `state`")


def test_raw_pixels_are_a_warning() -> None:
    pixels = np.random.randint(0, 256, (100, 4, 4, 3)).astype(np.float32)
    assert checked(pixels, IMAGE) == ["data-looks-unnormalised"]
    assert checked(pixels / 255, IMAGE) == []


def test_errors_are_edge_sdk_errors() -> None:
    assert issubclass(CalibrationError, EdgeSdkError)


def first_ops(*steps: tuple[str, float]) -> Any:
    """``image`` through arithmetic with constants, then a convolution of filters of norm about 1."""
    from edge_sdk.artifact.model import parse_artifact
    from tests.graphs import Graph, options

    graph = Graph()
    x = image = graph.tensor("image", (1, 8, 8, 3))
    for place, (kind, value) in enumerate(steps):
        y = graph.tensor(f"y{place}", (1, 8, 8, 3))
        constant = graph.constant(f"c{place}", np.array(value, np.float32))
        graph.op(kind, (x, constant), (y,), options(f"{kind.capitalize()}Options"))
        x = y
    size = 1.0 if steps else 1 / 255
    kernel = size * np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32) / np.float32(27**0.5)
    y = graph.tensor("y", (1, 8, 8, 4))
    bias = graph.constant("bias", np.zeros(4, np.float32))
    graph.op("CONV_2D", (x, graph.constant("k", kernel.astype(np.float32)), bias), (y,), options("Conv2DOptions"))
    return parse_artifact(graph.finish((image,), (y,)))


@pytest.mark.parametrize(
    ("steps", "scale"),
    [
        ([("MUL", 1 / 255)], 1.0),
        ([("DIV", 255.0)], 1.0),
        ([("MUL", 1 / 127.5), ("SUB", 1.0)], 1.0),
        ([("SUB", 127.5), ("MUL", 1 / 127.5)], 1.0),
        ([("SUB", 0.485), ("DIV", 0.229)], 1 / 255),
        ([("MUL", 4.4), ("SUB", 2.1)], 1 / 255),
        ([("MUL", 2.0), ("ADD", -1.0)], 1 / 255),
        ([("MUL", 2.0), ("SUB", 9.0)], None),
        ([("MUL", 2.0), ("MUL", 0.5)], None),
        ([("MUL", 0.7)], None),
        ([], 1.0),
    ],
    ids=[
        "rescaling",
        "division",
        "to -1..1",
        "about 0",
        "of 0..1",
        "folded",
        "of -1..1",
        "far",
        "twice",
        "unclear",
        "filters",
    ],
)
def test_how_a_model_wants_pixels_is_read_off_its_first_ops(steps: list[tuple[str, float]], scale: float) -> None:
    from edge_sdk.data.wanted import pixel_scale

    assert pixel_scale(first_ops(*steps), "image") == scale


def watched(samples: list[Any]) -> SampleCheck:
    check = SampleCheck("test", (IMAGE,))
    for _ in check.watch(iter([{"image": one.astype(np.float32)} for one in samples])):
        pass
    return check


def test_one_wild_sample_among_a_hundred_is_named() -> None:
    rng = np.random.default_rng(0)
    samples = [rng.random(IMAGE.static_shape) for _ in range(100)]
    assert watched(samples).wild_samples() == {}
    samples[41] *= 300
    (finding,) = [f for f in check_samples(watched(samples), purpose="calibration") if f.rule == "wild-sample"]
    assert "sample 41 of 100" in finding.message


def test_sets_that_differ_by_a_factor_are_named() -> None:
    rng = np.random.default_rng(0)
    one, other = (watched([size * rng.random(IMAGE.static_shape) for _ in range(4)]).facts for size in (1, 255))
    assert differing_sets(one, one) == []
    (finding,) = differing_sets(one, other)
    assert "times the calibration's" in finding.message


def test_samples_held_out_are_passed_over_also_by_who_opens_the_folder_later(tmp_path: Path) -> None:
    numbers = np.arange(100, dtype=np.int64).reshape(-1, *[1] * len(IDS.static_shape))
    data = {"ids": np.broadcast_to(numbers, (100, *IDS.static_shape))}
    store, _ = spool(open_data(data, [IDS]), [IDS], tmp_path / "store")
    split = store.hold_out(0.2, 32, seed=0)
    kept, others = ([int(one["ids"].flat[0]) for one in each] for each in (split, split.others()))
    assert len(kept) == 80
    assert len(others) == 20
    assert sorted(kept + others) == sorted(int(one["ids"].flat[0]) for one in store)
    assert [int(one["ids"].flat[0]) for one in SampleStore.open(tmp_path / "store")] == kept


@pytest.mark.parametrize(("kind", "told"), [("counts", True), ("even", False), ("blank", False)])
def test_an_input_whose_usual_values_share_one_step_of_int8_is_named(kind: str, told: bool) -> None:
    """Counts of an astronomical camera: noise of 5 beside stars of 27,000; a blank page has no such noise."""
    rng = np.random.default_rng(3)
    spec = TensorSpec("x", (1, 4096), "float32")
    check = SampleCheck("test", (spec,))

    def samples() -> Generator[dict[str, Any], None, None]:
        for _ in range(12):
            values = np.zeros((1, 4096)) if kind == "blank" else rng.normal(0, 5, (1, 4096))
            values[:, :8] = 20 if kind == "even" else 27_000
            yield {"x": values.astype(np.float32)}

    list(check.watch(samples()))
    found = [f for f in check_samples(check, purpose="calibration") if f.rule == "coarse-input"]
    assert len(found) == told
    assert all("its step in int8 is 106" in one.message and "input `x`" in str(one) for one in found)
    assert not [f for f in check_samples(check, purpose="comparison") if f.rule == "coarse-input"]


@pytest.mark.parametrize("form", ["bytes", "colours apart", "colours gathered"])
def test_pixels_that_are_moved_before_they_are_scaled(form: str) -> None:
    from edge_sdk.artifact.model import parse_artifact
    from edge_sdk.data.wanted import pixel_scale
    from tests.graphs import Graph, options

    graph = Graph()
    image = graph.tensor("image", (1, 8, 8, 3), "uint8" if form == "bytes" else "float32")
    x = graph.tensor("moved", (1, 8, 8, 3))
    if form == "bytes":
        graph.op("CAST", (image,), (x,))
    elif form == "colours gathered":
        order = graph.constant("order", np.array([2, 1, 0], np.int32))
        graph.op("GATHER", (image, order), (x,), options("GatherOptions", axis=3))
    else:
        size = graph.constant("size", np.array([1, 8, 8, 1], np.int32))
        parts = [graph.tensor(f"part{colour}", (1, 8, 8, 1)) for colour in (2, 1, 0)]
        for colour, part in zip((2, 1, 0), parts, strict=True):
            begin = graph.constant(f"begin{colour}", np.array([0, 0, 0, colour], np.int32))
            graph.op("SLICE", (image, begin, size), (part,))
        graph.op("CONCATENATION", parts, (x,), options("ConcatenationOptions", axis=3))
    y = graph.tensor("y", (1, 8, 8, 3))
    graph.op("DIV", (x, graph.constant("c", np.array(255, np.float32))), (y,), options("DivOptions"))
    assert pixel_scale(parse_artifact(graph.finish((image,), (y,))), "image") == 1.0
