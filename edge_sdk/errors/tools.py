"""Tools that are wrapped, and packages and programs that are absent."""

from __future__ import annotations

from typing import Any

from edge_sdk.errors.base import EdgeSdkError


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


class AccuracyError(ParityError):
    """The file is right, but lost more accuracy to its precision than the source itself explains, or than was asked."""


class SlowError(ConversionError):
    """A file of a precision that is slow where it shall run.

    Args:
        message: how long it takes, against what, and where that was measured.
        ratio: its time over the float file's.
        hint: the next thing to try.
        about: see :class:`ToolError`.
    """

    def __init__(self, message: str, *, ratio: float, hint: str | None = None, **about: Any) -> None:
        super().__init__(message, hint=hint, **about)
        self.ratio = ratio

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "ratio": self.ratio}


class MissingToolError(EdgeSdkError):
    """A program that pip cannot bring is absent, or too old."""


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


class LicenseError(EdgeSdkError):
    """A vendor's tool has a licence that the user has not accepted.

    Args:
        message: what the licence asks, in one line.
        license_name: its name.
        hint: how to accept it.
    """

    def __init__(self, message: str, *, license_name: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.license_name = license_name

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "license_name": self.license_name}
