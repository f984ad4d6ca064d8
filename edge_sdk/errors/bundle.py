"""Files that are written: bundles, and results."""

from __future__ import annotations

from edge_sdk.errors.base import EdgeSdkError


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
