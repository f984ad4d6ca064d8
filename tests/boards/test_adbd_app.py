"""The demo app driven over Android's real adb daemon, and what happens when the phone goes away in the middle.

The app is a script, and so are the package and the activity manager; all that lies between them and us is real.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.android.driving import Asked, Installed, benchmark, install
from edge_sdk.cli import cli
from edge_sdk.errors import DeviceError, DeviceLostError, TargetError
from tests.android.axml import write_apk
from tests.boards.adbd import SERIAL, Phone, adbd_is_made
from tests.boards.test_adbd import soon
from tests.devices.phone import result
from tests.devices.test_ssh import runs
from tests.graphs import conv_model

pytestmark = [
    pytest.mark.boards,
    pytest.mark.skipif(
        not (find_spec("openvino") and adbd_is_made() and os.geteuid() == 0),
        reason="make test-boards sets up adbd, and needs root for namespaces",
    ),
]
_PACKAGE = "dev.edgesdk.demo"
_LARGE = 150 << 20
# Starts an app that keeps a copy of the model it is given and, if there is a result to be had, writes it a while later.
_AM = f"""echo "$*" >> /data/am
[ "$1" = start ] || {{ rm -f /data/alive; exit 0; }}
for line; do :; done
for word in $line; do case $word in
  --out=*) out=/sdcard/Android/data/{_PACKAGE}/files/${{word#*=}} ;;
  --run-id=*) id=${{word#*=}} ;;
  --model=/*) cp "${{word#*=}}" /data/opened; stat -c %a "${{word#*=}}" > /data/mode ;;
esac; done
mkdir -p "${{out%/*}}"
touch /data/alive
setsid sh -c "sleep 0.3; [ ! -e /data/crashes ] || rm /data/alive
  [ ! -e /data/result ] || sed s/RUN-ID/$id/ /data/result > $out.part && mv $out.part $out" </dev/null >/dev/null 2>&1 &
echo Status: ok"""
_PM = """[ "$1" = path ] && [ -e /data/app.apk ] && echo package:/data/app.apk
[ "$1" = install ] || exit 0
for apk; do :; done
[ ! -e /data/hangs ] || sleep 302.5
[ ! -e /data/refuses ] || { cat /data/refuses; exit 1; }
cp "$apk" /data/app.apk && echo Success"""
# Half of a result, and then nothing.
_CAT = """case $1 in */edge-sdk-*.json) [ -e "$1" ] && head -c 200 "$1" && exec sleep 303.5; exit 1 ;; esac
exec /bin/cat "$@" """


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    """With the app on it, whose benchmark succeeds."""
    found = Phone(tmp_path / "phone")
    monkeypatch.setenv("PATH", f"{found.bin}:{os.environ['PATH']}")
    found.program("am", _AM)
    found.program("pm", _PM)
    found.program("pidof", "[ -e /data/alive ] && echo 4711")
    found.program("logcat", "echo 'F DEBUG   : signal 11 (SIGSEGV) in libGLES_mali.so'")
    (found.data / "app.apk").touch()
    (found.data / "result").write_text(json.dumps(result(uuid="RUN-ID")))
    yield found
    found.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file here."""
    path = tmp_path / "model.tflite"
    path.write_bytes(conv_model())
    return path


def left(phone: Phone) -> list[Path]:
    """What is still there, where we put things."""
    return [path for place in ("local", "media") for path in (phone.data / place).rglob("*") if path.is_file()]


def test_a_file_is_pushed_measured_and_removed(phone: Phone, model: Path, tmp_path: Path) -> None:
    done = _run("benchmark", str(model), "--delegate", "gpu", "--runs", "100", "-o", str(tmp_path / "r.json"))
    assert done.exit_code == 0, done.output
    assert "digits: gpu on gpu, p50 2 ms" in done.stdout
    told = json.loads((tmp_path / "r.json").read_text())
    assert f"--run-id={told['meta']['uuid']}" in (phone.data / "am").read_text()
    assert (phone.data / "opened").read_bytes() == model.read_bytes()
    assert (phone.data / "mode").read_text().strip() == "644", "the app's user is not the shell's"
    assert left(phone) == []


def test_an_app_that_a_driver_ends(phone: Phone, model: Path) -> None:
    (phone.data / "result").unlink()
    (phone.data / "crashes").touch()
    with pytest.raises(TargetError, match=r"ended without a result \(delegate gpu\): F DEBUG   : signal 11"):
        benchmark(Asked(str(model), delegate="gpu"))
    assert left(phone) == []


def test_no_result_in_time(phone: Phone, model: Path) -> None:
    (phone.data / "result").unlink()
    with pytest.raises(DeviceError, match=r"no result within 1 s"):
        benchmark(Asked(str(model)), timeout_s=1)
    assert (phone.data / "am").read_text().splitlines()[-1] == f"force-stop {_PACKAGE}"
    assert left(phone) == []


def test_a_phone_that_goes_while_the_app_measures(phone: Phone, model: Path, tmp_path: Path) -> None:
    """The model that it had been given, whole, stays on it: nothing else, and the next run takes that."""
    kept = (phone.data / "result").rename(phone.data / "later")
    soon(phone.die, (phone.data / "alive").exists)
    done = _run("benchmark", str(model), "-o", str(tmp_path / "r.json"))
    assert done.exit_code == 1
    # In the middle of a question, or between two of them.
    assert re.search(rf"error: adb://{SERIAL}(: the link was lost| is offline)", done.stderr)
    assert not (tmp_path / "r.json").exists()
    assert "Traceback" not in done.output
    kept.rename(phone.data / "result")
    phone.start()
    assert _run("benchmark", str(model), "-o", str(tmp_path / "r.json")).exit_code == 0
    assert [path.read_bytes() for path in left(phone)] == [model.read_bytes()]


def test_a_phone_that_goes_while_the_model_is_pushed(phone: Phone, tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    path.write_bytes(bytes(_LARGE))
    soon(phone.die, lambda: any(one.suffix == ".part" for one in left(phone)))
    with pytest.raises(DeviceLostError, match=r"the link was lost while large\.tflite was pushed"):
        benchmark(Asked(str(path)))
    assert not (phone.data / "am").exists()


def test_half_a_result_is_none(phone: Phone, model: Path) -> None:
    phone.program("cat", _CAT)
    soon(phone.die, lambda: runs("^sleep 303.5$"))
    with pytest.raises(DeviceLostError, match=r"the link was lost"):
        benchmark(Asked(str(model)))


def test_an_app_is_installed(phone: Phone, tmp_path: Path) -> None:
    apk = write_apk(tmp_path / "demo.apk", _PACKAGE, size_bytes=1 << 20)
    assert install(apk, serial=SERIAL) == Installed(f"adb://{SERIAL}", _PACKAGE, "")
    assert (phone.data / "app.apk").read_bytes() == apk.read_bytes()
    assert left(phone) == []


def test_a_phone_that_refuses_an_app(phone: Phone, tmp_path: Path) -> None:
    apk = write_apk(tmp_path / "demo.apk", _PACKAGE)
    (phone.data / "refuses").write_text("Failure [INSTALL_FAILED_UPDATE_INCOMPATIBLE: signatures do not match]\n")
    done = _run("install", str(apk))
    assert done.exit_code == 1
    assert "INSTALL_FAILED_UPDATE_INCOMPATIBLE" in done.stderr
    assert f"hint: it is installed with another key: `adb uninstall {_PACKAGE}` first" in done.stderr


def test_a_phone_that_goes_while_an_app_is_pushed(phone: Phone, tmp_path: Path) -> None:
    apk = write_apk(tmp_path / "demo.apk", _PACKAGE, size_bytes=_LARGE)
    soon(phone.die, lambda: any(one.suffix == ".apk" and one.stat().st_size for one in left(phone)))
    with pytest.raises(DeviceLostError, match=r"the link was lost while the app was installed"):
        install(apk)
    assert (phone.data / "app.apk").read_bytes() == b""


def test_a_phone_that_goes_while_it_installs(phone: Phone, tmp_path: Path) -> None:
    """Adb itself may say that all is well: only the package manager's own word counts."""
    (phone.data / "hangs").touch()
    soon(phone.die, lambda: runs("^sleep 302.5$"))
    with pytest.raises(DeviceLostError, match=r"the link was lost while the app was installed"):
        install(write_apk(tmp_path / "demo.apk", _PACKAGE))


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["android", *words])
