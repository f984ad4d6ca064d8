"""A phone that is a folder: a script in adb's place, with a phone's commands beside it and its files in the folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

# What adb does, as far as it is used: /sdcard and /data/local/tmp lie in the phone's folder.
_ADB = """#!{python}
import os, pathlib, shutil, subprocess, sys
phone = pathlib.Path({phone!r})
words = sys.argv[1:]
(phone / "heard").open("a").write(repr(words) + "\\n")
def here(text):
    return text.replace("/sdcard", f"{{phone}}/sdcard").replace("/data/local/tmp", f"{{phone}}/tmp")
if words[0] == "devices":
    print("List of devices attached\\n" + (phone / "devices").read_text())
    sys.exit(0)
words = words[2:]
if (phone / "dies-at").exists() and (phone / "dies-at").read_text() in " ".join(words):
    sys.exit(0)  # as adb does when its daemon dies
if words[0] == "shell":
    environment = dict(os.environ, PATH=f"{{phone}}/bin:" + os.environ["PATH"])
    sys.exit(subprocess.run(["setsid", "-w", "sh", "-c", here(words[-1])], env=environment).returncode)
if words[0] == "push":
    shutil.copy(words[1], here(words[2]))
if words[0] == "install":
    answer = phone / "install"
    sys.exit(print(answer.read_text(), file=sys.stderr) or 1) if answer.exists() else print("Success")
"""
_AM = """#!{python}
import json, pathlib, re, shlex, sys
phone = pathlib.Path({phone!r})
(phone / "am.new").write_text(json.dumps(sys.argv[1:]))
(phone / "am.new").rename(phone / "am")
if sys.argv[1] != "start":
    sys.exit(0)
asked = dict(re.findall(r"--([a-z-]+)=(\\S+)", sys.argv[-1]))
if (phone / "am-says").exists():
    print((phone / "am-says").read_text())
    sys.exit(0)
folder = phone / "sdcard/Android/data/dev.edgesdk.demo/files"
folder.mkdir(parents=True, exist_ok=True)
if "kernels" in asked:
    exec((phone / "times").read_text(), {"asked": asked, "folder": folder, "phone": phone})
    sys.exit(0)
if (phone / "result").exists():
    table = json.loads((phone / "result").read_text())
    if "meta" in table:
        table["meta"]["uuid"] = table["meta"]["uuid"] or asked["run-id"]
    (folder / asked["out"]).write_text(json.dumps(table))
"""

# What the app does with kernels; CalibrationWork.java. {only} is how many it comes to before it hangs, None for all.
_TIMES = """
import json, pathlib, zipfile
names = zipfile.ZipFile(asked["kernels"]).namelist()
only = {only}
lines = folder / (asked["out"] + ".lines")
with lines.open("w") as out:
    for name in names[:only]:
        us = {us}.get(name.partition(".")[0], 50.0)
        row = {{"name": name, "steps": 1, "took_us": [us + 0.01 * (n % 5) for n in range(200)],
               "warm_up": {{"detected": True, "queries": 30, "duration_ms": 160.0, "why": "it settled"}}}}
        out.write(json.dumps(row if us else {{"name": name, "refused": "no such op"}}) + "\\n")
if only is None:
    look = {look}
    (folder / asked["out"]).write_text(json.dumps({{
        "schema": "edge-sdk-android-calibration/1", "run_id": asked["run-id"], "engine": "tensorflow-lite {engine}",
        "threads": 1, "done": len(names), "wanted": len(names), "seconds": 1.5, "left_foreground": False,
        "environment_info": {{}}, "not_seen": ["time that other programs took"],
        "looks": [{{"at_s": 0.0, **look}}, {{"at_s": 1.0, **look}}]}}))
