"""The memory guard: limits read from files of every kind of kernel, and a real control group that would kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.engines.source import source_of
from edge_sdk.errors import TargetError
from edge_sdk.runtime import MemoryBudget
from edge_sdk.runtime.memory import Limit, Need, check_free, limits, predicted_need
from edge_sdk.runtime.selftest import trial_bytes
from tests.graphs import Graph, conv_model, options

MIB = 1 << 20
NEED = Need(arena_bytes=3 * MIB, packed_bytes=2 * MIB, copied_bytes=0, trial_bytes=0)
MEMINFO = "MemTotal:       8000000 kB\nMemFree:         100000 kB\nMemAvailable:    2048000 kB\n"


def system(root: Path, files: dict[str, str]) -> Path:
    """A root of a file system with these files; all processes' own ulimit and size are not in it."""
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"


def test_machine_without_groups_is_bounded_by_what_is_available(tmp_path: Path) -> None:
    assert list(limits(system(tmp_path, {}))) == [Limit("MemAvailable", 2048000 * 1024)]


def test_nothing_to_read_bounds_nothing(tmp_path: Path) -> None:
    assert list(limits(tmp_path)) == []
    assert check_free(NEED, name="m", root=tmp_path) is None


def test_cgroup_v2_counts_all_groups_above_and_gives_back_file_pages(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/app/worker\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/app/memory.max": f"{100 * MIB}\n",
            "sys/fs/cgroup/app/memory.current": f"{90 * MIB}\n",
            "sys/fs/cgroup/app/memory.stat": f"anon 1\ninactive_file {20 * MIB}\nactive_file 5\n",
            "sys/fs/cgroup/app/worker/memory.max": "max\n",
            "sys/fs/cgroup/app/worker/memory.current": f"{MIB}\n",
        },
    )
    assert Limit("/sys/fs/cgroup/app/memory.max", 30 * MIB) in list(limits(root))
    assert check_free(NEED, name="m", root=root) == Limit("/sys/fs/cgroup/app/memory.max", 30 * MIB)


