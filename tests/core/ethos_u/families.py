"""Families of probes for Vela."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.core.xnnpack import FAMILIES as ONE_OP
from tests.core.xnnpack import MANY

FAMILIES: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {**ONE_OP, **MANY}
