"""PyTorch to an ONNX model, with torch's reasons in the user's terms."""

from __future__ import annotations

import contextlib
import linecache
import re
import sysconfig
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.converters.sources.pytorch.forms import translations
from edge_sdk.converters.sources.pytorch.numbers import with_numbers
from edge_sdk.converters.sources.pytorch.padded import as_one_graph
from edge_sdk.converters.workers.child import running, tool_version
from edge_sdk.errors import ConversionError, ModelError

_INSTALLED = re.compile(r"(site|dist)-packages/")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What torch.onnx says around the reason: which of its own steps failed, and where to file a bug.
_WRAPPING = re.compile(r"this is step \d/\d|please create an issue|next steps:|exception summary", re.IGNORECASE)


def exported(
    module: Any, examples: Sequence[Any], inputs: Sequence[str], outputs: Sequence[str], settings: Mapping[str, Any]
) -> Any:
    """An ``onnx.ModelProto`` of a module that takes and returns flat tuples of tensors.

    Args:
        module: in eval mode.
        examples: tensors of the shapes that the model shall have.
        inputs: names for the graph's inputs.
        outputs: likewise.
        settings: ``exporter``, ``dynamo`` (torch.export) or ``torchscript`` (a trace), and ``opset``.

    Raises:
        ModelError: the model's own code cannot be one graph.
        ConversionError: the exporter failed.
    """
    import torch

    names = {"input_names": list(inputs), "output_names": list(outputs), "opset_version": settings["opset"]}
    # Gradients are of no use in a file, and masks made of trainable weights fail with them.
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if settings["exporter"] == "dynamo":
            return _by_export(module, tuple(examples), names)
        return _by_trace(module, tuple(examples), names)


def _by_export(module: Any, examples: tuple[Any, ...], names: Mapping[str, Any]) -> Any:
    import torch

    program = _program(module, examples)
    try:
        forms = translations()
        return torch.onnx.export(
            program, (), verbose=False, dynamo=True, custom_translation_table=forms, **names
        ).model_proto
    except Exception as error:  # the exporter's parts raise anything
        raise _failed("exporting to ONNX", error) from error


def _by_trace(module: Any, examples: tuple[Any, ...], names: Mapping[str, Any]) -> Any:
    import io

    import onnx
    import torch

    # Fused attention has no ONNX form in the tracing exporter.
    torch.backends.mha.set_fastpath_enabled(False)
    data = io.BytesIO()
    with running("torch", "exporting to ONNX by tracing"), _traced_faithfully():
        torch.onnx.export(module, examples, data, dynamo=False, **names)
    return onnx.load_model_from_string(data.getvalue())


def _program(module: Any, examples: tuple[Any, ...]) -> Any:
    """``torch.export`` with errors in the user's terms."""
    import torch

    try:
        with as_one_graph():
            return with_numbers(torch.export.export(module, examples, strict=False), examples)
    except Exception as error:  # torch.export raises many types
        where = _user_line(error)
        if "data-dependent" in str(error):
            raise ModelError(
                f"the model's Python code branches on tensor values{where}; one file can hold one path only",
                hint="use torch.where, or move the branch out of forward()",
            ) from error
        raise _failed(f"tracing the model{where}", error) from error


def _failed(doing: str, error: Exception) -> ConversionError:
    root = _root(error)
    return ConversionError(
        f"torch failed while {doing}: {type(root).__name__}: {plain_reason(root)}",
        tool="torch",
        version=tool_version("torch"),
        hint="a module that torch.export and torch.onnx.export accept can be converted",
    )


def _root(error: BaseException) -> BaseException:
    """The innermost cause: torch wraps what went wrong in errors that only say which step it was."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def plain_reason(error: BaseException) -> str:
    """An error's first words that say something, without colours and without advice to file a bug."""
    text = _COLOURS.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _WRAPPING.search(line)]
    return " ".join(lines[:2])[:400] if lines else type(error).__name__


def _user_line(error: BaseException) -> str:
    """The innermost line of the model's code in the traceback; of a library's, the user's that led to it too."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _of_a_model(frame.filename)]
    own = [frame for frame in frames if not _INSTALLED.search(frame.filename)]
    if not frames:
        return ""
    if not own or own[-1] is frames[-1]:
        return f" at {_place(frames[-1])}"
    return f" at {_place(frames[-1])}, called at {_place(own[-1])}"


def _of_a_model(name: str) -> bool:
    """Neither PyTorch's, nor Python's, nor ours."""
    path = Path(name)
    if not path.is_file() or path.resolve().is_relative_to(Path(__file__).resolve().parent):
        return False
    installed = _INSTALLED.search(name)
    if installed:
        return not name[installed.end() :].startswith("torch/")
    return not path.is_relative_to(sysconfig.get_path("stdlib"))


def _place(frame: traceback.FrameSummary) -> str:
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return f"{Path(frame.filename).name}:{frame.lineno} (`{line}`)"


@contextlib.contextmanager
def _traced_faithfully() -> Iterator[None]:
    """A trace that depends on the example's values is an error, not a warning."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", torch.jit.TracerWarning)
        yield