def test_cgroup_v1_and_its_huge_number_for_no_limit(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/box\n0::/\n",
            "proc/self/mountinfo": V1_MOUNT,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{8 * MIB}\n",
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes": f"{4 * MIB}\n",
            "sys/fs/cgroup/memory/box/memory.stat": f"total_inactive_file {MIB // 2}\n",
        },
    )
    name = "/sys/fs/cgroup/memory/box/memory.limit_in_bytes"
    assert [one for one in limits(root) if one.name != "MemAvailable"] == [Limit(name, 4 * MIB + MIB // 2)]
    with pytest.raises(TargetError) as caught:
        check_free(NEED, name="big.tflite", root=root)
    expected = (
        f"big.tflite needs at least 5.0 MiB (predicted: arena 3.0 MiB, packed weights 2.0 MiB), {name} leaves 4.5 MiB"
    )
    assert str(caught.value) == expected
    assert (caught.value.limit, caught.value.needed, caught.value.available) == (name, 5 * MIB, 4 * MIB + MIB // 2)


def test_container_sees_its_own_part_of_the_tree(tmp_path: Path) -> None:
    """In a container the mount shows the group of the container as its root, and cgroup names the whole path."""
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/docker/abc/app\n",
            "proc/self/mountinfo": V2_MOUNT.replace("0:26 / ", "0:26 /docker/abc "),
            "sys/fs/cgroup/app/memory.max": f"{50 * MIB}",
            "sys/fs/cgroup/app/memory.current": f"{10 * MIB}",
        },
    )
    assert Limit("/sys/fs/cgroup/app/memory.max", 40 * MIB) in list(limits(root))


def test_need_counts_packed_weights_and_copies() -> None:
    model = source_of(conv_model(), name="m")
    plain, packed = (predicted_need(model, delegate=name, trial_bytes=0) for name in ("cpu", "xnnpack"))
    assert plain.copied_bytes == len(model.content)
    assert packed.packed_bytes == model.artifact.weights_bytes
    assert plain.packed_bytes == plain.trial_bytes == 0
    # Two cases of image and scores, and the image once more while it is drawn in float64.
    trial = trial_bytes(model.artifact)
    assert trial == 4 * (2 * (8 * 8 * 3 + 5) + 2 * 8 * 8 * 3)
    assert plain.arena_bytes >= 4 * (8 * 8 * 3 + 8 * 8 * 4)


def test_budget_is_shared_and_given_back() -> None:
    budget = MemoryBudget(10 * MIB)
    first = budget.take("a", 6 * MIB)
    with pytest.raises(TargetError, match=r"b needs at least 5.0 MiB .* has 4.0 MiB left \(held by a 6.0 MiB\)"):
        budget.take("b", 5 * MIB)
    budget.give_back(first)
    budget.give_back(first)
    assert budget.free_bytes == 10 * MIB


@pytest.mark.runtime
def test_sessions_hold_the_budget_until_they_close(tflite: Path) -> None:
    from edge_sdk import Session

    probe = Session.open(tflite)
    need = probe.receipt.opening.need.total_bytes
    probe.close()
    budget = MemoryBudget(2 * need)
    first, second = Session.open(tflite, budget=budget), Session.open(tflite, budget=budget)
    assert budget.free_bytes == 0
    with pytest.raises(TargetError, match="memory budget"):
        Session.open(tflite, budget=budget)
    second.close()
    assert budget.free_bytes == need
    third = Session.open(tflite, budget=budget)
    for session in (first, third):
        session.close()
        session.close()
    assert budget.free_bytes == 2 * need


@pytest.mark.runtime
def test_failed_opening_gives_its_budget_back(tflite: Path) -> None:
    from edge_sdk import Session
    from edge_sdk.errors import DelegateUnavailableError

    budget = MemoryBudget(100 * MIB)
    with pytest.raises(DelegateUnavailableError):
        Session.open(tflite, delegate=("xnnpack", "xnnpack"), policy="min_sqnr_db=500", budget=budget)
    assert budget.free_bytes == 100 * MIB


def hungry_model(mib: int) -> bytes:
    """``x -> ADD -> y`` with values of so many MiB; both live at once."""
    graph = Graph()
    x, y, z = (graph.tensor(name, (1, mib * MIB // 4)) for name in "xyz")
    graph.op("ADD", (x, x), (y,), options("AddOptions"))
    graph.op("ADD", (y, x), (z,), options("AddOptions"))
    return graph.finish((x,), (z,))


GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.mark.runtime
@pytest.mark.skipif(not os.access(GROUPS / "cgroup.procs", os.W_OK), reason="needs cgroup v1 memory and root")
def test_real_group_refuses_instead_of_being_killed(tmp_path: Path) -> None:
    """Without the guard the kernel ends the process with SIGKILL: shown by the second run."""
    group = GROUPS / f"edge-sdk-test-{os.getpid()}"
    group.mkdir()
    model = tmp_path / "hungry.tflite"
    model.write_bytes(hungry_model(150))
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        f"Path({str(group / 'cgroup.procs')!r}).write_text(str(os.getpid()))\n"
        "from edge_sdk.runtime import Session, memory\n"
        "from edge_sdk.errors import TargetError\n"
        "if sys.argv[2] == 'off':\n    memory.limits = lambda root: iter([])\n"
        "try:\n    Session.open(sys.argv[1], delegate='cpu', try_first=False)\n"
        "except TargetError as error:\n    print(error)\n    sys.exit(7)\n"
    )

    def run(guard: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(model), guard]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    try:
        (group / "memory.limit_in_bytes").write_text(str(300 * MIB))
        swap = group / "memory.memsw.limit_in_bytes"
        if swap.exists():
            swap.write_text(str(300 * MIB))
        refused, killed = run("on"), run("off")
    finally:
        group.rmdir()
    assert refused.returncode == 7, refused.stderr
    assert f"{group.name}/memory.limit_in_bytes leaves" in refused.stdout
    assert killed.returncode == -9


def test_hungry_model_needs_what_it_says() -> None:
    model = source_of(hungry_model(1), name="m")
    assert predicted_need(model, delegate="cpu", trial_bytes=0).arena_bytes >= 2 * MIB
    assert np.prod(model.artifact.main.tensors[0].shape) == MIB // 4
