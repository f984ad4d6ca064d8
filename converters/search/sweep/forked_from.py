"""What a sweep's fork server imports: workers are forks that have all of it."""

from __future__ import annotations

import distributed  # noqa: F401 - workers want it

import edge_sdk.converters.search.sweep.executors  # noqa: F401 - likewise
from edge_sdk.preloading import done

done()
