"""What a profile's types cannot say: sources for every number, and fields that must agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edge_sdk.errors import nearest
from edge_sdk.profile.records import DEVICE_SOURCES, ETHOS_U_VARIANTS, SOC_SOURCES, Delegate, Device, Soc, Source
from edge_sdk.profile.rule_sets import rule_set_names

_FIRST_YEAR = 2007


def device_faults(device: Device) -> list[str]:
    """Faults of a device file, each with its path."""
    return [
        *_source_faults(device.sources, DEVICE_SOURCES, DEVICE_SOURCES),
        *_year(device.year),
        *_memory(device),
        *_os(device),
        *_delegates(device.delegates),
    ]


def soc_faults(soc: Soc) -> list[str]:
    """Faults of a chip file, each with its path."""
    parts = {"gpu": soc.gpu, "npu": soc.npu, "dsp": soc.dsp}
    needed = [key for key in SOC_SOURCES if parts.get(key, soc) is not None]
    faults = [*_source_faults(soc.sources, needed, SOC_SOURCES), *_year(soc.year)]
    if not soc.cpu:
        faults.append("cpu: no cluster")
    for place, cluster in enumerate(soc.cpu):
        faults += [f"cpu[{place}].cores: expected 1 or more, got {cluster.cores}"] if cluster.cores < 1 else []
        faults += [f"cpu[{place}].max_mhz: expected MHz, got {cluster.max_mhz}"] if cluster.max_mhz < 100 else []
    return faults


def _source_faults(sources: Mapping[str, Source], needed: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for key in needed:
        if key not in sources:
            yield f"sources: nothing for `{key}`; say where it was read, or how it was estimated"
    for key, source in sources.items():
        if key not in known:
            yield f"sources: unknown key `{key}`{nearest(key, known)}"
        if not source.ref.strip():
            yield f"sources.{key}.ref: empty"


def _year(year: int) -> list[str]:
    return [] if year >= _FIRST_YEAR else [f"year: expected a year from {_FIRST_YEAR} on, got {year}"]


def _memory(device: Device) -> Iterator[str]:
    memory = device.memory
    for key, value in (("ram_mib", memory.ram_mib), ("process_mib", memory.process_mib)):
        if value < 1:
            yield f"memory.{key}: expected MiB, got {value}"
    if memory.process_mib > memory.ram_mib:
        yield f"memory.process_mib: {memory.process_mib} is more than ram_mib, {memory.ram_mib}"


def _os(device: Device) -> Iterator[str]:
    system = device.os
    if system.family == "android" and system.android_api is None:
        yield "os.android_api: missing, and family is android"
    if system.family == "linux" and system.glibc is None:
        yield "os.glibc: missing, and family is linux"
    if system.family == "linux" and system.android_api is not None:
        yield "os.android_api: family is linux"


def _delegates(delegates: tuple[Delegate, ...]) -> Iterator[str]:
    seen = set()
    for place, delegate in enumerate(delegates):
        if delegate.rules not in rule_set_names():
            yield f"delegates[{place}].rules: no rule set `{delegate.rules}`{nearest(delegate.rules, rule_set_names())}"
        key = (delegate.rules, delegate.accelerator)
        if key in seen:
            yield f"delegates[{place}]: {delegate.rules} on {delegate.accelerator} is listed twice"
        seen.add(key)
        for needs, value in (
            ("nnapi_feature_level", delegate.nnapi_feature_level),
            ("parameter_cache_kib", delegate.parameter_cache_kib),
        ):
            if (_NEEDED.get(delegate.rules) == needs) != (value is not None):
                verb = "missing for" if value is None else "has no meaning for"
                yield f"delegates[{place}].{needs}: {verb} rules {delegate.rules}"
        yield from (f"delegates[{place}].variant: {fault}" for fault in _ethos_u_variant(delegate))
        if (delegate.name == "external") != (delegate.library is not None):
            yield f"delegates[{place}].library: what an external delegate is loaded from, and only that"


def _ethos_u_variant(delegate: Delegate) -> Iterator[str]:
    families = {"ethos_u": ("ethos-u55-", "ethos-u65-"), "ethos_u85": ("ethos-u85-",)}
    if delegate.rules not in families:
        return
    known = [name for name in ETHOS_U_VARIANTS if name.startswith(families[delegate.rules])]
    if delegate.variant is None:
        yield f"missing for rules {delegate.rules} (such as {known[-1]})"
    elif delegate.variant not in known:
        yield f"rules {delegate.rules} know no `{delegate.variant}`{nearest(delegate.variant, known)}"


_NEEDED = {"nnapi": "nnapi_feature_level", "edgetpu": "parameter_cache_kib"}
