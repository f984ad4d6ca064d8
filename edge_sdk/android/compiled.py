"""Models in an app that were compiled for an NPU, and the libraries that must come with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from edge_sdk.artifact.excerpt import compiled_op
from edge_sdk.artifact.model import Artifact
from edge_sdk.findings import Finding

_STAMP = "LiteRtStamp"
_STAMP_FIELD = 128
# What LiteRT loads for a file that its Qualcomm plugin made; Stub and Skel are of the NPU's generation.
_QUALCOMM = (
    ("libLiteRtDispatch_Qualcomm.so", r"libLiteRtDispatch_Qualcomm\.so"),
    ("libQnnHtp.so", r"libQnnHtp\.so"),
    ("libQnnSystem.so", r"libQnnSystem\.so"),
    ("libQnnHtpV<generation>Stub.so", r"libQnnHtpV\d+Stub\.so"),
    ("libQnnHtpV<generation>Skel.so", r"libQnnHtpV\d+Skel\.so"),
)


def stamp_of(artifact: Artifact) -> tuple[str, str] | None:
    """Vendor and chip that LiteRT's compiler wrote into a file; None where it wrote none."""
    content = artifact.metadata.get(_STAMP)
    if content is None:
        return None
    fields = (content[:_STAMP_FIELD], content[_STAMP_FIELD:])
    vendor, chip = (field.rstrip(b"\0").decode(errors="replace") for field in fields)
    return vendor, chip


def compiled_findings(name: str, artifact: Artifact, members: Collection[str]) -> Iterator[Finding]:
    """What is missing beside a model that was compiled for a phone's NPU.

    Args:
        name: of the model.
        artifact: it.
        members: names of all files in the app.
    """
    stamp = stamp_of(artifact)
    if stamp is None or compiled_op(artifact) != "CUSTOM:DISPATCH_OP":
        return
    vendor, chip = stamp
    yield Finding("apk-compiled-model", "info", f"was compiled for {vendor}'s {chip}, and runs on no other chip", name)
    if vendor != "Qualcomm":
        return
    bare = {member.rpartition("/")[2] for member in members if member.startswith("lib/")}
    missing = [what for what, pattern in _QUALCOMM if not any(re.fullmatch(pattern, one) for one in bare)]
    if missing:
        message = f"was compiled for {vendor}'s {chip}, and the app has no {', '.join(missing)}"
        hint = "put them into lib/arm64-v8a, of the QNN version that `edge-sdk compile` named"
        yield Finding("apk-npu-library-missing", "error", message, name, hint)
