"""The NPU, through LiteRT's dispatch: a vendor's compiler plugin and dispatch library.

LiteRT's x86-64 wheel brings those of OpenVINO (Intel). Qualcomm's, MediaTek's and Google's are for Android and come
with their makers' SDKs: naming their folder is offered, and nobody ran them for us. An NPU that has only an external
delegate (Edge TPU, VX, Teflon, Ethos-U's driver) is the delegate ``external``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_sdk.artifact.compute import compute_type
from edge_sdk.engines.compiled import Ask, CompiledExecutor, check_engine, check_model
from edge_sdk.engines.compiled_trial import tried
from edge_sdk.engines.elf import read_library
from edge_sdk.engines.executor import Arithmetic
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import DelegateUnavailableError, RecipeError, nearest

_BACKENDS = ("npu", "gpu", "cpu")
_MODES = ("latency", "throughput", "cumulative_throughput")
_PLUGIN = "compiler_plugin"
_KNOWN = ("backend", "performance_mode", _PLUGIN)


def open_executor(model: ModelSource, options: DelegateOptions) -> CompiledExecutor:
    """Opens a model on the NPU.

    ``options.library`` names the folder of a vendor's dispatch library, with ``compiler_plugin`` among
    ``options.library_options`` for that of its compiler. Without it OpenVINO is used, which takes the options
    ``backend`` (npu, gpu, cpu), ``performance_mode``, and keys of its own in capitals.

    Raises:
        DelegateUnavailableError: there is no NPU, or no library that reaches it, or it takes nothing of this model.
        RecipeError: an option that is not known.
    """
    ask = asked(options)
    check_model(model, "npu")
    arithmetic: Arithmetic = "bfloat16" if ask.openvino.get("graph_backend") == "cpu" else "float16"
    if options.precision == "float32" and _has_float_ops(model):
        raise DelegateUnavailableError(
            f"npu: float32 was asked for, {model.name} has float ops, and LiteRT's dispatch passes no precision on",
            hint="use an integer-only file, or another precision",
        )
    evidence = tried(model, ask, str(options.engine))
    made = CompiledExecutor(model, options, evidence.ask, evidence.placement, arithmetic=arithmetic)
    if evidence.is_software:
        made.notes += (f"this is no NPU: {evidence.device} was asked for",)
    if evidence.placement.count is not None:
        made.notes += (f"LiteRT counts {evidence.placement.count} ops on the NPU and does not say which",)
    return made


def asked(options: DelegateOptions) -> Ask:
    """What CompiledModel is asked for; errors as :func:`open_executor`."""
    given = dict(options.library_options)
    plugin = given.pop(_PLUGIN, "")
    if options.library is not None:
        folder = Path(options.library)
        if not any(folder.glob("libLiteRtDispatch_*.so")):
            raise DelegateUnavailableError(f"npu: {folder} holds no libLiteRtDispatch_*.so", hint="name its folder")
        check_engine(options, "npu", "libLiteRt.so")
        return Ask("npu", threads=options.threads, dispatch=str(folder), plugin=plugin)
    openvino = _openvino_options(given)
    package = check_engine(options, "npu", "vendors/*/dispatch/libLiteRtDispatch_*.so")
    _check_openvino(package)
    return Ask("npu", threads=options.threads, openvino=openvino, plugin=plugin)


def _openvino_options(given: Mapping[str, str]) -> dict[str, Any]:
    backend = given.get("backend", "npu")
    mode = given.get("performance_mode")
    for key, value, allowed in (("backend", backend, _BACKENDS), ("performance_mode", mode, _MODES)):
        if value is not None and value not in allowed:
            raise RecipeError(
                f"npu: option {key}: expected {', '.join(allowed)}, got `{value}`{nearest(value, allowed)}"
            )
    own = {key: value for key, value in given.items() if key.isupper()}
    unknown = [key for key in given if key not in _KNOWN and key not in own]
    if unknown:
        raise RecipeError(
            f"npu: unknown option `{unknown[0]}`{nearest(unknown[0], _KNOWN)}",
            hint=f"one of {', '.join(_KNOWN)}, or a key of OpenVINO's in capitals",
        )
    return {"graph_backend": backend, **({"performance_mode": mode} if mode else {}), "configs_map": own}


def _check_openvino(package: Path) -> None:
    """The plugin in the wheel is linked to one version of OpenVINO, and its name says to which."""
    if find_spec("openvino") is not None:
        return
    plugins = sorted(package.glob("vendors/intel_openvino/compiler/*.so"))
    names = [name for plugin in plugins for name in read_library(plugin).needed]
    needed = next((name for name in names if name.startswith("libopenvino.so.")), "libopenvino.so")
    raise DelegateUnavailableError(
        f"npu: LiteRT's OpenVINO plugin needs {needed}, and openvino is not installed",
        hint=f"pip install openvino{_version(needed)}",
    )


def _version(name: str) -> str:
    """``==2026.3.1`` of ``libopenvino.so.2631``."""
    digits = name.rpartition(".")[2]
    return f"==20{digits[:2]}.{'.'.join(digits[2:])}" if digits.isdecimal() else ""


def _has_float_ops(model: ModelSource) -> bool:
    graph = model.artifact.main
    return any(compute_type(graph, op) in ("float32", "float16", "hybrid_int8") for op in graph.ops)
