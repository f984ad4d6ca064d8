"""Every dtype, rank, way of naming and kind of state, on every path of a session, against a bare interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk import Session
from edge_sdk.engines.installed import ENGINES, Engine, find_engine
from edge_sdk.errors import MissingDependencyError, ModelError, SignatureError, TargetError
from edge_sdk.runtime.ports import Values
from tests.runtime.kinds import DTYPES, KINDS, SHAPES, delay, drawn, several

pytestmark = pytest.mark.runtime
_Values = list[npt.NDArray[Any]]
_Way = Callable[[Session, list[dict[str, Any]]], list[dict[str, Any]]]
_RUNS = 3


def engines() -> Iterator[Engine]:
    for name in ENGINES:
        try:
            yield find_engine(name)
        except MissingDependencyError:
            continue


class Bare:
    """The engine's own interpreter, by index; a new one for each run unless state is kept."""

    def __init__(self, engine: Engine, content: bytes, *, subgraph: int = 0, keep: bool = False) -> None:
        self._engine, self._content, self._subgraph, self._keep = engine, content, subgraph, keep
        self._open: Any = None

    def run(self, given: _Values, places: Sequence[int], results: Sequence[int]) -> _Values:
        if self._open is None or not self._keep:
            self._open = self._engine.module.Interpreter(model_content=self._content)
            self._open.allocate_tensors()
            self._open._interpreter.AllocateTensors(self._subgraph)
        calls = self._open._interpreter
        for place, values in zip(places, given, strict=True):
            calls.SetTensor(place, values, self._subgraph)
        calls.Invoke(self._subgraph)
        return [np.asarray(calls.GetTensor(place, self._subgraph)).copy() for place in results]


def same(got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    """Bit for bit, and an array of the caller's own."""
    assert isinstance(got, np.ndarray)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    assert got.tobytes() == expected.tobytes()


def by_run(session: Session, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [session.run(sample) for sample in samples]


def by_run_many(session: Session, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(session.run_many(samples))


def by_views(session: Session, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    views, made = session.views(), []
    for sample in samples:
        for name, values in sample.items():
            views.inputs[name][...] = values
        views.run()
        made.append({name: view.copy() for name, view in views.outputs.items()})
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_path_gives_what_a_bare_interpreter_gives(kind: str, dtype: str) -> None:
    for engine in engines():
        ran = sum(_walk(engine, kind, dtype, shape) for shape in SHAPES)
        # Variables of some types no engine has, and tflite-runtime knows no uint16.
        assert ran == len(SHAPES) or dtype == "uint16" or (kind == "delay" and dtype not in ("float32", "int8"))


def _walk(engine: Engine, kind: str, dtype: str, shape: tuple[int, ...]) -> bool:
    """Whether the engine itself runs such a file at all."""
    content = KINDS[kind](dtype, shape)
    places, results = _indices(content)
    given = [[drawn(dtype, shape, 10 * run + place) for place in range(len(places))] for run in range(_RUNS)]
    for keep in (False, True) if kind == "delay" else (False,):
        bare = Bare(engine, content, keep=keep)
        try:
            expected = [bare.run(one, places, results) for one in given]
        except (ValueError, RuntimeError):
            with pytest.raises(ModelError):
                Session.open(content, engine=engine.name).run({})
            return False
        for values, ways in (("real", (by_run, by_run_many)), ("raw", (by_run, by_views, by_run_many))):
            _compare(engine, content, given, expected, ways, values, keep=keep)
    return True


def _compare(
    engine: Engine,
    content: bytes,
    given: list[_Values],
    expected: list[_Values],
    ways: Sequence[_Way],
    values: Any,
    *,
    keep: bool,
) -> None:
    # That is tested elsewhere, and here would be a quarter of the time.
    with Session.open(content, engine=engine.name, values=values, keep_state=keep, try_first=False) as session:
        names = [spec.name for spec in session.inputs]
        assert len(set(names)) == len(given[0])
        samples = [dict(zip(names, one, strict=True)) for one in given]
        for way in ways:
            session.reset()
            if way is by_views and _may_move(session):
                continue
            for made, wanted in zip(way(session, samples), expected, strict=True):
                _check(session, list(made.values()), wanted, is_real=values == "real")


def _check(session: Session, made: _Values, wanted: _Values, *, is_real: bool) -> None:
    assert [(spec.dtype, spec.shape) for spec in session.outputs] == [(str(one.dtype), one.shape) for one in made]
    for got, array in zip(made, wanted, strict=True):
        scaled = is_real and got.dtype != array.dtype
        same(got, np.asarray(array * np.float32(0.5)) if scaled else array)


def _may_move(session: Session) -> bool:
    """A variable of rank 0 is of open size to the engine."""
    try:
        session.views()
    except TargetError as error:
        assert "stay in place" in str(error)  # noqa: PT017 - it is not what is tested
        return True
    return False


def _indices(content: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    from edge_sdk.artifact import parse_artifact

    graph = parse_artifact(content).main
    return graph.inputs, graph.outputs


@pytest.mark.parametrize("dtype", DTYPES)
def test_signatures_are_reached_by_option_and_beside_each_other(dtype: str) -> None:
    for engine in engines():
        for shape in SHAPES:
            content, given = several(dtype, shape), [drawn(dtype, shape, seed) for seed in (1, 2)]
            try:
                (expected,) = Bare(engine, content, subgraph=1).run(given, (0, 1), (2,))
            except (ValueError, RuntimeError):
                # tflite-runtime knows no uint16.
                assert dtype == "uint16"
                continue
            sample = dict(zip("ab", given, strict=True))
            for values in get_args(Values):
                options: dict[str, Any] = {"values": values, "engine": engine.name, "try_first": False}
                with Session.open(content, signature="other", **options) as session:
                    for way in (by_run, by_run_many, by_views):
                        for made in way(session, [sample, sample]):
                            same(made["y"], expected)
            with Session.open(content, engine=engine.name, try_first=False) as session:
                other = session.signature("other")
                same(session.run({"a": given[1]})["x"], given[1])
                same(other.run(sample)["y"], expected)
                views = other.views()
                views.inputs["b"][...] = given[0]
                views.run()
                same(views.outputs["y"].copy(), given[0])
                with pytest.raises(SignatureError, match="signature `othr` does not exist, did you mean `other`"):
                    session.signature("othr")
            with pytest.raises(ModelError, match="closed"):
                other.run(sample)


def test_state_is_set_back_on_request() -> None:
    first, one, two = (drawn("float32", (2, 3), seed) for seed in (99, 1, 2))
    for engine in engines():
        with Session.open(delay("float32", (2, 3)), engine=engine.name, keep_state=True) as session:
            for given, expected in ((one, first), (two, one), (one, two)):
                same(session.run({"x": given})["y"], expected)
            session.reset()
            same(session.run({"x": two})["y"], first)
