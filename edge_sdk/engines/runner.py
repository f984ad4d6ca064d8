"""One .tflite file opened in an engine, run by input and output name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.engines.installed import Engine, find_engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import open_source
from edge_sdk.engines.trying import try_once
from edge_sdk.engines.values import output_values, specs_of, to_raw
from edge_sdk.signature import Arrays, check_arrays


class Runner:
    """Runs one signature of one file on the CPU. Not thread-safe: open one per thread.

    Args:
        path: the .tflite file; it is read and verified before an engine sees it.
        threads: CPU threads.
        engine: name from :data:`ENGINES`, or None for the first installed.
        xnnpack: False keeps the engine's own kernels, which are slower and computed differently.
        preserve_all_tensors: makes :meth:`tensor` work for intermediate tensors; implies no XNNPACK.
        try_first: run the file once in a child process, as sessions do: an engine that dies of it takes that with it.

    Raises:
        ModelError: the file is damaged, or the engine refuses it.
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
        try_first: bool = False,
    ) -> None:
        source = open_source(path)
        self.artifact: Artifact = source.artifact
        self.engine: Engine = find_engine(engine)
        if try_first:
            try_once(source, self.engine, ["cpu", "xnnpack"] if xnnpack else ["cpu"], threads)
        self._executor = InterpreterExecutor(
            source,
            DelegateOptions(self.engine, threads=threads),
            default_delegates=xnnpack and not preserve_all_tensors,
            preserve_all_tensors=preserve_all_tensors,
        )
        self._signature = self.artifact.signature
        self.inputs = specs_of(self._signature.inputs)
        self.outputs = specs_of(self._signature.outputs)

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
