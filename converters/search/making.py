"""What a search knows of a file without running it."""

from __future__ import annotations

import hashlib
import zlib

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.summary import Summary, summarize
from edge_sdk.checks.checking import check
from edge_sdk.checks.verdict import DelegateCheck
from edge_sdk.converters.device import as_compiled
from edge_sdk.converters.search.records import File, OnDevice
from edge_sdk.profile.records import DeviceProfile


def file_facts(data: bytes, profile: DeviceProfile | None) -> File:
    """Size, precision, and what is predicted for a device.

    Args:
        data: the .tflite file.
        profile: the device.
    """
    artifact = parse_artifact(data)
    summary = summarize(artifact)
    key, share = hashlib.sha256(data).hexdigest(), summary.mac_share("int8")
    # What an app store or an update sends; -9 of gzip and zip, without their headers.
    compressed = len(zlib.compress(data, 9))
    if profile is None:
        return File(key, len(data), compressed, share)
    checked = check(as_compiled(artifact, data, profile), profile)
    first = next(iter(checked.delegates), None) if has_accelerator(profile) else None
    return File(
        key, len(data), compressed, share, checked.memory.floor_bytes, _on_device(summary, first) if first else None
    )


def has_accelerator(profile: DeviceProfile | None) -> bool:
    """Whether a runtime there tries something else than the CPU first."""
    first = next(iter(profile.device.delegates), None) if profile else None
    return first is not None and first.accelerator != "cpu"


def _on_device(summary: Summary, delegate: DelegateCheck) -> OnDevice:
    taken = round(summary.total_macs * delegate.mac_share)
    doubled = round(taken * (1 + summary.mac_share("int16")))
    return OnDevice(delegate.rules, doubled, summary.total_macs - taken, delegate.partitions)
