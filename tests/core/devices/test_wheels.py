"""Which wheels fit a device's Python, and the reason for each that does not."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import edge_sdk
from edge_sdk.devices.identity import Libc
from edge_sdk.devices.interpreter import Python
from edge_sdk.devices.own_wheel import own_wheel
from edge_sdk.devices.wheels import Unfit, choose, platforms, read_wheels, supported_tags
from tests.devices.wheelhouse import make_wheel

PI = Python("python3", (3, 11, 2), "aarch64", Libc("glibc", (2, 31)), 28, "cpython", False, 4096, {})
ENGINE = "engine-2.0-cp311-cp311-manylinux_2_27_aarch64.whl"
LIBRARY = "engine/_core.so"


def reasons(folder: Path, python: Python = PI, requirement: str = "engine>=1") -> str:
    with pytest.raises(Unfit) as caught:
        choose([Requirement(requirement)], read_wheels(folder), python)
    return "; ".join(caught.value.reasons)


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("engine-2.0-cp312-cp312-manylinux_2_27_aarch64.whl", "is for cp312, and there is Python 3.11 (cp311)"),
        ("engine-2.0-cp311-cp311-manylinux_2_27_x86_64.whl", "is for manylinux_2_27_x86_64, and the CPU is aarch64"),
        ("engine-2.0-cp311-cp311-manylinux_2_34_aarch64.whl", "is for manylinux_2_34_aarch64, and there is glibc 2.31"),
        ("engine-2.0-cp311-cp311-musllinux_1_2_aarch64.whl", "is for musllinux_1_2_aarch64, and there is glibc 2.31"),
        ("engine-0.5-py3-none-any.whl", "is version 0.5, and >=1 is needed"),
    ],
)
def test_a_wheel_of_another_kind(tmp_path: Path, filename: str, reason: str) -> None:
    make_wheel(tmp_path, filename)
    assert reasons(tmp_path) == f"{filename}: {reason}"


@pytest.mark.parametrize(
    ("symbols", "reason"),
    [
        (b"\0GLIBC_2.17\0GLIBC_2.34\0", "its libraries need glibc 2.34, and there is glibc 2.31"),
        (b"GLIBCXX_3.4.30\0", "its libraries need libstdc++ with GLIBCXX_3.4.30, and there is GLIBCXX_3.4.28"),
    ],
)
def test_a_wheel_whose_tag_promises_too_much(tmp_path: Path, symbols: bytes, reason: str) -> None:
    """As LiteRT's for aarch64 from 2.1.2 on do."""
    make_wheel(tmp_path, ENGINE, files={LIBRARY: symbols})
    assert reasons(tmp_path) == f"{ENGINE}: {reason}"


def test_no_cpp_library_there(tmp_path: Path) -> None:
    make_wheel(tmp_path, ENGINE, files={LIBRARY: b"GLIBCXX_3.4.9"})
    assert reasons(tmp_path, replace(PI, glibcxx=None)).endswith("and there is no libstdc++.so.6")


def test_the_newest_that_fits(tmp_path: Path) -> None:
    make_wheel(tmp_path, ENGINE, files={LIBRARY: b"GLIBC_2.34"})
    make_wheel(tmp_path, ENGINE.replace("2.0", "1.9"), files={LIBRARY: b"GLIBC_2.27"})
    make_wheel(tmp_path, ENGINE.replace("2.0", "1.8"), files={LIBRARY: b"GLIBC_2.27"})
    found = choose([Requirement("engine")], read_wheels(tmp_path), PI)
    assert [str(one.version) for one in found.wheels] == ["1.9"]
    assert found.refused == (f"{ENGINE}: its libraries need glibc 2.34, and there is glibc 2.31",)


def test_markers_are_the_devices_and_not_ours(tmp_path: Path) -> None:
    needs = ("old; python_version < '3.11'", "arm; platform_machine == 'aarch64'", "extra-only; extra == 'x'")
    make_wheel(tmp_path, ENGINE, requires=needs)
    make_wheel(tmp_path, "old-1.0-py3-none-any.whl")
    make_wheel(tmp_path, "arm-1.0-py3-none-any.whl")
    wheels = read_wheels(tmp_path)
    assert {one.name for one in choose([Requirement("engine")], wheels, PI).wheels} == {"engine", "arm"}
    older = replace(PI, version=(3, 10, 4))
    make_wheel(tmp_path, ENGINE.replace("cp311", "cp310"), requires=needs)
    found = choose([Requirement("engine")], read_wheels(tmp_path), older)
    assert {one.name for one in found.wheels} == {"engine", "arm", "old"}


def test_limits_of_one_wheel_hold_for_another(tmp_path: Path) -> None:
    make_wheel(tmp_path, ENGINE, requires=("numbers<2",))
    for version in ("1.5", "2.0"):
        make_wheel(tmp_path, f"numbers-{version}-py3-none-any.whl")
    found = choose([Requirement("numbers>=1"), Requirement("engine")], read_wheels(tmp_path), PI)
    assert sorted(one.path.name for one in found.wheels) == [ENGINE, "numbers-1.5-py3-none-any.whl"]


def test_what_the_device_has_stands_in_where_no_wheel_does(tmp_path: Path) -> None:
    make_wheel(tmp_path, ENGINE, requires=("numpy>=1.20",))
    there = replace(PI, packages={"NumPy": "1.24.2"})
    assert choose([Requirement("engine")], read_wheels(tmp_path), there).own == {"numpy": "1.24.2"}
    with pytest.raises(Unfit, match="numpy"):
        choose([Requirement("engine")], read_wheels(tmp_path), replace(PI, packages={"numpy": "1.19"}))


def test_platforms() -> None:
    assert platforms(PI)[:2] == ("manylinux_2_31_aarch64", "manylinux_2_30_aarch64")
    assert platforms(PI)[-3:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64")
    alpine = replace(PI, libc=Libc("musl", (1, 2)))
    assert platforms(alpine) == (
        "musllinux_1_2_aarch64",
        "musllinux_1_1_aarch64",
        "musllinux_1_0_aarch64",
        "linux_aarch64",
    )
    free = replace(PI, version=(3, 13, 0), free_threaded=True)
    abis = {tag.abi for tag in supported_tags(free)}
    assert "cp313t" in abis
    assert not abis & {"cp313", "abi3"}


def test_our_own_wheel_is_whole_and_always_the_same(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first, second = own_wheel(tmp_path / "a"), own_wheel(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    (wheel,) = read_wheels(tmp_path / "a")
    assert (wheel.name, str(wheel.version)) == ("edge-sdk", edge_sdk.__version__)
    assert any(one.name == "numpy" for one in wheel.requires)
    names = set(zipfile.ZipFile(first).namelist())
    root = Path(edge_sdk.__file__).parent
    assert {"edge_sdk/py.typed", "edge_sdk/device_profiles/pixel-8.toml", "edge_sdk/converters/__init__.py"} <= names
    assert {f"edge_sdk/{path.name}" for path in root.glob("*.py")} <= names
    assert not [name for name in names if "__pycache__" in name]
