"""Device profiles as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.profile.records import Accelerator, Delegate, DeviceProfile
from edge_sdk.report.lines import field, table


def list_text(profiles: Sequence[DeviceProfile]) -> str:
    """One line for each profile."""
    rows = [
        [
            profile.id,
            profile.device.kind,
            str(profile.device.year),
            profile.soc.name,
            _memory(profile.device.memory.ram_mib),
            ", ".join(delegate.rules for delegate in profile.device.delegates) or "none",
        ]
        for profile in profiles
    ]
    return "\n".join(table(["id", "kind", "year", "chip", "RAM", "delegates"], rows, indent=""))


def show_text(profile: DeviceProfile) -> str:
    """All of one profile, and where its numbers come from."""
    device, soc = profile.device, profile.soc
    memory = device.memory
    lines = [
        f"{profile.id}: {device.vendor} {device.name}, {device.kind}, {device.year}, {_words(device.power_class)}",
        field("chip", f"{soc.vendor} {soc.name}, {soc.year}, {soc.arch}"),
        *(field("", f"{c.cores} x {c.microarchitecture}, {c.max_mhz} MHz: {', '.join(c.isa)}") for c in soc.cpu),
        *(field(key, _accelerator(part)) for key, part in _accelerators(profile)),
        field(
            "memory",
            f"{_memory(memory.ram_mib)} RAM, a process may take {_memory(memory.process_mib)}, pages of "
            f"{memory.page_size_kib} KiB",
        ),
        field("system", _system(profile)),
        *_listing(
            "runtimes", [_runtime(r.name, r.version, r.note, compiled=r.compiled_model) for r in device.runtimes]
        ),
        *_listing("delegates", [_delegate(delegate) for delegate in device.delegates]),
        field("thermal", device.thermal),
        "",
        "  sources (~ estimated)",
        *_sources(profile),
    ]
    return "\n".join(lines)


def _accelerators(profile: DeviceProfile) -> list[tuple[str, Accelerator]]:
    parts = (("GPU", profile.soc.gpu), ("NPU", profile.soc.npu), ("DSP", profile.soc.dsp))
    return [(key, part) for key, part in parts if part is not None]


def _accelerator(part: Accelerator) -> str:
    words = [part.name, *part.apis]
    if part.tops_int8 is not None:
        words.append(f"{part.tops_int8:g} TOPS int8")
    if part.on_chip_kib is not None:
        words.append(f"{part.on_chip_kib} KiB on chip")
    return ", ".join(words)


def _system(profile: DeviceProfile) -> str:
    system = profile.device.os
    words = [f"Android API {system.android_api}" if system.family == "android" else "Linux", system.abi]
    words += [f"glibc {system.glibc}"] if system.glibc else []
    words += [f"Python {system.python}"] if system.python else []
    return ", ".join(words)


def _runtime(name: str, version: str, note: str, *, compiled: bool) -> str:
    return f"{name} {version}{', CompiledModel' if compiled else ''}{f' ({note})' if note else ''}"


def _delegate(delegate: Delegate) -> str:
    words = [f"{delegate.name} on {delegate.accelerator}, rules {delegate.rules}"]
    words += [delegate.variant] if delegate.variant else []
    words += ["/".join(delegate.precision)]
    words += ["per-tensor weights only"] if delegate.weights == "per_tensor" else []
    words += [f"rank <= {delegate.max_rank}"] if delegate.max_rank else []
    words += [f"{delegate.parameter_cache_kib} KiB parameter cache"] if delegate.parameter_cache_kib else []
    words += [f"feature level {delegate.nnapi_feature_level}"] if delegate.nnapi_feature_level else []
    words += [delegate.library] if delegate.library else []
    return ", ".join(words) + (f" ({delegate.note})" if delegate.note else "")


def _sources(profile: DeviceProfile) -> list[str]:
    both = [(f"{key}", source) for key, source in profile.device.sources.items()]
    both += [(f"chip {key}", source) for key, source in profile.soc.sources.items()]
    return [f"  {'~' if source.estimated else ' '} {key}: {source.ref}" for key, source in both]


def _listing(label: str, items: Sequence[str]) -> list[str]:
    return [field(label if place == 0 else "", item) for place, item in enumerate(items or ["none"])]


def _memory(mib: int) -> str:
    return f"{mib / 1024:g} GiB" if mib >= 1024 else f"{mib} MiB"


def _words(key: str) -> str:
    return key.replace("_", " ").replace(" w", " W")
