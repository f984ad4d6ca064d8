"""The whole int8 file learned from its float file: block by block, then from end to end (Li et al. 2021, BRECQ).

The student is the int8 file run again op by op with its rounding (:mod:`...replay.student`); the teacher is the float
file in its own engine. First each block between two places where the graph is one value wide learns what the float
file has at its end, on what the student's blocks before hand on; then all learn together what the outputs are, and
what a SOFTMAX that makes one reads. Weights, biases and scales of activations move; weights' own scales stay.

Calibration data are few. Samples of floats are mixed by twos besides, for the teacher knows the answer to anything;
what was learned is looked at on samples held out, and the best state is what is returned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Tensor, parse_artifact
from edge_sdk.converters.quantize.tuning.budget import Budget, save_arrays
from edge_sdk.converters.quantize.tuning.inner import inner_values
from edge_sdk.converters.replay.blocks import ends_of_blocks
from edge_sdk.converters.replay.ops import KERNELS
from edge_sdk.converters.replay.plan import make_plan
from edge_sdk.converters.replay.student import explained, written
from edge_sdk.engines.values import to_real
from edge_sdk.errors import TrainingError
from edge_sdk.parity.pairing import pair_ops
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.converters.replay.steps import Plan

Array = npt.NDArray[Any]
RATES = {"weights": 1e-3, "others": 5e-3, "scales": 5e-4}
_BATCH = 16
# Multiply-accumulates that all steps together may take: minutes on a CPU; and how many steps that may be.
_WORK, _FEWEST, _MOST = 1.5e12, 48, 240
_LOOKS = 16
_BLOCKWISE = 0.375
# Mixed samples to each one; values at ends of blocks that are held for all samples together.
_MIXED, _HELD = 4, 4e7
# Multiply-accumulates of the teacher's for mixed samples: half a minute.
_MIXED_WORK = 2e11
# Seconds after which a state is written again: of a wide net it takes hundreds of megabytes.
_KEPT_AFTER = 10.0
_FEATURES = 1.0


@dataclass(frozen=True)
class Start:
    """What is begun with: the float file, the teacher; the int8 file; the float file that explains its constants."""

    reference: bytes
    quantized: bytes
    explained: bytes


@dataclass(frozen=True)
class Learned:
    """What was learned of a file.

    Attributes:
        quantized: the int8 file.
        reference: the float file that explains its constants.
        steps: that were taken.
        blocks: that learned for themselves first.
        mixed: samples that were mixed of others.
        loss: on samples held out, before and at the best state; 0 is the float file.
    """

    quantized: bytes
    reference: bytes
    steps: int
    blocks: int
    mixed: int
    loss: tuple[float, float]


@dataclass(frozen=True)
class Learning:
    """:class:`Learned` as it is told.

    Attributes:
        steps: that were taken.
        blocks: that learned for themselves first.
        mixed: samples that were mixed of others.
        loss: on samples held out, before and at the best state; 0 is the float file.
        sqnr_db: of the outputs against the float file's on them, of the file it began with and of what was learned.
    """

    steps: int
    blocks: int
    mixed: int
    loss: tuple[float, float]
    sqnr_db: tuple[float, float]

    @staticmethod
    def of(made: Learned, sqnr_db: tuple[float, float]) -> Learning:
        """Without the files."""
        return Learning(made.steps, made.blocks, made.mixed, made.loss, sqnr_db)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"loss": list(self.loss), "sqnr_db": list(self.sqnr_db)}


def cannot_learn(quantized: bytes) -> str | None:
    """Why a file cannot be learned as a whole here; None where it can."""
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    artifact = parse_artifact(quantized)
    unknown = sorted({op.name for op in artifact.main.ops if op.name not in KERNELS})
    if unknown:
        return f"no gradient is known of {', '.join(unknown)}"
    return None if any(_is_real(t) for t in artifact.signature.outputs.values()) else "no output is a real number"


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype == "float32" or (tensor.quantization is not None and tensor.dtype in ("int8", "uint8"))


def steps_of(quantized: bytes) -> int:
    """How many steps a file is taught, by its work for one sample; 0 where it cannot be."""
    if cannot_learn(quantized) is not None:
        return 0
    graph = parse_artifact(quantized).main
    # Back takes twice what forth takes.
    work = 3.0 * _BATCH * max(1, sum(macs(graph, op) for op in graph.ops))
    return int(np.clip(_WORK / work, _FEWEST, _MOST)) // _LOOKS * _LOOKS


def learn(
    start: Start,
    samples: Callable[[str], Iterable[Arrays]],
    *,
    stored: Path | None,
    seed: int,
    budget: Budget,
) -> Learned:
    """Teaches an int8 file.

    Args:
        start: the files.
        samples: of ``rounding`` to learn on and of ``held_out`` to look at, in the files' layout.
        stored: where a state is kept that an interrupted run goes on from.
        seed: of batches and mixtures.
        budget: of time; hears of the steps done.

    Raises:
        TrainingError: an op has a form that no kernel knows, or there was no time for a step.
    """
    from edge_sdk.converters.replay.student_torch import Student

    plan = make_plan(parse_artifact(start.quantized), parse_artifact(start.explained), whole=False)
    lesson = _Lesson(plan, start.reference, seed, lambda: budget.is_over("whole"))
    budget.says("ask the float file")
    lesson.prepare(list(samples("rounding")), list(samples("held_out")))
    course = _Course(Student(plan, RATES), lesson, steps_of(start.quantized), stored, seed)
    best, loss, steps = course.taken(budget)
    files = (written(start.quantized, plan, best), explained(start.explained, plan, best))
    return Learned(*files, steps, len(lesson.ends) + 1, lesson.mixed, loss)


class _Lesson:
    """Samples, and what the teacher has for them, by tensor of the template."""

    def __init__(self, plan: Plan, reference: bytes, seed: int, is_over: Callable[[], bool]) -> None:
        self._plan, self._reference, self._is_over = plan, reference, is_over
        self._rng = np.random.default_rng(seed)
        template, floats = plan.template, parse_artifact(reference)
        self._own = {name: tensor.index for name, tensor in floats.signature.outputs.items()}
        self._work = sum(macs(floats.main, op) for op in floats.main.ops)
        self._outputs = {t.index: name for name, t in template.signature.outputs.items() if _is_real(t)}
        self._inputs = {name: t.index for name, t in template.signature.inputs.items()}
        pairs = pair_ops(floats, template)
        self._twins = {p.candidate.outputs[i]: t for p in pairs for i, t in enumerate(p.reference.outputs)}
        # What only changes its type behind a value is no block.
        last = {i for op in template.main.ops if op.name == "DEQUANTIZE" for i in op.inputs}
        self.ends: tuple[int, ...] = tuple(i for i in ends_of_blocks(plan) if i in self._twins and i not in last)
        self._scores = tuple(self._before_softmax())
        self.shares: dict[str, dict[int, float]] = {}
        self.mixed = 0
        self._feeds: dict[str, dict[int, Array]] = {}
        self._wanted: dict[str, dict[int, Array]] = {}

    def prepare(self, learning: Sequence[Arrays], held: Sequence[Arrays]) -> None:
        """Asks the teacher."""
        extra = list(self._mixtures(learning))
        self.mixed = len(extra)
        self.ends = self._that_fit(len(learning) + len(extra) + len(held))
        self._ask("learning", [*learning, *extra])
        self._ask("held_out", held)
        self._weigh()

    def batch(self, places: Any, part: str = "learning") -> tuple[dict[int, Array], dict[int, Array]]:
        """Feeds and what is wanted for some samples."""
        feeds, wanted = self._feeds[part], self._wanted[part]
        return {i: v[places] for i, v in feeds.items()}, {i: v[places] for i, v in wanted.items()}

    def count(self, part: str = "learning") -> int:
        """Of samples."""
        return len(next(iter(self._feeds[part].values())))

    def _before_softmax(self) -> Iterator[int]:
        """What a SOFTMAX reads that makes an output: it tells more of where the student errs than shares do."""
        makers = self._plan.template.main.makers
        for index in self._outputs:
            op = makers.get(index)
            while op is not None and op.name in ("QUANTIZE", "DEQUANTIZE"):
                op = makers.get(op.inputs[0])
            maker = makers.get(op.inputs[0]) if op is not None and op.name == "SOFTMAX" else None
            while maker is not None and maker.name in ("QUANTIZE", "DEQUANTIZE"):
                maker = makers.get(maker.inputs[0])
            if maker is not None and maker.outputs[0] in self._twins:
                yield maker.outputs[0]

    def _that_fit(self, samples: int) -> tuple[int, ...]:
        """Ends of blocks whose values for all samples can be held; every second, third, ... where not all can."""
        tensors = self._plan.template.main.tensors
        for every in range(1, len(self.ends) + 1):
            some = self.ends[every - 1 :: every]
            if samples * sum(tensors[i].elements for i in some) <= _HELD:
                return some
        return ()

    def _mixtures(self, samples: Sequence[Arrays]) -> Iterator[Arrays]:
        if any(v.dtype != np.float32 for v in samples[0].values()) or len(samples) < 2:
            return
        for place in range(min(_MIXED * len(samples), int(_MIXED_WORK / max(1, self._work)))):
            one, other = samples[place % len(samples)], samples[int(self._rng.integers(len(samples)))]
            share = np.float32(self._rng.uniform())
            yield {name: share * one[name] + (1 - share) * other[name] for name in one}

    def _ask(self, part: str, samples: Sequence[Arrays]) -> None:
        twins = {index: self._twins[index] for index in (*self.ends, *self._scores)}
        twins |= {index: self._own[name] for index, name in self._outputs.items()}
        found: dict[int, list[Array]] = {index: [] for index in twins}
        for values in inner_values(self._reference, set(twins.values()), samples):
            if self._is_over():
                raise TrainingError("its time was over before")
            for index, twin in twins.items():
                tensor, raw = values[twin]
                found[index].append(np.array(to_real(raw, tensor), np.float32))
        self._feeds[part] = {i: np.stack([np.asarray(s[name]) for s in samples]) for name, i in self._inputs.items()}
        shapes = self._plan.template.main.tensors
        self._wanted[part] = {i: np.stack(v).reshape(-1, *shapes[i].shape) for i, v in found.items()}

    def _weigh(self) -> None:
        """Factors by which mean squares become shares of what the teacher has for samples as they were given."""
        own = {i: values[: self.count() - self.mixed] for i, values in self._wanted["learning"].items()}
        whole = {i: 1 / max(float(np.mean(np.square(v))), 1e-12) for i, v in own.items()}
        last = {i: whole[i] for i in (*self._outputs, *self._scores)}
        each = _FEATURES / max(1, len(self.ends))
        self.shares = {
            "blocks": {i: whole[i] for i in self.ends} | last,
            "whole": {i: whole[i] * each for i in self.ends} | last,
            "last": last,
        }


class _Course:
    """Steps in order, looks at samples held out between them, and a state to go on from.

    Rounding passes gradients straight through, so that weights wander about their borders: where a look is worse than
    the best one, it goes on from that with half the rate.
    """

    def __init__(self, student: Any, lesson: _Lesson, steps: int, stored: Path | None, seed: int) -> None:
        self._student, self._lesson, self._stored, self._seed = student, lesson, stored, seed
        self.steps = steps
        self._written = time.monotonic()
        self._every = max(1, steps // _LOOKS)
        self._blockwise = round(_LOOKS * _BLOCKWISE) * self._every if lesson.ends else 0

    def taken(self, budget: Budget) -> tuple[dict[str, Array], tuple[float, float], int]:
        """As many steps as there is time for.

        Returns what was learned at the best look, the loss at the first look and there, and how many were taken.
        """
        told, best = self._resumed()
        for stage, first, last in (("blocks", 0, self._blockwise), ("whole", self._blockwise, self.steps)):
            if last > first:
                with budget.stage(stage, last - first, int(np.clip(told["done"], first, last)) - first):
                    best = self._part(stage, first, last, told, best, budget)
        self._keep(told, best)
        return best, (told["first"], told["best"]), int(told["taken"])

    def _part(
        self, stage: str, first: int, last: int, told: dict[str, float], best: dict[str, Array], budget: Budget
    ) -> dict[str, Array]:
        """Steps of one stage, until its share is over; the best state."""
        if told["done"] <= first:
            told["rate"] = 1.0
        for place in range(max(first, int(told["done"])), last):
            over = budget.is_over(stage)
            if not over:
                self._one(place, told["rate"])
                told["taken"] += 1
                budget.count(place + 1 - first)
            # Where it ends between two looks there is one more.
            if (over and place % self._every) or (not over and (place + 1) % self._every == 0):
                best = self._looked(told, best)
                told["done"] = float(place if over else place + 1)
                self._keep(told, best, _KEPT_AFTER)
            if over:
                break
        return best

    def _looked(self, told: dict[str, float], best: dict[str, Array]) -> dict[str, Array]:
        """The better of the state and the best one; goes on from it."""
        loss = self._look()
        if loss < told["best"]:
            told["best"] = loss
            return self._student.learned()  # type: ignore[no-any-return]
        told["rate"] /= 2
        self._student.restore(best, {})
        return best

    def _one(self, place: int, rate: float) -> None:
        rng = np.random.default_rng((self._seed, place))
        count = self._lesson.count()
        feeds, wanted = self._lesson.batch(rng.choice(count, min(_BATCH, count), replace=False))
        apart = place < self._blockwise
        shares = self._lesson.shares["blocks" if apart else "whole"]
        self._student.teach(feeds, wanted, shares, rate=rate, apart=self._lesson.ends if apart else ())

    def _look(self) -> float:
        """The loss on samples held out, some at a time."""
        count, shares = self._lesson.count("held_out"), self._lesson.shares["last"]
        total = 0.0
        for begin in range(0, count, _BATCH):
            places = np.arange(begin, min(begin + _BATCH, count))
            total += len(places) * self._student.loss(*self._lesson.batch(places, "held_out"), shares)
        return total / count

    def _resumed(self) -> tuple[dict[str, float], dict[str, Array]]:
        if self._stored is None or not self._stored.exists():
            loss = self._look()
            return {"done": 0.0, "taken": 0.0, "first": loss, "best": loss, "rate": 1.0}, self._student.learned()
        with np.load(self._stored) as arrays:
            parts: dict[str, dict[str, Array]] = {"now": {}, "memory": {}, "best": {}}
            for key in arrays.files:
                word, _, name = key.partition("/")
                if word in parts:
                    parts[word][name] = arrays[key]
            told: dict[str, float] = json.loads(str(arrays["told"]))
        self._student.restore(parts["now"], parts["memory"])
        return told, parts["best"]

    def _keep(self, told: Mapping[str, float], best: Mapping[str, Array], after: float = 0.0) -> None:
        """Writes a state to go on from, where the last one is so many seconds old."""
        if self._stored is None or time.monotonic() - self._written < after:
            return
        arrays = {"told": np.array(json.dumps(told))}
        arrays |= {f"now/{name}": values for name, values in self._student.learned().items()}
        arrays |= {f"memory/{name}": values for name, values in self._student.memory().items()}
        save_arrays(self._stored, arrays | {f"best/{name}": values for name, values in best.items()})
        self._written = time.monotonic()
