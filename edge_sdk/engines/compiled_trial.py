"""A CompiledModel tried in a child process, and what its log proves of who took which op.

LiteRT's Python tells only whether all ops were taken, and says so too where the CPU took them. Two things are truthful:
asked for the accelerator *alone*, it refuses a model that does not fit whole; and its log counts ops. A count is
believed only if it adds up to the ops of the file, and, on an NPU, if a compiler plugin was applied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.engines.compiled import Accelerator, Ask, Buffers, compile_model
from edge_sdk.engines.executor import EnginePlacement
from edge_sdk.engines.probe import Trial, try_in_child
from edge_sdk.engines.probe_child import Step
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import DelegateUnavailableError

_NOT_ALL = "Some ops are not accelerated"
# Seen 120 s after a run, in 2.3.0 on a software GPU with other work beside it; the buffer stays locked.
_GAVE_UP = "Failed to lock custom tensor buffer"
_GPU_COUNT = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU")
_NPU_COUNT = re.compile(
    r"Partitioned subgraph<0>, selected (\d+) ops, from a total of (\d+) ops. resulted in (\d+) part"
)
_NPU_APPLIED = re.compile(r"(\d+) compiler plugins were applied successfully")
_ADAPTER = re.compile(r"Selected adapter: (.*?), arch=.*adapterType=(.*)$", re.MULTILINE)
# Lines of the log that name a cause, most telling first; what to say of it, and what to do.
# fmt: off
_CAUSES: Mapping[Accelerator, tuple[tuple[str, str, str | None], ...]] = MappingProxyType({
    "gpu": (
        (r"No adapters found", "LiteRT's WebGPU finds no GPU that it can use",
         "install a Vulkan driver where the loader finds it (libvulkan.so.1, VK_ICD_FILENAMES); Mesa from 25 on"),
        (r"not supported by GPU delegate:\n((?:[A-Z0-9_]+: .*\n)+)", "it took no op: {0}",
         "`edge-sdk check` says more of each op"),
    ),
    "npu": (
        (r"(libopenvino\.so\.\d+): cannot open shared object", "{0} is not there",
         "pip install the openvino of the version in that name: 2631 is 2026.3.1"),
        (r"(VCL compiler loading failed)", "OpenVINO finds no driver of an Intel NPU here ({0})",
         "install Intel's NPU driver"),
        (r"Exception in compilation: (?:Exception from .*\n)*(.+)", "the NPU's compiler failed: {0}", None),
    ),
})
# fmt: on


@dataclass(frozen=True)
class Evidence:
    """What a trial showed.

    Attributes:
        ask: how it was opened in the end: alone, or with the CPU.
        placement: who took which op, as far as LiteRT says.
        device: what it ran on, in its driver's words; None where the log does not say.
        is_software: whether that device is a program on the CPU.
    """

    ask: Ask
    placement: EnginePlacement
    device: str | None
    is_software: bool


_seen: dict[tuple[str, str, str], Evidence] = {}
"""What passed once in this process is not tried again: the same model, ask and engine."""


def tried(model: ModelSource, ask: Ask, engine: str) -> Evidence:
    """Opens and runs a model in a child process, on the accelerator alone if it fits whole.

    Raises:
        DelegateUnavailableError: it crashed or refused, or nothing shows that the accelerator took anything.
    """
    key = (model.artifact.sha256, repr(ask), engine)
    if key not in _seen:
        trial = try_in_child(f"{__name__}:use_compiled_model", model.content, {"ask": ask.as_json()})
        _seen[key] = _evidence(trial, model, ask)
    return _seen[key]


def use_compiled_model(model: str, step: Step, ask: dict[str, Any]) -> dict[str, Any]:
    """In a child process: all that a session would do with it, once.

    Returns:
        ``alone``: whether the accelerator took every op; ``all``: what ``is_fully_accelerated`` said.
    """
    wanted = Ask(**ask)
    step("opening the model")
    try:
        compiled = compile_model(model, wanted)
    except RuntimeError as error:
        if _NOT_ALL not in str(error):
            raise
        wanted = replace(wanted, alone=False)
        step("opening the model in part")
        compiled = compile_model(model, wanted)
    step("running the model once")
    with open(model, "rb") as file:  # noqa: PTH123 - a plain path
        signature = parse_artifact(file.read()).signature
    buffers = Buffers(compiled, signature)
    buffers.write({name: np.zeros(tensor.shape, tensor.dtype) for name, tensor in signature.inputs.items()})
    buffers.run()
    whole = bool(compiled.is_fully_accelerated())
    step("closing it")
    buffers.close()
    return {"alone": wanted.alone, "all": whole}


def _evidence(trial: Trial, model: ModelSource, ask: Ask) -> Evidence:
    if trial.result is None or trial.death:
        raise _failure(trial, ask)
    opened = replace(ask, alone=trial.result["alone"])
    ops = len(model.artifact.main.ops)
    if opened.alone:
        # All in one: claimed ops that follow each other are one partition (edge_sdk/checks/placement/partition.py).
        placement = EnginePlacement(ops, tuple(range(ops)), 1)
    else:
        placement = _partial(trial, ask, ops, is_whole=trial.result["all"])
    return Evidence(opened, placement, *_device(trial.log, ask))


def _partial(trial: Trial, ask: Ask, ops: int, *, is_whole: bool) -> EnginePlacement:
    """With the CPU beside it: only what the log counts."""
    taken, partitions = _counted(trial.log, ask, ops)
    if is_whole or not taken:
        raise _failure(trial, ask)
    return EnginePlacement(ops, None, partitions, taken)


def _counted(log: str, ask: Ask, ops: int) -> tuple[int | None, int | None]:
    if ask.accelerator == "gpu":
        counts = [(int(taken), int(left)) for taken, left in _GPU_COUNT.findall(log)]
        return (counts[-1][0], None) if counts and sum(counts[-1]) == ops else (None, None)
    applied = _NPU_APPLIED.findall(log)
    chosen = [tuple(map(int, numbers)) for numbers in _NPU_COUNT.findall(log)]
    if not applied or not int(applied[-1]) or not chosen or chosen[-1][1] != ops:
        return None, None
    return chosen[-1][0], chosen[-1][2]


def _device(log: str, ask: Ask) -> tuple[str | None, bool]:
    found = _ADAPTER.findall(log)
    if ask.accelerator == "gpu" and found:
        name, kind = found[-1]
        return f"{name} ({kind.strip()})", kind.startswith("CPU")
    backend = ask.openvino.get("graph_backend")
    return (f"OpenVINO's device {backend.upper()}", backend == "cpu") if backend else (None, False)


def _failure(trial: Trial, ask: Ask) -> DelegateUnavailableError:
    """The cause that the log names, rather than LiteRT's own text, which is a line number in its source."""
    if trial.death:
        return trial.unavailable(ask.accelerator, hint="use xnnpack, and tell the maker of its driver")
    for pattern, text, hint in _CAUSES.get(ask.accelerator, ()):
        found = re.search(pattern, trial.log)
        if found:
            words = [" ".join(group.split()) for group in found.groups()]
            return DelegateUnavailableError(f"{ask.accelerator}: {text.format(*words)}", hint=hint)
    if trial.error and _GAVE_UP in trial.error[1]:
        return DelegateUnavailableError(
            f"{ask.accelerator}: its first run was not done after two minutes, when LiteRT gives up",
            hint="a first run compiles shaders, which drivers keep: try once more, or a smaller model",
        )
    if trial.error and _NOT_ALL not in trial.error[1]:
        return trial.unavailable(ask.accelerator)
    return DelegateUnavailableError(
        f"{ask.accelerator}: nothing shows that it took an op: LiteRT would run the model on the CPU without a word",
        hint="use xnnpack, which is made for the CPU",
    )
