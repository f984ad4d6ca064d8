"""From a source's own graph to a float .tflite: our own way in ``direct/``, else one file for each tool that can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from edge_sdk.errors import MissingDependencyError, RecipeError, nearest
from edge_sdk.signature import TensorSpec

LOWERINGS: dict[str, str] = {"direct": "onnx", "onnx2tf": "onnx2tf", "litert-torch": "litert_torch"}
"""Name of a lowering, best first, to the module that must be installed for it."""

_TAKES = {"onnx": ("direct", "onnx2tf"), "torch": ("direct", "onnx2tf", "litert-torch")}


@dataclass(frozen=True)
class Rung:
    """One way to lower a source, tried in turn: a name for the report, and settings for the front end."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def ladder(kind: Literal["onnx", "torch"], wanted: str, *, recurrent: bool, static_range: bool) -> list[Rung]:
    """Ways to lower a source: installed lowerings, each with its settings, best first.

    Args:
        kind: of the source.
        wanted: a name from :data:`LOWERINGS`, or ``auto``.
        recurrent: the model holds LSTM or GRU layers.
        static_range: activations will be quantized, which loops forbid: recurrent layers are unrolled first.

    Raises:
        MissingDependencyError: the lowering asked for, or any, is not installed.
        RecipeError: no lowering has that name, or it does not take such a source.
    """
    possible = _TAKES[kind]
    if wanted not in ("auto", *possible):
        raise RecipeError(
            f"unknown lowering `{wanted}`{nearest(wanted, possible)} for a source of kind {kind}",
            hint=f"auto, {', '.join(possible)}",
        )
    names = [name for name in possible if wanted in ("auto", name) and find_spec(LOWERINGS[name])]
    if not names:
        missing = wanted if wanted != "auto" else possible[0]
        extra = missing if missing != "direct" else kind
        raise MissingDependencyError(LOWERINGS[missing], extra=extra, why=f"lowering with {missing}")
    return [rung for name in names for rung in _rungs(name, kind, recurrent=recurrent, static_range=static_range)]


def _rungs(name: str, kind: str, *, recurrent: bool, static_range: bool) -> list[Rung]:
    if name == "litert-torch":
        return [Rung("litert-torch", {"lowering": name})]
    if name == "direct":
        settings = {"lowering": name, "unroll": static_range}
        if kind == "onnx":
            return [Rung("direct", settings)]
        return [Rung(f"direct; {words}", {**settings, **export}) for words, export in (_EXPORTS[0], _EXPORTS[2])]
    ways = onnx2tf_settings(recurrent=recurrent, static_range=static_range)
    if kind == "onnx":
        return [Rung(words, {"lowering": name, "onnx2tf": flags}) for words, flags in ways]
    return [
        Rung(f"{export}; {words}", {"lowering": name, **settings, "onnx2tf": flags})
        for words, flags in ways
        for export, settings in _EXPORTS
    ]


_EXPORTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("torch.export, opset 20", {"exporter": "dynamo", "opset": 20}),
    ("torch.export, opset 18", {"exporter": "dynamo", "opset": 18}),
    ("TorchScript trace, opset 17", {"exporter": "torchscript", "opset": 17}),
)


def plain_name(end: Literal["in", "out"], place: int) -> str:
    """What an input or output is called in an ONNX graph on its way to onnx2tf: a name that no tool rewrites."""
    return f"edge_{end}_{place}"


def onnx_hand_over(
    path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[str], layout: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """A hand-over of kind ``onnx``, with the arguments of :func:`by_onnx2tf.lower`.

    Args:
        path: an .onnx file whose inputs and outputs have plain names.
        inputs: the source's, in order.
        outputs: the source's, in order.
        layout: ``nhwc`` or ``source``.
        settings: flags of onnx2tf.
    """
    return {
        "kind": "onnx",
        "path": str(path),
        "inputs": {plain_name("in", i): spec.as_json() for i, spec in enumerate(inputs)},
        "outputs": {plain_name("out", i): name for i, name in enumerate(outputs)},
        "layout": layout,
        "settings": dict(settings),
    }


def onnx2tf_settings(*, recurrent: bool, static_range: bool) -> list[tuple[str, dict[str, Any]]]:
    """Settings of onnx2tf to try in turn, with words for the report.

    Version 2 can write TFLite itself; it is asked last, for TensorFlow's quantizer refuses some of what it writes, its
    fused LSTM keeps state from run to run, and its GELU is many ops.
    """
    if int(metadata.version("onnx2tf").split(".")[0]) < 2:
        backends: list[tuple[str, dict[str, Any]]] = [("onnx2tf", {})]
    else:
        backends = [
            ("onnx2tf through TensorFlow", {"tflite_backend": "tf_converter"}),
            ("onnx2tf, direct", {"tflite_backend": "flatbuffer_direct"}),
        ]
    if not recurrent:
        return backends
    unrolled = [(f"{n}, recurrent layers unrolled", {**s, "enable_rnn_unroll": True}) for n, s in backends]
    return [*unrolled, *backends] if static_range else [*backends, *unrolled]
