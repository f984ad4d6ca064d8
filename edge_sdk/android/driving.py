"""The demo app on a phone, over the user's adb: installed, started without hands, its result brought back whole."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from edge_sdk.android.apk import Apk
from edge_sdk.android.properties import AppProperties, project, read_properties
from edge_sdk.devices.adb import Adb
from edge_sdk.devices.device import Device
from edge_sdk.devices.link import Link
from edge_sdk.errors import DeviceError, EdgeSdkError, ModelError, RecipeError, TargetError
from edge_sdk.measure.records import Benchmark
from edge_sdk.measure.schema import read_benchmark
from edge_sdk.progress import Progress, Silent

CARRIED: Final = "app:"
"""Before the name of a model that the app carries."""
ERROR_SCHEMA: Final = "edge-sdk-benchmark-error/1"
_ACTIVITY: Final = "dev.edgesdk.demo.HeadlessActivity"
_ANSWER_S: Final = 60.0
# What the package manager answers, and what to do about it.
_HINTS: Final = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": "it is installed with another key: `adb uninstall {package}` first",
    "INSTALL_FAILED_VERSION_DOWNGRADE": "a newer version is installed: `adb uninstall {package}` first",
    "INSTALL_FAILED_NO_MATCHING_ABIS": "build it for this device: `edge-sdk android build --abi ...`",
    "INSTALL_FAILED_OLDER_SDK": "this Android is older than the app's first version",
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": "free some storage on the device",
    "INSTALL_FAILED_USER_RESTRICTED": "allow installing over USB in the device's developer options",
}


@dataclass(frozen=True)
class Installed:
    """An app on a device."""

    address: str
    package: str
    version_name: str

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Asked:
    """What a benchmark is to do; None leaves it to the app.

    Attributes:
        model: ``app:NAME`` for one that the app carries, else a file here.
        delegate: ``auto`` or its name.
        delegate_options: such as ``precision=float32``.
        threads: on the CPU.
        runs: at least so many; with ``seconds`` instead of a mode.
        seconds: at least so long.
        warm_up: runs before; None until latency has settled.
        mode: ``quick`` or ``quotable``.
        policy: in the words of POLICY.md.
        variant: of a bundle.
    """

    model: str
    delegate: str = "auto"
    delegate_options: tuple[str, ...] = ()
    threads: int = 1
    runs: int | None = None
    seconds: float | None = None
    warm_up: int | None = None
    mode: str | None = None
    policy: str | None = None
    variant: str | None = None

    def arguments(self, model: str, out: str, run_id: str) -> str:
        """The line that the app reads; a word with blanks is quoted."""
        flags: Mapping[str, Any] = {
            "model": model,
            "delegate": self.delegate,
            "threads": self.threads,
            "runs": self.runs,
            "seconds": self.seconds,
            "warm-up": self.warm_up,
            "mode": self.mode,
            "policy": self.policy,
            "variant": self.variant,
            "out": out,
            "run-id": run_id,
        }
        words = [f"--{name}={value}" for name, value in flags.items() if value is not None]
        words += [f"--delegate-option={one}" for one in self.delegate_options]
        return " ".join(f'"{word}"' if re.search(r"\s", word) else word for word in words)


def install(apk: Path, *, serial: str = "", progress: Progress | None = None) -> Installed:
    """Installs an APK, over an older one if there is one.

    Raises:
        ModelError: not an APK.
        DeviceError: no device, several and no serial, one that is not ready, or it refuses the app; says why.
        DeviceLostError: the link ended in the middle.
    """
    manifest = Apk(apk).manifest
    link = Adb(serial)
    (progress or Silent()).stage(f"install {manifest.package} on {link.address}")
    try:
        # Over one that is there; -t lets an app in that is marked for tests only.
        done = link.run_adb("install", "-r", "-t", str(apk), doing="while the app was installed")
    except DeviceError as error:
        raise _refused(error, link, manifest.package) from error
    if "Success" not in done.text:
        raise link.lost("while the app was installed: the device did not say that it was")
    return Installed(link.address, manifest.package, manifest.version_name)


def benchmark(
    asked: Asked,
    *,
    serial: str = "",
    timeout_s: float = 1800.0,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Benchmark:
    """Runs the app's benchmark, and waits for its result.

    A file here is pushed by its hash and removed afterwards. The result counts only if it came whole, and carries this
    run's id.

    Raises:
        TargetError: the app is not installed, or says why it has no result, or died.
        DeviceError: see :func:`install`; or no result in time.
        DeviceLostError: the link ended in the middle.
        ModelError: the file is absent, or the result is not in the form of the schema.
    """
    _check_model(asked.model)
    with Device(Adb(serial)) as device:
        (progress or Silent()).stage(f"benchmark on {device.address}")
        return benchmark_there(device, asked, timeout_s=timeout_s, sleep=sleep)


def benchmark_there(
    device: Device, asked: Asked, *, timeout_s: float = 1800.0, sleep: Callable[[float], None] = time.sleep
) -> Benchmark:
    """The same on a device that is open already."""
    _check_model(asked.model)
    run = AppRun(device.link, read_properties(project()), asked)
    run.see_installed()
    model = asked.model if asked.model.startswith(CARRIED) else run.push(device, Path(asked.model))
    return run.measured(model, timeout_s, sleep)


class Told(Protocol):
    """What the app is asked for, as the line that it reads."""

    @property
    def delegate(self) -> str:
        """For messages."""

    def arguments(self, model: str, out: str, run_id: str) -> str:
        """The line."""


class AppRun:
    """One start of the app.

    Args:
        link: to the device.
        app: which app.
        asked: of it.
    """

    def __init__(self, link: Link, app: AppProperties, asked: Told) -> None:
        self.link, self.asked, self.package = link, asked, app.application_id
        self.run_id = secrets.token_hex(8)
        self.name = f"edge-sdk-{self.run_id}.json"
        self.path = f"/sdcard/Android/data/{self.package}/files/{self.name}"

    def see_installed(self) -> None:
        """Raises TargetError where it is not."""
        done = self.link.shell(f"pm path {shlex.quote(self.package)}", timeout_s=_ANSWER_S)
        if "package:" not in done.text:
            raise TargetError(
                f"{self.link.address}: {self.package} is not installed",
                hint="edge-sdk android build -o demo.apk, then edge-sdk android install demo.apk",
            )

    def push(self, device: Device, path: Path) -> str:
        """To where the app can read it: that is the app's user, not the shell's."""
        target = device.push(path)
        home = shlex.quote(self.link.home)
        self._do(f"chmod 755 {home} {home}/files && chmod 644 {shlex.quote(target)}", "make the model readable")
        return target

    def start(self, model: str) -> None:
        """Returns once Android has started it."""
        words = ["am", "start", "-W", "-S", "-n", f"{self.package}/{_ACTIVITY}", "--es", "args"]
        line = self.asked.arguments(model, self.name, self.run_id)
        done = self._do(shlex.join([*words, line]), "start the app")
        # `am` says Error, and exits with 0 or 1 depending on its version.
        fault = re.search(r"^(?:Error|Exception|java\.).*", done, re.MULTILINE)
        if fault:
            raise TargetError(
                f"{self.link.address}: the app does not start: {fault[0]}",
                hint="is it the app that this edge-sdk builds?",
            )

    def measured(self, model: str, timeout_s: float, sleep: Callable[[float], None]) -> Benchmark:
        """The benchmark's result."""
        with self.started(model):
            return self._awaited(timeout_s, sleep)

    @contextlib.contextmanager
    def started(self, model: str, *others: str) -> Iterator[None]:
        """Started, and cleaned up behind; ``others`` are files beside the result."""
        try:
            self.start(model)
            yield
        except BaseException:
            # Nobody waits for what it would measure on.
            self._clean(f"am force-stop {self.package}")
            raise
        finally:
            self._clean(f"rm -f {shlex.join([self.path, *others])}")

    def _awaited(self, timeout_s: float, sleep: Callable[[float], None]) -> Benchmark:
        end, pause = time.monotonic() + timeout_s, 0.25
        while True:
            # Asked in this order: an app that ends between the two questions has written its result by then.
            alive = bool(self.link.shell(f"pidof {self.package}", timeout_s=_ANSWER_S).text.strip())
            found = self.link.shell(f"cat {shlex.quote(self.path)}", timeout_s=_ANSWER_S)
            if found.status == 0:
                return self._read(found.text)
            if not alive:
                raise self.died()
            if time.monotonic() > end:
                raise DeviceError(f"{self.link.address}: no result within {timeout_s:g} s", address=self.link.address)
            sleep(pause)
            pause = min(2.0, 2 * pause)

    def answer(self, text: str) -> dict[str, Any]:
        """Its result's JSON.

        Raises:
            TargetError: the app says why there is none.
            ModelError: it is not JSON.
        """
        try:
            table: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise ModelError(f"{self.link.address}: the app's result is not JSON: {error}") from error
        if table.get("schema") == ERROR_SCHEMA:
            raise TargetError(
                f"{self.link.address}: {table.get('error')}: {table.get('message')}", hint=table.get("hint")
            )
        return table

    def _read(self, text: str) -> Benchmark:
        result = read_benchmark(self.answer(text), self.link.address)
        if result.meta.uuid != self.run_id:
            raise ModelError(f"{self.link.address}: the result is of run {result.meta.uuid}, expected {self.run_id}")
        return result

    def died(self) -> TargetError:
        """A driver that crashes takes the app with it; the log knows more."""
        log = self.link.shell("logcat -d -t 200 -b crash,main -s AndroidRuntime:E DEBUG:F edge-sdk:V libc:F")
        lines = [line.strip() for line in log.text.splitlines() if line.strip() and not line.startswith("---")]
        said = f": {lines[-1]}" if lines else ""
        delegate = self.asked.delegate
        return TargetError(
            f"{self.link.address}: the app ended without a result (delegate {delegate}){said}",
            hint="a GPU or NPU driver may have crashed: try --delegate xnnpack; `adb logcat -b crash` has all of it",
        )

    def _clean(self, script: str) -> None:
        # If the device is gone, what ended the run says so.
        with contextlib.suppress(EdgeSdkError):
            self.link.shell(script, timeout_s=_ANSWER_S, cleaning=True)

    def _do(self, script: str, what: str) -> str:
        done = self.link.shell(script, timeout_s=_ANSWER_S)
        if done.status:
            why = done.last_line or done.text.strip().rpartition("\n")[2] or f"exit status {done.status}"
            raise DeviceError(f"{self.link.address}: cannot {what}: {why}", address=self.link.address)
        text: str = done.text
        return text


def _check_model(model: str) -> None:
    if model.startswith(CARRIED):
        return
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"{model}: there is no such file", hint=f"{CARRIED}NAME names a model that the app carries")
    if path.suffix not in (".edge", ".tflite"):
        raise RecipeError(f"{model}: expected an .edge bundle or a .tflite file")


def _refused(error: DeviceError, link: Adb, package: str) -> DeviceError:
    hints = [hint for code, hint in _HINTS.items() if code in str(error)]
    if not hints:
        return error
    return type(error)(str(error), address=link.address, hint=hints[0].format(package=package))


def listing(options: Sequence[str]) -> tuple[str, ...]:
    """Delegate options as the app takes them.

    Raises:
        RecipeError: one is not KEY=VALUE.
    """
    for option in options:
        if not re.fullmatch(r"[a-z_]+=\S+", option):
            raise RecipeError(f"--delegate-option {option}: expected KEY=VALUE, such as precision=float32")
    return tuple(options)
