"""A delegate in a library that a driver's maker gives: Edge TPU, VX, Teflon. ``engines/library.py`` does the work."""

from __future__ import annotations

from edge_sdk.engines.library import ExternalExecutor, open_library
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import DelegateUnavailableError


def open_executor(model: ModelSource, options: DelegateOptions) -> ExternalExecutor:
    """Opens a model with the library that ``options.library`` names.

    Raises:
        DelegateUnavailableError: none was named, or it cannot be used; see ``open_library``.
        ModelError: the engine refuses the model.
    """
    if options.library is None:
        raise DelegateUnavailableError(
            "the external delegate needs a library, and none was named",
            hint="name the driver's, such as libedgetpu.so.1, libvx_delegate.so or libteflon.so",
        )
    made = open_library(options.library, model, options, arithmetic="float32")
    made.notes += (f"what {options.library} computes float ops in is not told: taken for float32",)
    return made
