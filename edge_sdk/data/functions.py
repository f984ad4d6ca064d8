"""``file.py:function``: a user's own script as a source of models or data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from edge_sdk.errors import EdgeSdkError, ModelError, nearest


def is_function_reference(text: str) -> bool:
    """Whether the text has the form ``file.py:function``."""
    file, colon, name = text.rpartition(":")
    return bool(colon) and file.endswith(".py") and name.isidentifier()


def load_function(reference: str, *, error: type[EdgeSdkError] = ModelError) -> Callable[[], Any]:
    """Imports ``file.py`` and returns its function.

    The file's folder is put first on the import path, as Python does for a script.

    Raises:
        EdgeSdkError: of the class given: no such file or function, or the file fails to import.
    """
    file, _, name = reference.rpartition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise error(f"{file}: no such file")
    sys.path.insert(0, str(path.parent))
    loader = SourceFileLoader(path.stem, str(path))
    module = module_from_spec(spec_from_loader(path.stem, loader) or ModuleSpec(path.stem, loader))
    sys.modules[path.stem] = module
    call(lambda: loader.exec_module(module), f"{file} fails to import", error)
    found = getattr(module, name, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise error(f"{file} has no function `{name}`{nearest(name, names)}")
    return found  # type: ignore[no-any-return]


def call(function: Callable[[], Any], what: str, error: type[EdgeSdkError]) -> Any:
    """Runs the user's code; whatever it raises becomes one error that names file and line."""
    try:
        return function()
    except EdgeSdkError:
        raise
    except Exception as problem:  # the user's code may raise anything
        trace = problem.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
        raise error(f"{what}: {type(problem).__name__}: {problem}{where}") from problem
