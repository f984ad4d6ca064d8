"""A source looked at without converting it: what it is, its inputs and outputs, what was done to open it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_sdk.converters.options import Options, source_options_from
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import Description
from edge_sdk.converters.workers.workshop import Workshop

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class SourceFacts:
    """What a source says of itself."""

    source: str
    front_end: str
    description: Description

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"source": self.source, "kind": self.front_end, **self.description.as_json()}


def describe_source(source: object, **options: Unpack[Options]) -> SourceFacts:
    """Opens a source in its own toolchain, in a child process, and asks it.

    Args:
        source: see ``edge_sdk.convert``.
        options: how to open it.

    Raises:
        EdgeSdkError: it cannot be opened.
    """
    with Workshop(None, options.get("workers")) as shop:
        opened = OpenSource(shop, source, source_options_from(options))
        return SourceFacts(str(source), opened.front_end, opened.description)
