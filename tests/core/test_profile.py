"""Device profiles: the built-in ones are whole, and a faulty one is told all its faults."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli import cli
from edge_sdk.errors import ProfileError, UnknownDeviceError
from edge_sdk.profile.detect import Machine, detect
from edge_sdk.profile.reading import find_profile, profile_aliases, profile_names, validate
from edge_sdk.profile.schema import FILES, json_schema, schema_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "device_profiles"
PIXEL = (FOLDER / "pixel-8.toml").read_text(encoding="utf-8")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["profiles", *map(str, arguments)], prog_name="edge-sdk")


@pytest.mark.parametrize("name", profile_names())
def test_built_in_profile_is_whole(name: str) -> None:
    profile = find_profile(name)
    assert profile.id == name
    assert profile.soc.cpu
    assert json.loads(json.dumps(profile.as_json()))["device"]["soc"] == profile.device.soc


def test_there_is_something_for_everyone() -> None:
    profiles = [find_profile(name) for name in profile_names()]
    assert len(profiles) >= 45
    assert {p.device.kind for p in profiles} == {"phone", "tablet", "board", "computer", "dongle", "generic"}
    assert {p.device.os.abi for p in profiles} == {"arm64-v8a", "armeabi-v7a", "x86_64"}
    assert {p.device.memory.page_size_kib for p in profiles} == {4, 16}


def test_every_chip_is_carried_by_a_device() -> None:
    carried = {find_profile(name).device.soc for name in profile_names()}
    assert {path.stem for path in (FOLDER / "socs").glob("*.toml")} == carried


@pytest.mark.parametrize("name", FILES)
def test_published_schema_is_that_of_the_records(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == schema_text(FILES[name])
    assert set(json_schema(FILES[name])["required"]) <= set(json_schema(FILES[name])["properties"])


def test_unknown_device_offers_the_nearest() -> None:
    with pytest.raises(UnknownDeviceError, match="unknown device `pixel8`, did you mean `pixel-8`"):
        find_profile("pixel8")


def faults(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    ((_, found),) = validate([path])
    return found


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("ram_mib = 8192", "ram_mb = 8192", "memory: unknown key `ram_mb`, did you mean `ram_mib`?"),
        ("ram_mib = 8192", 'ram_mib = "8GB"', "memory.ram_mib: expected int, got '8GB'"),
        ("ram_mib = 8192", "ram_mib = 8", "memory.process_mib: 2048 is more than ram_mib, 8"),
        ("page_size_kib = 4", "page_size_kib = 8", "memory.page_size_kib: `8` is not one of 4, 16"),
        ('kind = "phone"', 'kind = "phon"', "kind: `phon` is not one of"),
        ("year = 2023", "year = 23", "year: expected a year from 2007 on, got 23"),
        ('soc = "google-tensor-g3"', 'soc = "tensor-g3"', "soc: no chip `tensor-g3`, did you mean `google-tensor-g3`?"),
        ('rules = "gpu_v2"', 'rules = "gpu_v3"', "delegates[0].rules: no rule set `gpu_v3`, did you mean `gpu_v2`?"),
        ("nnapi_feature_level = 1000007\n", "", "delegates[1].nnapi_feature_level: missing for rules nnapi"),
        ("android_api = 34", "", "os.android_api: missing, and family is android"),
        ('abi = "arm64-v8a"', 'abi = "x86_64"', "os.abi: x86_64 does not run on aarch64"),
        ('vendor = "Google"', 'vendor = "Google"\nvendor = "G"', "not TOML: Cannot overwrite a value"),
        ("[sources]\nyear", "[sources]\nyeer", "sources: nothing for `year`"),
        ("[sources]\nyear", "[sources]\nyeer", "sources: unknown key `yeer`, did you mean `year`?"),
    ],
)
def test_fault_is_named_with_its_path(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert PIXEL.count(old) == 1
    found = faults(tmp_path, PIXEL.replace(old, new))
    assert [line for line in found if line.startswith(fault)], found


def test_all_faults_are_listed(tmp_path: Path) -> None:
    text = PIXEL.replace("ram_mib = 8192", "ram_gb = 8").replace('kind = "phone"', 'kind = "brick"')
    assert len(faults(tmp_path, text)) == 3
    with pytest.raises(ProfileError, match=r"kind: `brick` is not one of .*memory"):
        find_profile(tmp_path / "mine.toml")


def test_delegate_listed_twice(tmp_path: Path) -> None:
    xnnpack = PIXEL[PIXEL.rindex("[[delegates]]") : PIXEL.index("[sources]")]
    found = faults(tmp_path, PIXEL.replace("[sources]", xnnpack + "[sources]"))
    assert found == ("delegates[3]: xnnpack on cpu is listed twice",)


def test_a_users_own_chip_lies_beside_the_profile(tmp_path: Path) -> None:
    (tmp_path / "socs").mkdir()
    chip = (FOLDER / "socs" / "google-tensor-g3.toml").read_text(encoding="utf-8")
    (tmp_path / "socs" / "mine.toml").write_text(chip.replace("cores = 1", "cores = 0"), encoding="utf-8")
    text = PIXEL.replace('soc = "google-tensor-g3"', 'soc = "mine"')
    assert faults(tmp_path, text) == ("socs/mine.toml: cpu[0].cores: expected 1 or more, got 0",)
    (tmp_path / "socs" / "mine.toml").write_text(chip, encoding="utf-8")
    assert find_profile(tmp_path / "mine.toml").id == "mine"


def test_list_shows_what_was_asked_for() -> None:
    shown = json.loads(invoke("list", "--kind", "board", "--delegate", "ethos_u", "--json").stdout)["profiles"]
    assert [row["id"] for row in shown] == ["imx93"]
    assert len(invoke("list").stdout.splitlines()) == len(profile_names()) + 1


def test_list_does_without_numpy() -> None:
    script = (
        "import sys\nfrom edge_sdk.cli import cli\n"
        "try:\n    cli(['profiles', 'list'])\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_show_marks_what_is_estimated() -> None:
    text = invoke("show", "pixel-8").stdout
    assert "Google Tensor G3" in text
    assert re.search(r"^  ~ memory.process_mib: .*a quarter", text, re.MULTILINE)
    assert re.search(r"^    memory.ram_mib: ", text, re.MULTILINE)


def test_validate_lists_faults_and_says_so_in_its_exit_code(tmp_path: Path) -> None:
    assert invoke("validate").exit_code == 0
    (tmp_path / "a.toml").write_text(PIXEL.replace("ram_mib", "ram"), encoding="utf-8")
    (tmp_path / "b.toml").write_text(PIXEL, encoding="utf-8")
    result = invoke("validate", tmp_path)
    assert result.exit_code == 3
    assert "a.toml: memory: unknown key `ram`" in result.stdout
    assert "2 profiles, " in result.stdout.splitlines()[-1]
    assert invoke("validate", tmp_path / "absent.toml").exit_code == 1


CPUINFO = """processor\t: {n}
Features\t: fp asimd evtstrm {features}
CPU implementer\t: 0x41
CPU part\t: {part}
"""


@pytest.fixture
def board(tmp_path: Path) -> Machine:
    """A file system as an i.MX-like board of two kinds of cores shows it."""
    cores = [("0xd05", "atomics asimdhp asimddp")] * 4 + [("0xd08", "crc32")] * 2
    blocks = [CPUINFO.format(n=n, part=part, features=features) for n, (part, features) in enumerate(cores)]
    files = {
        "proc/cpuinfo": "\n".join(blocks),
        "proc/meminfo": "MemTotal:        2048000 kB\nMemFree: 1 kB\n",
        "sys/firmware/devicetree/base/model": "Acme Board v2\0",
        "sys/firmware/devicetree/base/compatible": "acme,board\0acme,chip9\0",
        "usr/lib/aarch64-linux-gnu/libvx_delegate.so": "",
        **{f"sys/devices/system/cpu/cpu{n}/cpufreq/cpuinfo_max_freq": "1800000\n" for n in range(6)},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return Machine(tmp_path, "aarch64", 16384, "2.36")


def test_detect_reads_what_the_machine_says(board: Machine) -> None:
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    draft = detect(board)
    device, soc = tomllib.loads(draft.device), tomllib.loads(draft.soc)
    assert draft.id == "acme-board-v2"
    assert device["memory"] == {"ram_mib": 2000, "process_mib": 1200, "page_size_kib": 16}
    assert [delegate["rules"] for delegate in device["delegates"]] == ["vx", "xnnpack"]
    assert "float16" not in device["delegates"][1]["precision"]
    assert soc["name"] == "acme,chip9"
    assert [(c["cores"], c["microarchitecture"], c["max_mhz"]) for c in soc["cpu"]] == [
        (4, "Cortex-A55", 1800),
        (2, "Cortex-A72", 1800),
    ]
    assert soc["cpu"][0]["isa"] == ["asimd", "lse", "fp16", "dotprod"]


def test_detected_draft_needs_only_what_could_not_be_found(board: Machine, tmp_path: Path) -> None:
    draft = detect(board)
    filled: dict[str, Any] = {"# year = 0 ": "year = 2024 ", '# power_class = "" ': 'power_class = "under_5_w" '}
    device, soc = draft.device, draft.soc
    for open_line, line in filled.items():
        device, soc = device.replace(open_line, line), soc.replace(open_line, line)
    device = device.replace("[sources]", '[sources]\nyear = { ref = "the box" }')
    soc = soc.replace("[sources]", '[sources]\nyear = { ref = "the box" }')
    if "[[runtimes]]\nname" not in device:
        device = device.replace("# [[runtimes]]", "[[runtimes]]").replace('# name = "ai', 'name = "ai')
        device = device.replace('# version = ""', 'version = "2.1.0"')
    out = tmp_path / "mine"
    (out / "socs").mkdir(parents=True)
    (out / "socs" / f"{draft.id}.toml").write_text(soc, encoding="utf-8")
    (out / f"{draft.id}.toml").write_text(device, encoding="utf-8")
    ((_, found),) = validate([out / f"{draft.id}.toml"])
    assert found == ()


def test_detect_writes_both_files(tmp_path: Path) -> None:
    result = invoke("detect", "-o", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.stderr
    files = json.loads(result.stdout)["files"]
    assert sorted(files) == sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.toml"))


def test_aliases_stand_for_ids_and_for_one_device_each() -> None:
    assert find_profile("pi4").id == "raspberry-pi-4"
    assert find_profile("rpi5").id == "raspberry-pi-5"
    assert find_profile("s24").id == "galaxy-s24"
    listed = [alias for name in profile_names() for alias in find_profile(name).device.aliases]
    assert len(set(listed)) == len(listed) == len(profile_aliases())
    assert not set(listed) & set(profile_names())


def test_unknown_device_is_told_a_near_alias() -> None:
    with pytest.raises(UnknownDeviceError, match="did you mean `rpi5`"):
        find_profile("rpi55")


def test_sources_can_be_followed_from_this_repository() -> None:
    """No source is a folder that only its author has; a path of this repository exists."""
    for file in sorted((ROOT / "device_profiles").rglob("*.toml")):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"research/|gathered for this project", text), file
        for path in re.findall(r"\b(?:tests|device_profiles)/[\w/.]+\w", text):
            assert (ROOT / path).exists(), f"{file}: {path}"
