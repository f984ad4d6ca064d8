"""A model in an engine's ``Interpreter``: the executor of every delegate that works through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Signature, Subgraph
from edge_sdk.engines.executor import Arithmetic, EnginePlacement
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import ModelError

_Views = dict[str, npt.NDArray[Any]]


class InterpreterExecutor:
    """See :class:`~edge_sdk.engines.executor.Executor`.

    Args:
        model: what to open.
        options: the engine, threads, and whether state is kept.
        default_delegates: whether XNNPACK may take ops (the engines' own default).
        delegates: what ``load_delegate`` returned, or what offers ``_get_native_delegate_pointer``; applied in order.
        preserve_all_tensors: keep intermediate values readable after a run; costs memory.
        arithmetic: of the delegate's float ops.

    Raises:
        ModelError: the engine refuses the model.
    """

    def __init__(
        self,
        model: ModelSource,
        options: DelegateOptions,
        *,
        default_delegates: bool = True,
        delegates: Sequence[Any] = (),
        preserve_all_tensors: bool = False,
        arithmetic: Arithmetic = "float32",
    ) -> None:
        self.engine = str(options.engine)
        self.arithmetic = arithmetic
        self.notes: tuple[str, ...] = ()
        self._model = model
        self._resets = not options.keep_state and model.artifact.is_stateful
        self._signature = _main_signature(model)
        self._fixed: tuple[_Views, _Views] | None = None
        try:
            self._interpreter: Any = options.engine.interpreter(
                model,
                threads=options.threads,
                default_delegates=default_delegates,
                delegates=delegates,
                preserve_all_tensors=preserve_all_tensors,
            )
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{model.name}: {self.engine} refuses the file: {_one_line(error, model)}",
                hint="`edge-sdk inspect` shows its ops and the runtime they need",
            ) from error
        self._invoke = self._interpreter.invoke

    def write(self, inputs: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copies values into the inputs, by name."""
        for name, values in inputs.items():
            self._interpreter.set_tensor(self._signature.inputs[name].index, values)

    def invoke(self) -> None:
        """Runs on whatever the inputs hold."""
        try:
            if self._resets:
                self._interpreter.reset_all_variables()
            self._invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{self._model.name}: {self.engine} failed in a run: {_one_line(error, self._model)}"
            ) from error

    def read(self) -> _Views:
        """Copies of the outputs, by name."""
        outputs = self._signature.outputs
        return {name: self._interpreter.get_tensor(tensor.index) for name, tensor in outputs.items()}

    def views(self) -> tuple[_Views, _Views] | None:
        """Inputs and outputs in the engine's arena; None where it may move them from run to run."""
        if self._fixed is None and self._model.stays_in_place:
            inputs = self._views(self._signature.inputs)
            outputs = self._views(self._signature.outputs)
            self._fixed = (inputs, outputs) if inputs is not None and outputs is not None else None
        return self._fixed

    def placement(self) -> EnginePlacement:
        """What the engine's own list of ops says after delegates took theirs."""
        graph = self._model.artifact.main
        rows = self.delegate_rows()
        taken = {index for row in rows for index in _between(graph, row["inputs"], row["outputs"])}
        return EnginePlacement(len(graph.ops), tuple(sorted(taken)), len(rows))

    def delegate_rows(self) -> list[Mapping[str, Any]]:
        """The engine's own rows for what delegates run, in the order in which delegates were applied."""
        return [row for row in self._interpreter._get_ops_details() if row["op_name"] == "DELEGATE"]

    def tensor(self, index: int) -> npt.NDArray[Any] | None:
        """A copy of a tensor of the main subgraph after a run; None where the engine holds no data for it."""
        try:
            values: npt.NDArray[Any] = self._interpreter.get_tensor(index)
        except ValueError:
            return None
        return values

    def close(self) -> None:
        """Lets go of the interpreter; its memory goes with it, or with the last view of it."""
        self._fixed = None
        self._interpreter = None
        self._invoke = _closed

    def _views(self, tensors: Mapping[str, Any]) -> _Views | None:
        try:
            return {name: np.asarray(_Memory(self._interpreter, t.index)) for name, t in tensors.items()}
        except (ValueError, TypeError):
            # No memory yet, or of a type that numpy does not know.
            return None


class _Memory:
    """A tensor's memory as numpy wants to hear of it.

    A view made by the engine itself would count as a reference into it and forbid every run; this one keeps the whole
    interpreter alive instead, so that a view that outlives its session still points to memory.
    """

    def __init__(self, interpreter: Any, index: int) -> None:
        self.interpreter = interpreter
        self.__array_interface__ = interpreter.tensor(index)().__array_interface__


def _between(graph: Subgraph, inputs: Iterable[int], outputs: Iterable[int]) -> set[int]:
    """The ops that lead from some tensors to others: what a delegate's row stands for."""
    makers = {index: op for op in graph.ops for index in op.outputs}
    seen = set(map(int, inputs))
    found: set[int] = set()
    left = [int(index) for index in outputs]
    while left:
        index = left.pop()
        if index in seen or index not in makers:
            continue
        seen.add(index)
        found.add(makers[index].index)
        left += makers[index].inputs
    return found


def _main_signature(model: ModelSource) -> Signature:
    signature = model.artifact.signature
    if signature.subgraph != 0:
        raise ModelError(
            f"{model.name}: signature `{signature.key}` runs subgraph {signature.subgraph}, not the first",
            hint="save the model with one signature",
        )
    return signature


def _closed() -> None:
    raise ModelError("the session is closed", hint="open it again")


def _one_line(error: Exception, model: ModelSource) -> str:
    text = " ".join(str(error).split())
    return text.replace(model.path, model.name) if model.path else text
