"""The GPU: LiteRT's own accelerator where it has one, else an external library that the user names.

Float ops are computed in float16 unless ``precision`` says float32; int8 ops likewise, on dequantized values. A GPU
that is a program on the CPU (llvmpipe, SwiftShader) is refused unless asked for: it is slower than the CPU itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_sdk.engines.compiled import Ask, CompiledExecutor, check_engine, check_model
from edge_sdk.engines.compiled_trial import Evidence, tried
from edge_sdk.engines.executor import Arithmetic, Executor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import DelegateUnavailableError, RecipeError, nearest

# Fields of LiteRT's GpuOptions that a user may set; enforce_f32 follows from the precision.
_FIELDS = (
    "allow_src_quantized_fc_conv_ops",
    "constant_tensor_sharing",
    "hint_waiting_for_completion",
    "infinite_float_capping",
)
_SOFTWARE, _PRECISION = "software", "precision"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def open_executor(model: ModelSource, options: DelegateOptions) -> Executor:
    """Opens a model on the GPU.

    ``options.library`` names an external GPU delegate, which is then used. Else ``options.library_options`` may hold
    fields of LiteRT's ``GpuOptions``, ``precision=float32``, and ``software=true`` to accept a GPU that is a program.

    Raises:
        DelegateUnavailableError: there is no GPU, or no engine that reaches it, or it takes nothing of this model.
        RecipeError: an option that is not known.
    """
    if options.library is not None:
        from edge_sdk.engines.library import open_library

        return open_library(options.library, model, options, arithmetic="float16")
    given = dict(options.library_options)
    arithmetic = _arithmetic(given.pop(_PRECISION, None) or options.precision)
    fields = _flags(given)
    accepts_software = fields.pop(_SOFTWARE, False)
    check_engine(options, "gpu", "libLiteRt*GpuAccelerator.*")
    check_model(model, "gpu")
    ask = Ask("gpu", threads=options.threads, gpu={**fields, "enforce_f32": arithmetic == "float32"})
    evidence = tried(model, ask, str(options.engine))
    if evidence.is_software and not accepts_software:
        raise DelegateUnavailableError(
            f"gpu: the only GPU here is a program on the CPU: {evidence.device}",
            hint="use xnnpack, which is faster; to try it all the same, give the option software=true",
        )
    made = CompiledExecutor(model, options, evidence.ask, evidence.placement, arithmetic=arithmetic)
    made.notes = tuple(_notes(evidence))
    return made


def _arithmetic(precision: str | None) -> Arithmetic:
    """An integer model is computed in floats here, too."""
    if precision not in (None, "float32", "float16", "int8"):
        raise RecipeError(f"gpu: option {_PRECISION}: expected float32 or float16, got `{precision}`")
    return "float32" if precision == "float32" else "float16"


def _flags(given: Mapping[str, str]) -> dict[str, bool]:
    found = {}
    known = (*_FIELDS, _PRECISION, _SOFTWARE)
    for key, value in given.items():
        if key not in known:
            raise RecipeError(f"gpu: unknown option `{key}`{nearest(key, known)}", hint=f"one of {', '.join(known)}")
        if value.lower() not in _FLAGS:
            raise RecipeError(f"gpu: option {key}: expected true or false, got `{value}`")
        found[key] = _FLAGS[value.lower()]
    return found


def _notes(evidence: Evidence) -> list[str]:
    device = evidence.device or "not named by LiteRT"
    notes = [f"the GPU is {device}"]
    if evidence.placement.count is not None:
        notes.append(f"LiteRT counts {evidence.placement.count} ops on the GPU and does not say which")
    return notes
