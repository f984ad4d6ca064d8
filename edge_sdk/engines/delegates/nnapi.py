"""NNAPI: a part of Android, reached from its app side alone."""

from __future__ import annotations

import platform
import sys

from edge_sdk.engines.executor import Executor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import DelegateUnavailableError


def open_executor(model: ModelSource, options: DelegateOptions) -> Executor:  # noqa: ARG001 - the contract's form
    """Never opens anything.

    Raises:
        DelegateUnavailableError: always: no Python engine has an NNAPI delegate, on Android neither.
    """
    here = "Android" if hasattr(sys, "getandroidapilevel") else f"{platform.system()} {platform.machine()}"
    raise DelegateUnavailableError(
        f"nnapi: NNAPI is reached from Android apps in Java or C only, and this is Python on {here}",
        hint="on Android use the app's wrapper; NNAPI is deprecated since Android 15: prefer gpu or npu",
    )
