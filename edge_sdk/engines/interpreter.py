"""A model in an engine's ``Interpreter``: the executor of every delegate that works through it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.dtypes import DTYPES
from edge_sdk.artifact.model import Tensor
from edge_sdk.artifact.variables import Variables, variables
from edge_sdk.engines.entry import entry_of
from edge_sdk.engines.executor import Arithmetic, EnginePlacement
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.rows import ops_between
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.state import State
from edge_sdk.errors import EdgeSdkError, ModelError

_Views = dict[str, npt.NDArray[Any]]


class InterpreterExecutor:
    """See :class:`~edge_sdk.engines.executor.Executor`.

    Args:
        model: what to open; its artifact's signature is what runs.
        options: the engine, threads, and whether state is kept.
        default_delegates: whether XNNPACK may take ops (the engines' own default).
        delegates: what ``load_delegate`` returned, or what offers ``_get_native_delegate_pointer``; applied in order.
        preserve_all_tensors: keep intermediate values readable after a run; costs memory.
        arithmetic: of the delegate's float ops.

    Raises:
        ModelError: the engine refuses the model.
    """

    shapes: dict[str, tuple[int | None, ...]]
    _subgraph: int
    _variables: Variables
    _invoke: Callable[[], object]
    _fixed: tuple[_Views, _Views] | None
    _open: frozenset[str]
    _scalars_in: _Views
    _scalars_out: _Views

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
        self._signature = entry_of(model)
        with self._telling("refuses the file", "`edge-sdk inspect` shows its ops and the runtime they need"):
            self._interpreter: Any = options.engine.interpreter(
                model,
                threads=options.threads,
                default_delegates=default_delegates,
                delegates=delegates,
                preserve_all_tensors=preserve_all_tensors,
            )
            self._state = State(self._interpreter) if model.artifact.is_stateful else None
            self._enter()

    def beside(self, key: str) -> InterpreterExecutor:
        """Another signature in the same interpreter: weights and variables are shared. Close this one, not that one.

        Raises:
            ModelError: there is no such signature, or it cannot be run by name.
        """
        other = copy.copy(self)
        other._model = self._model.with_signature(key)
        other._signature = entry_of(other._model)
        with other._telling(f"refuses signature `{key}`"):
            other._enter()
        return other

    def write(self, inputs: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copies values into the inputs, by name."""
        with self._telling("does not take the inputs"):
            for name, values in inputs.items():
                if name in self._scalars_in:
                    self._scalars_in[name][...] = values
                else:
                    self._calls.SetTensor(self._signature.inputs[name].index, values, self._subgraph)

    def invoke(self) -> None:
        """Runs on whatever the inputs hold."""
        try:
            if self._state is not None:
                self._before(self._state)
            for name, values in self._scalars_in.items():
                self._calls.SetTensor(self._signature.inputs[name].index, values, self._subgraph)
            self._invoke()
            for name, values in self._scalars_out.items():
                values[...] = self._calls.GetTensor(self._signature.outputs[name].index, self._subgraph)
        except EdgeSdkError:
            raise
        except Exception as error:  # the engine's own: ValueError, RuntimeError, MemoryError, of any text
            raise ModelError(
                f"{self._model.name}: {self.engine} failed in a run: {_one_line(error, self._model)}"
            ) from error
        if self._state is not None:
            self._state.ran(self._variables)

    def reset(self) -> None:
        """Sets all state back to how it was when the model was opened."""
        if self._state is not None:
            with self._telling("failed to reset its variables"):
                self._state.reset()

    def read(self) -> _Views:
        """Copies of the outputs, by name."""
        with self._telling("does not give the outputs"):
            made = {name: self._get(tensor.index) for name, tensor in self._signature.outputs.items()}
        self.shapes |= {name: (None,) * made[name].ndim for name in self._open}
        return made

    def views(self) -> tuple[_Views, _Views] | None:
        """Inputs and outputs in the engine's arena; None where it may move them from run to run.

        Those of rank 0, which the engine hands out by value only, are arrays that each run copies in and out.
        """
        if self._fixed is None and self._model.stays_in_place and not self._open:
            inputs = self._views(self._signature.inputs, self._scalars_in)
            outputs = self._views(self._signature.outputs, self._scalars_out)
            self._fixed = (inputs, outputs) if inputs is not None and outputs is not None else None
        return self._fixed

    def placement(self) -> EnginePlacement | None:
        """What the engine's own list of ops says after delegates took theirs; only the first subgraph has one."""
        if self._subgraph:
            return None
        graph = self._model.artifact.main
        rows = self.delegate_rows()
        taken = {index for row in rows for index in ops_between(graph, row["inputs"], row["outputs"])}
        return EnginePlacement(len(graph.ops), tuple(sorted(taken)), len(rows))

    def delegate_rows(self) -> list[Mapping[str, Any]]:
        """The engine's own rows for what delegates run, in the order in which delegates were applied."""
        calls = self._calls
        found = [index for index in range(calls.NumNodes()) if _node_name(calls, index) == "DELEGATE"]
        return [{"inputs": calls.NodeInputs(index), "outputs": calls.NodeOutputs(index)} for index in found]

    def tensor(self, index: int) -> npt.NDArray[Any] | None:
        """A copy of a tensor of the subgraph after a run; None where the engine holds no data for it."""
        try:
            return self._get(index)
        except ValueError:
            return None

    def close(self) -> None:
        """Lets go of the interpreter; its memory goes with it, or with the last view of it."""
        self._fixed = None
        self._state = None
        self._interpreter = None
        self._invoke = _closed

    def _enter(self) -> None:
        """Makes ready what runs the signature's subgraph."""
        self._subgraph = self._signature.subgraph
        self._variables = variables(self._model.artifact)
        self._fixed = None
        self._invoke = self._interpreter.invoke
        if self._subgraph:
            self._calls.AllocateTensors(self._subgraph)
            self._invoke = self._invoke_subgraph
        for name, tensor in self._signature.inputs.items():
            if self._size(tensor) != tensor.shape:
                words = f"input `{name}` is of shape {list(self._size(tensor))} to it, {list(tensor.shape)} in the file"
                raise ModelError(f"{self._model.name}: {self.engine} reads the file otherwise: {words}")
        outputs = self._signature.outputs
        # What has no memory before a run gets its size in one.
        self._open = frozenset(name for name, t in outputs.items() if self._memory(t) is None)
        self.shapes = {
            name: open_shape(tensor) if name in self._open else self._size(tensor) for name, tensor in outputs.items()
        }
        self._scalars_in = self._scalars(self._signature.inputs)
        self._scalars_out = self._scalars({name: t for name, t in outputs.items() if name not in self._open})

    def _invoke_subgraph(self) -> None:
        self._calls.Invoke(self._subgraph)

    def _before(self, state: State) -> None:
        if self._resets:
            state.reset()
        state.check(self._variables, f"{self._model.name}: signature `{self._signature.key}`")

    @property
    def _calls(self) -> Any:
        """The engine's calls that take a subgraph. Not to be kept: the engine counts who refers to it."""
        return self._interpreter._interpreter

    def _get(self, index: int) -> npt.NDArray[Any]:
        return np.asarray(self._calls.GetTensor(index, self._subgraph))

    def _size(self, tensor: Tensor) -> tuple[int, ...]:
        return tuple(int(extent) for extent in self._calls.TensorSize(tensor.index, self._subgraph))

    def _scalars(self, tensors: Mapping[str, Tensor]) -> _Views:
        fixed = {name: tensor for name, tensor in tensors.items() if tensor.dtype in DTYPES}
        return {name: np.zeros((), DTYPES[tensor.dtype]) for name, tensor in fixed.items() if not self._size(tensor)}

    def _memory(self, tensor: Tensor) -> _Memory | None:
        try:
            return _Memory(self._interpreter, tensor.index, self._subgraph)
        except (ValueError, TypeError, AttributeError):
            # No memory yet, or of a type that numpy does not know.
            return None

    def _views(self, tensors: Mapping[str, Tensor], scalars: _Views) -> _Views | None:
        found = {name: self._memory(tensor) for name, tensor in tensors.items() if name not in scalars}
        if any(memory is None for memory in found.values()):
            return None
        made = {name: scalars[name] if name in scalars else np.asarray(found[name]) for name in tensors}
        for name, tensor in tensors.items():
            if tensor.is_stored:
                made[name].flags.writeable = False
        return made

    @contextlib.contextmanager
    def _telling(self, what: str, hint: str | None = None) -> Iterator[None]:
        try:
            yield
        except EdgeSdkError:
            raise
        except Exception as error:  # the engine's own: ValueError, RuntimeError, MemoryError, of any text
            raise ModelError(
                f"{self._model.name}: {self.engine} {what}: {_one_line(error, self._model)}", hint=hint
            ) from error


class _Memory:
    """A tensor's memory as numpy wants to hear of it.

    A view made by the engine itself would count as a reference into it and forbid every run; this one keeps the whole
    interpreter alive instead, so that a view that outlives its session still points to memory.
    """

    def __init__(self, interpreter: Any, index: int, subgraph: int) -> None:
        self.interpreter = interpreter
        calls = interpreter._interpreter
        self.__array_interface__ = calls.tensor(calls, index, subgraph).__array_interface__


def open_shape(tensor: Tensor) -> tuple[int | None, ...]:
    """A shape that only a run tells, as far as the file states it."""
    stated = tensor.shape_signature
    return tuple(None if extent < 0 or -1 not in stated else extent for extent in stated)


def _node_name(calls: Any, index: int) -> str:
    try:
        return str(calls.NodeName(index))
    except UnicodeDecodeError:
        # The name of a custom op may be of any bytes.
        return ""


def _closed() -> None:
    raise ModelError("the session is closed", hint="open it again")


def _one_line(error: Exception, model: ModelSource) -> str:
    text = " ".join(str(error).split())
    return text.replace(model.path, model.name) if model.path else text
