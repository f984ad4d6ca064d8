"""The state of this installation: engines, delegates, extras, conflicts, machine."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from edge_sdk.errors import MissingDependencyError
from edge_sdk.version import __version__

if TYPE_CHECKING:
    from edge_sdk.runtime.here import Here

_DISTRIBUTION = "edge-sdk"
# Names of distributions that install over the files of another.
_OVERWRITES = {
    "ai-edge-litert-nightly": "ai-edge-litert",
    "tf-nightly": "tensorflow",
    "tensorflow-cpu": "tensorflow",
    "tflite-runtime-nightly": "tflite-runtime",
    "keras-nightly": "keras",
}
# New names of distributions, either of which will do.
_RENAMED = {"ai-edge-quantizer": "litert-quantizer"}
_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "fphp", "atomics")


@dataclass(frozen=True)
class Extra:
    """One optional part: the packages it needs that are here (with versions), and those that are not."""

    name: str
    installed: dict[str, str]
    missing: tuple[str, ...]
    adds_bytes: int | None = None
    """On disk, with all that those bring along and that is not here; None where it was not measured."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True)
class Diagnosis:
    """Everything that `doctor` shows."""

    version: str
    python: str
    system: str
    cpu_flags: tuple[str, ...]
    engine: str | None
    engine_problem: str | None
    here: Here
    extras: tuple[Extra, ...]
    conflicts: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "steps": list(self.steps())}

    def text(self) -> str:
        """For a terminal."""
        engine = self.engine or f"none: {self.engine_problem}"
        lines = [
            f"edge-sdk {self.version} on Python {self.python}, {self.system}",
            f"  engine      {engine}",
            *(
                f"              {one.name}: {one.words}"
                for one in self.here.engines
                if f"{one.name} {one.words}" != engine
            ),
            f"  CPU         {', '.join(self.cpu_flags) or 'no known vector extension seen'}{self._lse()}",
            *self._memory(),
            *self._delegates(),
            "",
        ]
        for extra in self.extras:
            if extra.complete:
                lines.append(f"  [{extra.name}] complete")
            else:
                size = f", {_size(extra.adds_bytes)}" if extra.adds_bytes else ""
                lines.append(
                    f"  [{extra.name}] would add {', '.join(extra.missing)}{size}: pip install 'edge-sdk[{extra.name}]'"
                )
        if any(extra.adds_bytes for extra in self.extras):
            lines += ["", f"  {_sizes_words()}"]
        versions = {name: version for extra in self.extras for name, version in extra.installed.items()}
        lines += ["", "  installed: " + (", ".join(f"{n} {v}" for n, v in sorted(versions.items())) or "none of them")]
        lines.append("")
        lines += [f"  conflict: {conflict}" for conflict in self.conflicts] or ["  no conflicts found"]
        lines += ["", "what to do", *(f"  {step}" for step in self.steps())]
        return "\n".join(lines)

    def steps(self) -> tuple[str, ...]:
        """What to do next, the most pressing first."""
        return tuple(_steps(self))

    @property
    def _first(self) -> str:
        """The engine that is used, without its version."""
        return (self.engine or "").partition(" ")[0]

    def _lse(self) -> str:
        return "" if self.here.has_lse else "; without LSE, which LiteRT's CompiledModel dies of: no gpu, no npu"

    def _memory(self) -> Iterable[str]:
        free = sorted(self.here.free_bytes.items(), key=lambda item: item[1])
        for row, (name, count) in enumerate(free):
            yield f"  {'memory' if row == 0 else '':<11} {count / (1 << 20):.0f} MiB free by {name}"

    def _delegates(self) -> Iterable[str]:
        for row, one in enumerate(self.here.delegates):
            yield f"  {'delegates' if row == 0 else '':<11} {one.name}: {'' if one.present else 'no: '}{one.words}"


_SOURCES = (
    ("keras", "Keras and TensorFlow models"),
    ("torch", "PyTorch models"),
    ("onnx", "ONNX models"),
)
"""Extra to what it lets `convert` read."""


def _steps(found: Diagnosis) -> Iterable[str]:
    if found.conflicts:
        yield "end the conflicts above: a new environment with one extra is the shortest way"
    if found.engine is None:
        yield "install an engine to run models: pip install 'edge-sdk[runtime]'"
    extras = {extra.name: extra for extra in found.extras}
    for name, what in _SOURCES:
        if name in extras and not extras[name].complete:
            yield f"to convert {what}: pip install 'edge-sdk[{name}]'"
    ready = [what for name, what in _SOURCES if name in extras and extras[name].complete]
    if found.engine is not None and ready:
        yield f"ready to convert {', '.join(ready)}: edge-sdk convert MODEL; see it all at work: edge-sdk demo"
    yield "which device: edge-sdk profiles detect; will a file fit it: edge-sdk check FILE.tflite --profile ID"


