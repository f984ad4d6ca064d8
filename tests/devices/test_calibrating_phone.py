"""``devices calibrate adb://SERIAL``: the demo app times an archive of kernels; unplugged, busy, another app."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk.android import calibrating
from edge_sdk.android.looking import Seen, Sight, conditions_of
from edge_sdk.checks.timing.predicting import Predictor
from edge_sdk.checks.timing.table import read_table
from edge_sdk.devices import open_device
from edge_sdk.errors import DeviceLostError, MeasurementError, ModelError
from edge_sdk.measure.calibration.kept import Kept
from edge_sdk.measure.calibration.kernels import Kernel, kernels
from edge_sdk.measure.validity import machine_reasons
from edge_sdk.profile.reading import find_profile
from tests.devices.phone import Phone
from tests.devices.ready import invoke

FEW = [one for one in kernels() if "pointwise 7x7x160" in one.id or one.id.startswith("plain int8 ADD 56")]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[Kernel]:
    """What there is to time."""
    monkeypatch.setattr(calibrating, "kernels", lambda: iter(FEW))
    monkeypatch.setattr(calibrating, "networks", lambda: iter(()))
    monkeypatch.setattr(calibrating, "_LOOK_S", 0.0)
    return FEW


def test_all_kernels_in_one_start_of_the_app(phone: Phone, tmp_path: Path, few: list[Kernel]) -> None:
    phone.times_kernels({"0002": 80.0})
    kept = tmp_path / "phone.json"
    done = invoke("devices", "calibrate", "adb://S1", "--threads", 4, "-o", kept)
    assert done.exit_code == 0, done.output
    table = read_table(kept)
    assert str(table.subject) == "M, tensorflow-lite 2.16.1, 4 threads"
    assert [one.id for one in table.timed] == [one.id for one in few]
    # The first is its own anchor at both ends, so that place 2 is the second kernel.
    assert [round(one.us) for one in table.timed] == [50, 80, *[50] * (len(few) - 2)]
    assert all(one.work for one in table.timed)
    assert "--threads=4" in phone.asked()[-1]
    assert (phone.folder / "heard").read_text().count("am start") == 1
    assert not list(phone.folder.glob("tmp/**/*.*"))
    assert not list(phone.folder.glob("sdcard/**/edge-sdk-*")), "nothing stays on the phone"
    assert not kept.with_name("phone.json.partial").exists()


def test_what_lies_in_the_archive_is_what_a_board_times(phone: Phone, few: list[Kernel]) -> None:
    phone.times_kernels()
    copied = "import shutil; shutil.copy(asked['kernels'], phone / 'zip')"
    phone.write("times", (phone.folder / "times").read_text() + copied)
    with open_device("adb://S1") as device:
        calibrating.calibrate_there(device, wanted=few)
    with zipfile.ZipFile(phone.folder / "zip") as archive:
        names = archive.namelist()
        assert archive.read(names[1]) == few[0].build()
    assert [name.endswith(".plain.tflite") for name in names] == [False, *(one.plain for one in few), False]


def test_unplugged_in_the_middle_and_gone_on_with(phone: Phone, tmp_path: Path, few: list[Kernel]) -> None:
    phone.times_kernels(only=4)
    partial = tmp_path / "p"

    def unplug(_: float) -> None:
        phone.write("dies-at", "tail -c")

    with open_device("adb://S1") as device, pytest.raises(DeviceLostError):
        calibrating.calibrate_there(device, kept=Kept(partial), wanted=few, sleep=unplug)
    assert [json.loads(line).get("id") for line in partial.read_text().splitlines()] == [None, *(k.id for k in few[:3])]
    (phone.folder / "dies-at").unlink()
    phone.times_kernels()
    with open_device("adb://S1") as device:
        table = calibrating.calibrate_there(device, kept=Kept(partial), wanted=few)
    assert [one.id for one in table.timed] == [one.id for one in few]
    last = Path(phone.folder, "heard").read_text()
    assert last.count("am start") == 2
    assert not partial.exists()
    phone.times_kernels(only=2)
    with open_device("adb://S1") as device, pytest.raises(DeviceLostError):
        calibrating.calibrate_there(device, kept=Kept(partial), wanted=few, sleep=unplug)
    (phone.folder / "dies-at").unlink()
    with open_device("adb://S1") as device, pytest.raises(MeasurementError, match="was begun on another device"):
        calibrating.calibrate_there(device, kept=Kept(partial), threads=2, wanted=few)


def test_a_hot_phone_is_invalid(phone: Phone, tmp_path: Path, few: list[Kernel]) -> None:
    phone.times_kernels(look={"thermal_status": 3})
    done = invoke("devices", "calibrate", "adb://S1", "-o", tmp_path / "phone.json")
    assert done.exit_code == 3, done.output
    assert "INVALID   thermal-status: Android's thermal status reached 3" in done.stdout


def test_one_that_moved_between_both_ends_is_invalid(phone: Phone, few: list[Kernel]) -> None:
    phone.times_kernels({f"{len(few) + 1:04}": 60.0})
    with open_device("adb://S1") as device:
        table = calibrating.calibrate_there(device, wanted=few)
    assert not table.valid
    assert table.reasons[0].startswith("drift: the same kernel took 50.0 us at the beginning and 60.0 us at the end")


def test_what_the_engine_refuses_is_told(phone: Phone, few: list[Kernel]) -> None:
    phone.times_kernels({"0003": 0.0})
    with open_device("adb://S1") as device:
        table = calibrating.calibrate_there(device, wanted=few)
    assert table.refused == {few[2].id: "no such op"}
    assert few[2].id not in {one.id for one in table.timed}


def test_another_app_is_refused(phone: Phone, few: list[Kernel]) -> None:
    phone.times_kernels(engine="2.17.0")
    done = invoke("devices", "calibrate", "adb://S1")
    assert done.exit_code == 1
    assert "the app there has tensorflow-lite 2.17.0, expected tensorflow-lite 2.16.1" in done.stderr
    done = invoke("devices", "calibrate", "adb://S1", "--engine", "ai-edge-litert")
    assert "on Android the demo app times kernels, with its own tensorflow-lite" in done.stderr


def test_an_app_that_dies_says_so(phone: Phone, few: list[Kernel]) -> None:
    phone.times_kernels(only=2)
    phone.write("dead", "")
    done = invoke("devices", "calibrate", "adb://S1")
    assert done.exit_code == 1
    assert "the app ended without a result" in done.stderr


def _sight(up_s: float, busy: int, own: int) -> Sight:
    words = " ".join(["S", *["0"] * 10, str(own), "0", *["0"] * 10])
    return Sight.of(f"{up_s} 1.0\n{1_700_000_000 + int(up_s)}\ncpu  {busy} 0 0 9 0 0 0 0 0 0\n4711 (a (b) c) {words}\n")


def test_what_other_programs_take_is_seen_by_the_shell() -> None:
    looks = [{"at_s": 0.0, "thermal_status": 0}, {"at_s": 1.0}, {"at_s": 3.0}]
    result = {"looks": looks, "not_seen": ["thermal headroom", "time that other programs took"]}
    quiet = conditions_of([Seen(result, [_sight(10, 0, 0), _sight(12, 210, 200), _sight(14, 420, 400)])], [])
    assert [look.load for look in (quiet.before, *quiet.during)] == [0.05, 0.05, 0.05]
    assert quiet.not_seen == ("thermal headroom",)
    assert not machine_reasons(quiet, cpus=8, sustained=False)
    busy = conditions_of([Seen(result, [_sight(10, 0, 0), _sight(12, 400, 200), _sight(14, 800, 400)])], [])
    (reason,) = machine_reasons(busy, cpus=8, sustained=False)
    assert reason.rule == "busy-machine"
    assert "other programs kept 1.00 CPUs busy, the limit is 0.40" in reason.message


def test_where_android_hides_it_that_is_told() -> None:
    hidden = Sight.of("10.5 1.0\n1700000000\n")
    found = conditions_of([Seen({"looks": [{"at_s": 0.0}], "not_seen": []}, [hidden, replace(hidden, up_s=12.0)])], [])
    assert found.not_seen == ("time that other programs took",)
    with pytest.raises(ModelError, match="clocks cannot be read"):
        Sight.of("")


def test_check_takes_the_table_of_a_phone(phone: Phone, few: list[Kernel]) -> None:
    from edge_sdk.checks.timing.table import check_belongs

    phone.times_kernels()
    with open_device("adb://S1") as device:
        table = calibrating.calibrate_there(device, wanted=few)
    arm = replace(table, subject=replace(table.subject, arch="aarch64"))
    check_belongs(arm, find_profile("pixel-8"), where="phone.json")
    with pytest.raises(MeasurementError, match="raspberry-pi-5 has"):
        check_belongs(arm, find_profile("raspberry-pi-5"), where="phone.json")
    with pytest.raises(MeasurementError, match="holds 0 networks"):
        Predictor(table)
