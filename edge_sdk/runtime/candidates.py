"""The ways a model could be run on a device, in the order in which they should be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edge_sdk.engines.delegates import DELEGATES
from edge_sdk.errors import PolicyError, nearest
from edge_sdk.runtime.policy import Accelerator

if TYPE_CHECKING:
    from edge_sdk.profile.records import Delegate, DeviceProfile

# Accelerators that vendors reach through LiteRT's dispatch rather than through a library of TFLite's plug-in form.
_DISPATCHED = ("qnn_htp", "mediatek")
# The GPU's is an external delegate; the NPU's is the folder of LiteRT's dispatch library.
_WITH_LIBRARY = ("external", "gpu", "npu")
_ACCELERATORS: Mapping[str, Accelerator] = MappingProxyType(
    {"cpu": "cpu", "xnnpack": "cpu", "gpu": "gpu", "npu": "npu", "nnapi": "npu", "external": "npu"}
)


@dataclass(frozen=True)
class Candidate:
    """One way to run a model.

    Attributes:
        delegate: key of ``DELEGATES``.
        accelerator: what it runs on.
        library: of an external delegate: a path, or a name that the system's loader finds.
        options: keys and values that such a library is given.
        rules: the rule set that predicts what it takes; None where none is known.
        level: NNAPI feature level of the device.
    """

    delegate: str
    accelerator: Accelerator
    library: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rules: str | None = None
    level: int | None = None

    @property
    def name(self) -> str:
        """``gpu``, or ``external:libedgetpu.so.1``."""
        return f"{self.delegate}:{self.library}" if self.library else self.delegate

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "accelerator": self.accelerator, "options": dict(self.options), "rules": self.rules}


Named = str | Candidate | Sequence[str | Candidate]
"""``auto``, one delegate, or several in the order in which to try them."""


def candidates(named: Named, profile: DeviceProfile | None) -> tuple[Candidate, ...]:
    """What to try, in order.

    Args:
        named: the user's choice; only these are tried, unless it is ``auto``. A string is a key of ``DELEGATES``, or
            ``external:LIBRARY``; ``gpu`` takes a library likewise, ``npu`` the folder of its dispatch library.
        profile: of the device, for ``auto``; None looks for what is here.

    Raises:
        PolicyError: no delegate has that name.
    """
    if named == "auto":
        return tuple(_unique([*_of_device(profile), Candidate("xnnpack", "cpu", rules="xnnpack"), candidate("cpu")]))
    listed = [named] if isinstance(named, str | Candidate) else list(named)
    if not listed:
        raise PolicyError("no delegate is named", hint=f"`auto`, or some of {', '.join(DELEGATES)}")
    return tuple(_unique(candidate(one) if isinstance(one, str) else one for one in listed))


def candidate(text: str) -> Candidate:
    """One candidate by name; errors as :func:`candidates`."""
    name, _, library = text.partition(":")
    if name not in DELEGATES or (library and name not in _WITH_LIBRARY):
        raise PolicyError(
            f"unknown delegate `{text}`{nearest(name, DELEGATES)}",
            hint=f"`auto`, or some of {', '.join(DELEGATES)}; libraries: external:PATH, gpu:PATH, npu:FOLDER",
        )
    rules = {"xnnpack": "xnnpack", "gpu": "gpu_v2"}.get(name)
    return Candidate(name, _ACCELERATORS.get(name, "npu"), library=library or None, rules=rules)


def _of_device(profile: DeviceProfile | None) -> Iterator[Candidate]:
    from edge_sdk.profile.detect import found_delegates

    for one in found_delegates() if profile is None else profile.device.delegates:
        yield _from_profile(one)


def _from_profile(one: Delegate) -> Candidate:
    dispatched = one.name == "external" and one.rules in _DISPATCHED and one.library is None
    name = "npu" if dispatched else one.name
    return Candidate(name, one.accelerator, library=one.library, rules=one.rules, level=one.nnapi_feature_level)


def _unique(found: Sequence[Candidate] | Iterator[Candidate]) -> Iterator[Candidate]:
    seen = set()
    for one in found:
        if one.name not in seen:
            seen.add(one.name)
            yield one
