"""Every exception edge-sdk raises on purpose, one class for each party who must act.

    EdgeSdkError                       .hint: what to do next
      ModelError                       the model cannot be read, converted or run
        UnsupportedOpError             .ops: every unsupported op, not the first
        SignatureError                 an input is missing, misnamed, or of the wrong shape or dtype
        UntrustedSourceError           loading the file could run code
      ToolError                        a wrapped tool failed: .tool .version .log_tail
        ConversionError                a converter or quantizer
          ParityError                  outputs moved beyond the tolerance: .report
        BuildError                     a compiler, linker or signer
      CalibrationError                 no data, bad values, or data that does not match the signature
      RecipeError                      file, key path, value, allowed values or nearest
      ProfileError                     likewise for a device profile
        UnknownDeviceError             names the nearest
      PolicyError                      a delegate policy is ill-formed
      TargetError                      does not fit here: .limit .needed .available
        DelegateUnavailableError       a delegate cannot be had, or not for this model
      DeviceError                      a device cannot be reached, or cannot do what was asked: .address
        DeviceLostError                the link ended in the middle; nothing of what came is used


      MeasurementError                 a measurement makes no sense as asked, or could not be taken
      BundleError                      a .edge file cannot be used, or cannot be made as asked
        BundleFormatError              not in the form of FORMAT.md: archive, manifest or a member
        BundleIntegrityError           a member is not what the manifest says
        BundleVersionError             made by a newer edge-sdk
        BundleSignatureError           unsigned, or not signed by a key that is trusted
      OutputError                      the result cannot be written where it was asked for
      MissingDependencyError           names the extra to install
      MissingToolError                 a program that pip cannot bring; names what to install

A message says what, where, expected and got; the hint says what to do. ``ValueError`` and ``TypeError`` are left
for programming mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class EdgeSdkError(Exception):
    """Base of all expected failures.

    Args:
        message: what failed, where, what was expected and what was found; one line, lower case.
        hint: the next thing to try, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def as_json(self) -> dict[str, Any]:
        """The error as plain data: class name, message, hint, and what a subclass adds."""
        return {"error": type(self).__name__, "message": str(self), "hint": self.hint}


def error_from_json(data: dict[str, Any]) -> EdgeSdkError:
    """The inverse of :meth:`EdgeSdkError.as_json`, for errors that cross a process boundary."""
    fields = dict(data)
    made: type[EdgeSdkError] = globals()[fields.pop("error")]
    if made is MissingDependencyError:
        return made(fields["package"], extra=fields["extra"], why=fields["why"])
    return made(fields.pop("message"), **fields)


class ModelError(EdgeSdkError):
    """The model cannot be read, converted or run."""


class UnsupportedOpError(ModelError):
    """The model holds ops that the target format has no form for.

    Args:
        message: what cannot be converted.
        ops: one ``(op type, node name, reason)`` for every op, in graph order.
        hint: the next thing to try.
    """

    def __init__(self, message: str, *, ops: Iterable[tuple[str, str, str]] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.ops = tuple(tuple(op) for op in ops)

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "ops": [list(op) for op in self.ops]}


class SignatureError(ModelError):
    """An input is missing, misnamed, or of another shape or dtype than the signature says."""


class UntrustedSourceError(ModelError):
    """Loading the file could run code that it carries, and the user has not said to trust it."""


class ToolError(EdgeSdkError):
    """A wrapped tool failed.

    Args:
        message: what the tool was doing and how it ended.
        tool: name of the tool, for example ``onnx2tf``.
        version: its version, or None where unknown.
        log_tail: the last lines it printed.
        hint: the next thing to try.
    """

    def __init__(
        self,
        message: str,
        *,
        tool: str | None = None,
        version: str | None = None,
        log_tail: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.tool = tool
        self.version = version
        self.log_tail = log_tail

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "tool": self.tool, "version": self.version, "log_tail": self.log_tail}


class ConversionError(ToolError):
    """A converter or quantizer failed."""


class BuildError(ToolError):
    """A compiler, linker or signer failed."""


class ParityError(ConversionError):
    """The converted model does not compute what its source computes, within the stated tolerance.

    Args:
        message: the worst output, its error and the bound.
        report: the conversion report as plain data, with numbers for every output.
        hint: the next thing to try.
        about: see :class:`ToolError`.
    """

    def __init__(
        self, message: str, *, report: dict[str, Any] | None = None, hint: str | None = None, **about: Any
    ) -> None:
        super().__init__(message, hint=hint, **about)
        self.report = report

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "report": self.report}


class CalibrationError(EdgeSdkError):
    """Calibration or evaluation data is absent, unreadable, or does not match the signature."""


class RecipeError(EdgeSdkError):
    """A recipe is unknown or ill-formed, or asks for what cannot be combined."""


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


class MissingToolError(EdgeSdkError):
    """A program that pip cannot bring is absent, or too old."""


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


class BundleError(EdgeSdkError):
    """A bundle cannot be used, or cannot be made as asked."""


class BundleFormatError(BundleError):
    """The archive, the manifest or a member is not in the form that ``edge_sdk/bundle/FORMAT.md`` says."""


class BundleIntegrityError(BundleError):
    """A member is not what the manifest says it is: another size, hash or checksum."""


class BundleVersionError(BundleError):
    """The format is newer than this reader."""


class BundleSignatureError(BundleError):
    """A key was required, and the bundle is unsigned, signed by others, or its signature is wrong."""


class OutputError(EdgeSdkError):
    """The result cannot be written where it was asked for."""


class MissingDependencyError(EdgeSdkError):
    """An optional package is absent.

    Args:
        package: the distribution that is missing.
        extra: the edge-sdk extra that brings it.
        why: what needed it.
    """

    def __init__(self, package: str, *, extra: str, why: str) -> None:
        super().__init__(f"{why} needs {package}, which is not installed", hint=f"pip install 'edge-sdk[{extra}]'")
        self.package = package
        self.extra = extra
        self.why = why

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "package": self.package, "extra": self.extra, "why": self.why}


def nearest(word: str, known: Iterable[str]) -> str:
    """``, did you mean `x`?`` for the closest known word, or an empty string."""
    import difflib  # only where something is wrong

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f", did you mean `{close[0]}`?" if close else ""
