"""Where a file is to run: profiles, delegates, devices, measurements."""

from __future__ import annotations

from typing import Any

from edge_sdk.errors.base import EdgeSdkError


class ProfileError(EdgeSdkError):
    """A device profile has faults, or does not exist."""


class UnknownDeviceError(ProfileError):
    """No device has that id."""


class PolicyError(EdgeSdkError):
    """A delegate policy has an unknown key or a value that makes no sense."""


class TargetError(EdgeSdkError):
    """What was asked for does not fit the device it should run on.

    Args:
        message: what does not fit.
        limit: which limit, for example ``/sys/fs/cgroup/memory.max``; None where it is no number.
        needed: what would be needed, in the limit's unit (bytes for memory, ms for time).
        available: what there is.
        hint: the next thing to try.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: str | None = None,
        needed: float | None = None,
        available: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.limit = limit
        self.needed = needed
        self.available = available

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "limit": self.limit, "needed": self.needed, "available": self.available}


class DelegateUnavailableError(TargetError):
    """A delegate cannot be had here, or not for this model."""


class NothingPlacedError(TargetError):
    """A compiler for an accelerator ended well, and nothing of the model runs there."""


class DeviceError(EdgeSdkError):
    """A device cannot be reached, or cannot do what was asked.

    Args:
        message: what failed.
        address: of the device, such as ``ssh://pi@10.0.0.7``.
        hint: the next thing to try.
    """

    def __init__(self, message: str, *, address: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.address = address

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "address": self.address}


class DeviceLostError(DeviceError):
    """The link to a device ended in the middle. What had come by then may be cut short, so none of it is used."""


class MeasurementError(EdgeSdkError):
    """A measurement makes no sense as it was asked for, or could not be taken."""


class TimeLimitError(EdgeSdkError):
    """It was not done within the time that the user gave it."""