"""


class Phone:
    """A folder that stands for a phone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bin", "tmp", "sdcard"):
            (folder / name).mkdir(parents=True)
        self.write("devices", "S1 device product:p model:M\n")
        self.script("bin/getprop", "#!/bin/sh\ncat <<END\n[ro.build.version.sdk]: [34]\n[ro.product.model]: [M]\nEND\n")
        self.script("bin/pm", "#!/bin/sh\necho package:/data/app/base.apk\n")
        self.script("bin/pidof", f"#!/bin/sh\n[ -e {folder}/dead ] || echo 4711\n")
        self.script("bin/logcat", "#!/bin/sh\necho 'F DEBUG: signal 11 in libGLES_mali.so'\n")
        self.script("bin/am", _AM)
        self.script("adb/adb", _ADB)

    def write(self, name: str, text: str) -> None:
        """A file of the phone's."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def script(self, name: str, text: str) -> None:
        """A program of the phone's, or beside it."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{python}", sys.executable).replace("{phone!r}", repr(str(self.folder)))
                        .replace("{{", "{").replace("}}", "}"), encoding="utf-8")  # fmt: skip
        path.chmod(0o755)

    def times_kernels(
        self,
        us: dict[str, float] | None = None,
        *,
        only: int | None = None,
        look: dict[str, Any] | None = None,
        engine: str = "2.16.1",
    ) -> None:
        """As the app does: ``us`` by place in the archive, 0 for one that is refused."""
        text = _TIMES.format(us=us or {}, only=only, look=look or {"thermal_status": 0}, engine=engine)
        self.write("times", text.replace("\\\\n", "\\n"))

    def be_a_linux_board(self) -> None:
        """With adb's daemon, but nothing of Android."""
        (self.folder / "bin/getprop").unlink()
        (self.folder / "tmp").rmdir()

    def asked(self) -> list[str]:
        """The words that ``am`` got."""
        words: list[str] = json.loads((self.folder / "am").read_text())
        return words


def ready_phone(folder: Path, patch: pytest.MonkeyPatch) -> Phone:
    """``adb://S1``, with the app on it, whose benchmark succeeds."""
    found = Phone(folder)
    patch.setenv("PATH", str(found.folder / "adb"), prepend=":")
    patch.delenv("ANDROID_SERIAL", raising=False)
    found.write("result", json.dumps(result()))
    return found


def result(*, uuid: str = "", valid: bool = True) -> dict[str, Any]:
    """As the app writes it; tests/android/test_robolectric.py holds the app's own against the schema."""
    run = {
        "start_datetime": "2026-01-01T00:00:00+00:00",
        "measured_duration": 0.2,
        "measured_samples": 100,
        "throughput": {"value": 500.0},
        "loadgen_info": {
            "query_count": 100,
            "latency_mean": 0.002,
            "is_min_duration_met": True,
            "is_min_query_met": True,
            "is_result_valid": valid,
        },
        "latency_ms": {"mean": {"value": 2.0}, "p50": {"value": 2.0, "low": 1.9, "high": 2.1}, "min": 1.0, "max": 3.0,
                       "stddev": 0.1},
    }  # fmt: skip
    return {
        "schema": "edge-sdk-benchmark/1",
        "meta": {"uuid": uuid, "creation_date": "2026-01-01T00:00:00+00:00", "run_mode": "custom"},
        "build_info": {"app": "dev.edgesdk.demo", "version": "0.1.0", "kind": "android-app"},
        "environment_info": {"platform": "android", "os_version": "15 (API 35)", "model_name": "M", "arch": "arm64-v8a",
                             "cpus": 8},
        "results": [
            {
                "benchmark_id": "1",
                "benchmark_name": "digits",
                "loadgen_scenario": "SingleStream",
                "backend_settings": {"accelerator_code": "gpu", "delegate": "gpu", "framework": "TFLite",
                                     "model_path": "m", "model_sha256": "0" * 64, "model_bytes": 1, "batch_size": 1,
                                     "threads": 1},
                "backend_info": {"backend_name": "tensorflow-lite 2.16.1", "delegate_name": "gpu",
                                 "accelerator_name": "gpu"},
                "warm_up": {"detected": True, "queries": 30, "duration_ms": 60.0, "why": "it settled"},
                "performance_run": run,
                "validity": {"valid": valid, "reasons": [] if valid else [{"rule": "throttled", "message": "hot"}]},
                "min_duration": 0.0,
                "min_samples": 100,
            }
        ],
        "conditions": {"before": {"at_s": -1.0}, "during": [], "after": {"at_s": 0.2}},
    }  # fmt: skip
