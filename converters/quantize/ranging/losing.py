"""Marks that only have to lose, brought to just beyond what they lose against; those whose size counts are told.

Before: ``REDUCE_MAX(SELECT_V2(real, x, -inf))``, or -1e9, the lowest float, +inf before a minimum: a range that holds
them makes every ``x`` the same integer, and none holds an infinity. After: the same with a constant two steps below
the least ``x``. What reads a mark is followed back (:mod:`.marks` follows marks forward): an ordering needs it to be
last, a softmax or exponent to vanish, a sum with other values so much more. An infinity that an op computes (LOG of
zero), or that the file is given, is cut off by a MAXIMUM or MINIMUM behind it. A mark that reaches an output, a product
or a comparison with another counts by its size: what touches it stays in float.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.ties import FIXED
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.ranging.marks import (
    CLAMPED,
    JOINED,
    LARGEST,
    MOVED,
    Ends,
    Mark,
    find_marks,
    is_fused,
    scalar,
    shows,
)
from edge_sdk.engines.observe import Observation

_ORDER = LARGEST | {"ARG_MAX", "ARG_MIN", "REDUCE_MIN"}
_DECISIONS = frozenset({"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"})
# Of an int8 range: a mark must not be the same integer as the least value that it loses against.
_APART = 2 / 255
_HALF_STEP = 512.0
# From there on a curve with fixed steps of 1/256 and 1/128 is at its end.
_LEVEL = {"LOGISTIC": math.log(511) + 0.5, "TANH": math.atanh(1 - 1 / 256) + 0.5}
_LEAST = 1e-6
_WAY_OUT = math.nan


@dataclass(frozen=True)
class Losing:
    """A file whose marks have finite size where that is all they need.

    Attributes:
        data: the file.
        endless: tensors with marks whose size counts, or that an op computes: what touches them has no scale.
    """

    data: bytes
    endless: frozenset[int] = field(default_factory=frozenset)


def with_losing_marks(data: bytes, observations: dict[int, Observation]) -> Losing:
    """A copy whose marks are as large as they need to be; the file itself where it has none.

    Args:
        data: a float .tflite; its main subgraph is changed.
        observations: of its tensors; those of tensors with marks are corrected in place.
    """
    graph = parse_artifact(data).main
    marks = find_marks(graph, observations)
    if not any(mark for index, mark in marks.items() if index in observations):
        return Losing(data)
    levels = _Levels(graph, marks)
    endless = _endless(graph, marks, observations, levels)
    fixed = _fixed(graph)
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    changed = _clamp_constants(graph, levels, edit, endless, fixed)
    computed = set[int]()
    for index in observations.keys() & marks.keys():
        mark = marks[index]
        ends = levels.ends(index)
        if not mark or index in endless or ends is None:
            continue
        if mark.computed:
            computed.add(index)
            observations |= _cut_off(graph, index, ends, mark, observations[index], edit)
        else:
            observations[index] = _ranged(observations[index], fixed.get(index, ends))
        changed = True
    if not changed:
        return Losing(data, endless)
    edit.finish()
    return Losing(pack_tree(root), endless | computed)


def _ranged(one: Observation, ends: Ends) -> Observation:
    return replace(one, minimum=ends[0], maximum=ends[1], low=ends[0], high=ends[1], mean_square=0.0)


def _endless(
    graph: Subgraph, marks: Mapping[int, Mark], seen: Mapping[int, Observation], levels: _Levels
) -> frozenset[int]:
    """Tensors with marks that were seen and whose size counts, and all with marks that are made of those.

    Constants that values are compared with, too.
    """
    found = {
        index
        for index, mark in marks.items()
        if mark and index in seen and shows(mark, seen[index]) and levels.ends(index) is None
    }
    for op in graph.ops:
        if op.name in _DECISIONS:
            # Rounded to an end of a scale it would be equal to what else saturates there.
            found |= {i for i in op.inputs if marks.get(i) and graph.tensors[i].constant is not None}
        if found.intersection(op.inputs):
            found |= {
                index for index in op.outputs if index in seen and marks.get(index) and shows(marks[index], seen[index])
            }
    return frozenset(found)


def _fixed(graph: Subgraph) -> dict[int, Ends]:
    """Ends of scales that TFLite prescribes, and of what is chosen among such values: these have the same scale."""
    found: dict[int, Ends] = {}
    for op in graph.ops:
        if op.name in FIXED:
            scale, zero = FIXED[op.name]
            found |= dict.fromkeys(op.outputs, ((-128 - zero) * scale, (127 - zero) * scale))
        elif op.name in JOINED or op.name in MOVED or op.name in LARGEST | {"REDUCE_MIN"}:
            ends = {found[index] for index in op.inputs if index in found}
            found |= dict.fromkeys(op.outputs, ends.pop()) if len(ends) == 1 else {}
    return found


def _clamp_constants(
    graph: Subgraph, levels: _Levels, edit: GraphEdit, endless: frozenset[int], fixed: Mapping[int, Ends]
) -> bool:
    """Gives each reader of a constant with marks one of the size that it needs; says whether there was any."""
    made: dict[tuple[int, Ends], int] = {}
    for op in graph.ops:
        inputs = list(op.inputs)
        for place, index in enumerate(op.inputs):
            ends = levels.uses.get((op.index, place))
            if index < 0 or graph.tensors[index].constant is None or ends is None or endless.intersection(op.outputs):
                continue
            tensor = graph.tensors[index]
            ends = next((fixed[result] for result in op.outputs if result in fixed), ends)
            if (index, ends) not in made:
                values = np.clip(tensor.values(), *ends).astype(np.float32)
                made[index, ends] = edit.add_constant(values, f"{tensor.name}_clamped{len(made) or ''}")
            inputs[place] = made[index, ends]
        if inputs != list(op.inputs):
            edit.read(op.index, inputs)
    return bool(made)


def _cut_off(
    graph: Subgraph, index: int, ends: Ends, mark: Mark, one: Observation, edit: GraphEdit
) -> dict[int, Observation]:
    """Has readers of what an op computes read it cut off at the ends; what is seen of the new tensors."""
    maker, name = graph.makers.get(index), graph.tensors[index].name
    last, found = index, {}
    for kind, wanted, end in (("MAXIMUM", mark.low, ends[0]), ("MINIMUM", mark.high, ends[1])):
        if wanted:
            bound = edit.add_constant(np.array(end, np.float32), f"{name}_{kind.lower()}_bound")
            given, last = (last, bound), edit.add_tensor(index, f"{name}_{kind.lower()}")
            if maker is None:
                edit.put_before(0, kind, given, [last])
            else:
                edit.put_after(maker.index, kind, given, [last])
            found[last] = _ranged(one, ends)
    for op in graph.readers.get(index, ()):
        edit.read(op.index, [last if i == index else int(i) for i in edit.inputs(op.index)])
    return found


class _Levels:
    """How far a mark must be, by tensor and by whether it is below or above; a way out where its size counts.

    Attributes:
        uses: op and place of an operand to the ends that its values need there; without those whose size counts.
    """

    def __init__(self, graph: Subgraph, marks: Mapping[int, Mark]) -> None:
        self._graph, self._marks = graph, marks
        self._levels: dict[tuple[int, bool], float] = {
            (index, low): _WAY_OUT for index in graph.outputs for low in (True, False)
        }
        self.uses: dict[tuple[int, int], Ends] = {}
        for op in reversed(graph.ops):
            for place, index in enumerate(op.inputs):
                if marks.get(index):
                    self._use(op, place, index)

    def ends(self, index: int) -> Ends | None:
        """The range that holds a tensor's live values and its marks; None where their size counts."""
        return self._around(self._marks[index], lambda low: self._levels.get((index, low), 0.0))

    def _use(self, op: Op, place: int, index: int) -> None:
        mark, found = self._marks[index], dict[bool, float]()
        for low in (True, False):
            if mark.low if low else mark.high:
                found[low] = self._level(op, place, mark, low=low)
                before = self._levels.get((index, low), found[low])
                both = (before, found[low])
                self._levels[index, low] = _WAY_OUT if any(map(math.isnan, both)) else (min if low else max)(both)
        ends = self._around(mark, lambda low: found[low])
        if ends is not None:
            self.uses[op.index, place] = ends

    def _around(self, mark: Mark, level: Callable[[bool], float]) -> Ends | None:
        every = [level(low) for low, held in ((True, mark.low), (False, mark.high)) if held] + [*(mark.live or ())]
        return None if any(map(math.isnan, every)) else (min(every), max(every))

    def _level(self, op: Op, place: int, mark: Mark, *, low: bool) -> float:
        """Where a mark of an operand must be for its op."""
        if op.name in _ORDER:
            return self._last(mark, self._held(op, low=low), low=low)
        if op.name in CLAMPED and CLAMPED[op.name][not low]:
            return self._last(mark, None, low=low)
        moved = place in range(len(op.inputs))[JOINED[op.name]] if op.name in JOINED else MOVED.get(op.name) == place
        if moved or op.name in CLAMPED:
            return self._result(op, low=low)
        if len(op.inputs) == 1:
            return self._of_curve(op, mark, low=low)
        other = self._marks.get(op.inputs[1 - place]) if len(op.inputs) == 2 else None
        return _WAY_OUT if other is None or is_fused(op) else self._beside(op, place, mark, other, low=low)

    def _of_curve(self, op: Op, mark: Mark, *, low: bool) -> float:
        if op.name == "NEG":
            return -self._result(op, low=not low)
        if op.name in _LEVEL:
            return -_LEVEL[op.name] if low else _LEVEL[op.name]
        if op.name not in ("EXP", "SOFTMAX") or mark.live is None or not low:
            return _WAY_OUT
        if op.name == "EXP":
            return min(mark.live[0], mark.live[1] - math.log(_HALF_STEP))
        return mark.live[0] - math.log(_HALF_STEP * max(1, self._graph.tensors[op.inputs[0]].shape[-1]))

    def _beside(self, op: Op, place: int, mark: Mark, other: Mark, *, low: bool) -> float:
        """Of an op with another operand."""
        live = other.live
        if live is None:
            return _WAY_OUT
        if op.name in _DECISIONS:
            return _WAY_OUT if other else self._last(_among(mark, live), None, low=low)
        if op.name in ("MAXIMUM", "MINIMUM"):
            loses = low == (op.name == "MAXIMUM")
            return self._last(other, self._held(op, low=low), low=low) if loses else self._result(op, low=low)
        if op.name == "MUL":
            return self._of_factor(op, other, live, low=low)
        return self._of_sum(op, place, live, low=low)

    def _of_sum(self, op: Op, place: int, live: Ends, *, low: bool) -> float:
        if op.name == "ADD":
            return self._result(op, low=low) - live[low]
        if op.name != "SUB":
            return _WAY_OUT
        return (
            self._result(op, low=low) + live[not low] if place == 0 else live[not low] - self._result(op, low=not low)
        )

    def _of_factor(self, op: Op, other: Mark, live: Ends, *, low: bool) -> float:
        """Of a product with one number, or with a flag, which is 0 and 1, or 0 and -1."""
        if other:
            return _WAY_OUT
        number = scalar(self._graph, op) or (-1.0 if live[0] < 0 else 1.0)
        return self._result(op, low=low == (number > 0)) / number

    def _result(self, op: Op, *, low: bool) -> float:
        """What the results need of theirs."""
        every = [self._levels.get((index, low), _WAY_OUT) for index in op.outputs if self._marks.get(index)]
        if not every or any(map(math.isnan, every)):
            return _WAY_OUT
        return (min if low else max)(every)

    def _held(self, op: Op, *, low: bool) -> float | None:
        """What a result needs that such a mark was seen in; None where none was."""
        mark = self._marks.get(op.outputs[0])
        held = mark is not None and (mark.low if low else mark.high)
        return self._levels.get((op.outputs[0], low), _WAY_OUT) if held else None

    def _last(self, mark: Mark, held: float | None, *, low: bool) -> float:
        """Beyond all live values, and beyond what the result needs."""
        live = mark.live or (0.0, 0.0)
        apart = max(_APART * (max(live[1], 0.0) - min(live[0], 0.0)), _LEAST)
        # Every range holds zero: no nearer than that a mark costs nothing, and is the end of its scale.
        level = min(live[0] - apart, 0.0) if low else max(live[1] + apart, 0.0)
        if held is None:
            return level
        return _WAY_OUT if math.isnan(held) else (min if low else max)(level, held)


def _among(mark: Mark, live: Ends) -> Mark:
    """A mark among live values of two operands."""
    own = mark.live or live
    return replace(mark, live=(min(own[0], live[0]), max(own[1], live[1])))
