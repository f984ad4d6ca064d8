"""A float .tflite as a source: quantized further, or compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sdk.artifact.edit import with_codes_in_both_fields
from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.artifact.summary import summarize
from edge_sdk.converters.lower import Rung
from edge_sdk.converters.sources.source import (
    Description,
    SourceOptions,
    options_from_json,
    stacked_runs,
    write_outputs,
)
from edge_sdk.converters.sources.tflite.closed import closed
from edge_sdk.converters.sources.tflite.halves import densified, expansions_of_halves, with_whole_weights
from edge_sdk.converters.sources.tflite.transposed import NAME, custom_transposed, with_builtin_transposed
from edge_sdk.data.store import SampleStore
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import ModelError, SignatureError
from edge_sdk.findings import Finding
from edge_sdk.signature import TensorSpec, fix_shapes

_QUANTIZED = ("int8", "uint8", "int16", "hybrid_int8")


class TfliteSource:
    """Reads ``.tflite``. Reference runs use the engine's own kernels, without XNNPACK, on real values."""

    preload = ("ai_edge_litert.interpreter",)

    def __init__(self, source: str, options: Mapping[str, Any]) -> None:
        self._path = Path(source)
        self._options: SourceOptions = options_from_json(options)
        self._artifact: Artifact = read_artifact(self._path)
        self._open = tuple(
            TensorSpec(name, tuple(None if e < 0 else e for e in t.shape_signature), _real_dtype(t.dtype, t))
            for name, t in self._artifact.signature.inputs.items()
        )
        self._inputs = fix_shapes(self._open, batch=self._options.batch, given=self._options.shapes)

    @staticmethod
    def reads(source: object) -> bool:
        """A path that ends in ``.tflite``."""
        return isinstance(source, str | Path) and Path(source).suffix == ".tflite"

    def describe(self) -> dict[str, Any]:
        outputs = tuple(self._artifact.signature.outputs)
        return Description("tflite", self._inputs, self._open, outputs, findings=self._findings()).as_json()

    def _findings(self) -> tuple[Finding, ...]:
        found = []
        if halves := expansions_of_halves(self._artifact.main):
            words = f"{len(halves)} constants are stored in float16: they are float32 here, until a recipe rounds them"
            found.append(Finding("weights-in-float16", "info", words))
        if sparse := densified(self._artifact.main):
            words = f"{len(sparse)} constants are stored without their zeros: they are laid out with them here"
            found.append(Finding("weights-sparse", "info", words))
        if custom := custom_transposed(self._artifact.main):
            words = f"{len(custom)} ops `{NAME}` of MediaPipe become TRANSPOSE_CONV with a bias, which every engine has"
            found.append(Finding("custom-transposed-rewritten", "info", words))
        entered = self._artifact.signature.key
        if others := [f"`{one.key}`" for one in self._artifact.signatures if one.key != entered]:
            words = f"a converted file has one entry point: `{entered}` is kept, and {', '.join(others)} left out"
            hint = "the source runs by others with --signature"
            found.append(Finding("signatures-left-out", "warning", words, hint=hint))
        return tuple(found)

    def run(self, samples: str, outputs: str) -> int:
        self._check_shapes()
        # Of MediaPipe's op the engine has no kernel of its own: XNNPACK has, and the file runs as it is.
        runner = Runner(self._path, xnnpack=bool(custom_transposed(self._artifact.main)))
        results = stacked_runs(SampleStore.open(samples), runner.run_real, can_stack=False)
        return write_outputs(results, tuple(self._artifact.signature.outputs), outputs)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        return [vars(Rung("the file itself"))]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A copy whose sizes are all known but those that depend on data."""
        refuse_quantized(self._path)
        self._check_shapes()
        path = Path(folder) / "source.tflite"
        content = with_builtin_transposed(self._path.read_bytes(), self._path)
        if self._open != self._inputs:
            content = closed(content, self._path)
        path.write_bytes(content)
        made = with_codes_in_both_fields(with_whole_weights(content, path))
        if made is not content:
            path.write_bytes(made)
        signature = self._artifact.signature
        return {
            "kind": "tflite",
            "path": str(path),
            "inputs": [{"name": n, "tensor": t.index, "axes": None} for n, t in signature.inputs.items()],
            "outputs": [{"name": n, "tensor": t.index, "axes": None} for n, t in signature.outputs.items()],
            "tool": "copied",
        }

    def _check_shapes(self) -> None:
        """The file's tensors are laid out for the shapes in it; others would need a conversion from the source."""
        for spec in self._inputs:
            laid_out = self._artifact.signature.inputs[spec.name].shape
            if spec.static_shape != laid_out:
                raise SignatureError(
                    f"{self._path}: input {spec} is laid out for {list(laid_out)} in the file",
                    hint="convert again from the model this file was made from",
                )
        if self._artifact.unknown:
            raise ModelError(
                f"{self._path}: holds fields newer than this schema ({', '.join(self._artifact.unknown[:3])}), "
                "which rewriting would lose"
            )


def refuse_quantized(source: object) -> None:
    """Before anything else is asked for.

    Raises:
        ModelError: it is a .tflite file that is quantized, or none that can be read.
    """
    if not TfliteSource.reads(source) or not Path(str(source)).is_file():
        return
    quantized = {k: n for k, n in summarize(read_artifact(str(source))).ops.items() if k in _QUANTIZED}
    if quantized:
        listing = ", ".join(f"{n} ops in {kind}" for kind, n in quantized.items())
        raise ModelError(f"{source}: is quantized already ({listing})", hint="start from the float model")


def _real_dtype(dtype: str, tensor: Any) -> str:
    return "float32" if tensor.quantization is not None and dtype in ("int8", "uint8", "int16") else dtype