def diagnose() -> Diagnosis:
    """Looks at this environment; imports nothing but engines."""
    from edge_sdk.runtime.here import look

    engine, problem = _engine()
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver()) or 'unknown libc'}",
        cpu_flags=_cpu_flags(),
        engine=engine,
        engine_problem=problem,
        here=look(),
        extras=tuple(_extras()),
        conflicts=tuple(_conflicts()),
    )


def _engine() -> tuple[str | None, str | None]:
    from edge_sdk.engines.installed import find_engine

    try:
        engine = find_engine()
    except MissingDependencyError as error:
        return None, f"{error}; {error.hint}"
    return f"{engine.name} {engine.version}", None


def _cpu_flags() -> tuple[str, ...]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    words = {word for line in text.splitlines() if line.startswith(("flags", "Features")) for word in line.split()}
    return tuple(flag for flag in _CPU_FLAGS if flag in words)


def added_text(extra: str) -> str:
    """How much an extra would put on this disk, in words; empty where it was not measured or nothing is missing."""
    count = _adds(extra, _sizes())
    return _size(count) if count else ""


def _sizes() -> dict[str, Any]:
    """``packages`` to bytes and ``extras`` to all packages they bring, as benchmarks/extras.py ``measured`` them."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("package_sizes.json").read_bytes())
    return found


def _sizes_words() -> str:
    told = _sizes()
    cuda = sum(count for name, count in told["packages"].items() if name.startswith(("nvidia-", "cuda-", "triton")))
    return (
        f"sizes are on disk, measured on {told['measured']}; {_size(cuda)} of [torch]'s are CUDA, which edge-sdk "
        "does not use: install PyTorch's build for CPUs first"
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


def _adds(extra: str, sizes: dict[str, Any]) -> int | None:
    names = sizes["extras"].get(extra)
    return None if names is None else sum(sizes["packages"][name] for name in names if not _version(name))


def _extras() -> Iterable[Extra]:
    sizes = _sizes()
    for name in metadata.metadata(_DISTRIBUTION).get_all("Provides-Extra") or []:
        wanted = sorted(_closure(name))
        found = dict(_here(package) for package in wanted)
        here = {package: version for package, version in found.items() if version}
        missing = tuple(package for package, version in found.items() if not version)
        yield Extra(name, here, missing, _adds(name, sizes) if missing else 0)


def _here(package: str) -> tuple[str, str | None]:
    """A package and its version; under its new name where that is the one installed."""
    version, renamed = _version(package), _RENAMED.get(package)
    newer = _version(renamed) if renamed and version is None else None
    return (renamed, newer) if renamed and newer else (package, version)


def _closure(extra: str) -> set[str]:
    """Packages an extra asks for by name, extras of ours within it resolved."""
    packages: set[str] = set()
    for requirement in _requirements(_DISTRIBUTION, extra):
        if canonicalize_name(requirement.name) == _DISTRIBUTION:
            for inner in requirement.extras:
                packages |= _closure(inner)
        else:
            packages.add(canonicalize_name(requirement.name))
    return packages


def _requirements(distribution: str, extra: str | None = None) -> Iterable[Requirement]:
    """Requirements that apply to this Python; of one extra, or those without an extra."""
    for text in metadata.requires(distribution) or []:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        plain = _applies(requirement, "")
        if plain if extra is None else not plain and _applies(requirement, extra):
            yield requirement


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _conflicts() -> Iterable[str]:
    """Packages that overwrite each other, and requirements that the installed versions do not meet."""
    for intruder, victim in _OVERWRITES.items():
        version = _version(intruder)
        if version and _version(victim):
            yield f"{intruder} {version} installs over the files of {victim}: uninstall both, install {victim}"
    ours: set[str] = set()
    for name in metadata.metadata(_DISTRIBUTION).get_all("Provides-Extra") or []:
        ours |= _closure(name)
    for package in sorted(ours | {_DISTRIBUTION}):
        if _version(package):
            yield from _unmet(package)


def _unmet(package: str) -> Iterable[str]:
    for requirement in _requirements(package):
        version = _version(requirement.name)
        if version is None:
            yield f"{package} {_version(package)} needs {requirement}, which is not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            yield f"{package} {_version(package)} needs {requirement}, but {version} is installed"
