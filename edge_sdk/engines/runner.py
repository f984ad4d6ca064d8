"""One .tflite file opened in an engine, run by input and output name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.engines.installed import Engine, find_engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.sequence import CallSequence
from edge_sdk.engines.source import open_source
from edge_sdk.engines.trying import is_risked, try_once
from edge_sdk.engines.values import output_values, real_specs, specs_of, to_raw
from edge_sdk.signature import Arrays, TensorSpec, check_arrays


class Runner:
    """Runs one signature of one file on the CPU. Not thread-safe: open one per thread.

    Args:
        path: the .tflite file; it is read and verified before an engine sees it.
        threads: CPU threads.
        engine: name from :data:`ENGINES`, or None for the first installed.
        xnnpack: False keeps the engine's own kernels, which are slower and computed differently.
        preserve_all_tensors: makes :meth:`tensor` work for intermediate tensors; implies no XNNPACK.
        try_first: run the file once in a child process, as sessions do: an engine that dies of it takes that with it.
            A file that is known to be fine is not tried again, and none is in a worker, which dies for its parent.

    Raises:
        ModelError: the file is damaged, or the engine refuses it, crashes or hangs on it.
        MissingDependencyError: no engine is installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int = 1,
        engine: str | None = None,
        xnnpack: bool = True,
        preserve_all_tensors: bool = False,
        try_first: bool = True,
    ) -> None:
        source = open_source(path)
        delegated = xnnpack and not preserve_all_tensors
        self.artifact: Artifact = source.artifact
        self.engine: Engine = find_engine(engine)
        if try_first and not is_risked():
            try_once(source, self.engine, ["cpu", "xnnpack"] if delegated else ["cpu"], threads)
        self._opened = partial(
            InterpreterExecutor,
            source,
            default_delegates=delegated,
            preserve_all_tensors=preserve_all_tensors,
        )
        self._options = DelegateOptions(self.engine, threads=threads)
        self._executor = self._opened(self._options)
        self._enter()

    def _enter(self) -> None:
        self._signature = self.artifact.signature
        self.inputs = specs_of(self._signature.inputs)
        self.outputs = specs_of(self._signature.outputs)

    def sequence(self, calls: Sequence[str], *, after: Callable[[Runner], None] | None = None) -> CallSequence:
        """Calls that belong together, on real values, in an interpreter of their own that keeps state.

        Args:
            calls: keys of signatures, in order.
            after: told of each call's runner when it has run.

        Raises:
            SignatureError: there is none of such a name, or no call.
            ModelError: one cannot be run by name.
        """
        executor = self._opened(replace(self._options, keep_state=True))
        callees = [(key, _RealCalls(self._beside(executor, key), after)) for key in calls]
        return CallSequence(callees, executor.reset, self.artifact)

    def entered(self, key: str) -> Runner:
        """The same open model by another of its signatures.

        Raises:
            SignatureError: there is none of that name.
            ModelError: it cannot be run by name.
        """
        return self._beside(self._executor, key)

    def _beside(self, executor: InterpreterExecutor, key: str) -> Runner:
        other = copy.copy(self)
        other.artifact = self.artifact.with_signature(key)
        other._executor = executor.beside(key)
        other._enter()
        return other

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run on raw values, in the file's own types; state of recurrent ops is reset before it.

        Raises:
            SignatureError: an input is missing, or of another name, shape or dtype.
            ModelError: a kernel failed.
        """
        check_arrays(self.inputs, inputs)
        self._executor.write(inputs)
        self._executor.invoke()
        return self._executor.read()

    def run_real(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run on real values: float inputs are rounded to a quantized input's scale, outputs scaled back.

        Integer inputs of a quantized type are taken as they are. Wider integers have no scale, whatever the file says.
        """
        raw = {name: to_raw(values, self._input(name)) for name, values in inputs.items()}
        outputs = self.run(raw)
        return {name: output_values(values, self._signature.outputs[name]) for name, values in outputs.items()}

    def invoke(self) -> None:
        """Runs on whatever the inputs hold."""
        self._executor.invoke()

    def tensor(self, index: int) -> npt.NDArray[Any] | None:
        """A copy of a tensor of the main subgraph after a run; None where the engine holds no data for it."""
        return self._executor.tensor(index)

    def _input(self, name: str) -> Tensor:
        if name not in self._signature.inputs:
            check_arrays(self.inputs, {name: np.empty(0)})
        return self._signature.inputs[name]


class _RealCalls:
    """One signature of an open file as a sequence calls it: on real values."""

    def __init__(self, runner: Runner, after: Callable[[Runner], None] | None) -> None:
        self._runner = runner
        self._after = after

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return real_specs(self._runner.artifact.signature.inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return real_specs(self._runner.artifact.signature.outputs)

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        made = self._runner.run_real(inputs)
        if self._after is not None:
            self._after(self._runner)
        return made

    def stage(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Callable[[], None]:
        self._runner.run_real(inputs)
        return self._runner.invoke
