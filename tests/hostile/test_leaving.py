"""However a program ends, its workers end with it within a second, and its folders are gone at the next start."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk import Session, folders, owners
from edge_sdk.engines.installed import find_engine
from tests.graphs import conv_model, loop_model
from tests.hostile import orphans

# A worker that holds the interpreter's lock in C, as converters do; its own child; and where it works.
_PROGRAM = """
import sys, time
from edge_sdk.converters.workers.workshop import Workshop
with Workshop() as workshop:
    worker = workshop.worker("role")
    print(worker.function("tests.hostile.test_leaving:begin", "beginning"), workshop.folder, flush=True)
    worker.function("tests.hostile.test_leaving:busy", "being busy")
"""
# What a loaded machine needs to notice that a process has ended; the kernel itself needs none.
_SOON_S = 1.0


def begin() -> str:
    """In a worker: its process, and that of a program it started."""
    other = subprocess.Popen(["sleep", "60"])
    return f"{os.getpid()} {other.pid}"


def busy() -> None:
    """In a worker: hours in one call of a library in C, which no thread of Python interrupts."""
    re.match("(a+)+$", "a" * 60 + "b")


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_end_with_their_program(number: signal.Signals, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    program = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, env=environment)
    assert program.stdout is not None
    worker, other, folder = program.stdout.readline().decode().split()
    time.sleep(0.2)
    program.send_signal(number)
    try:
        program.wait(10)
    finally:
        program.kill()
        program.stdout.close()
    end = time.monotonic() + _SOON_S
    while time.monotonic() < end and (is_alive(int(worker)) or is_alive(int(other))):
        time.sleep(0.01)
    assert not is_alive(int(worker))
    assert not is_alive(int(other))
    assert Path(folder).exists()
    script = "from edge_sdk.folders import temporary_folder\nwith temporary_folder('next'): pass"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert list(tmp_path.glob("edge-sdk-*")) == []


# A compiler, a tool of the build, or Vela: what runs is told by the words, and starts a program of its own.
_TOOLS = {
    "a compiler": "from edge_sdk.converters.compilers.child import run_program\n"
    "run_program(command, pathlib.Path(sys.argv[1]), what='c', seconds=60)",
    "a tool": "from edge_sdk.android.tools import run_tool\nrun_tool(command, what='tool')",
}


@pytest.mark.parametrize("name", _TOOLS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_tools_end_with_their_program(name: str, number: signal.Signals, tmp_path: Path) -> None:
    script = "import pathlib, sys\ncommand = ['sh', '-c', 'sleep 60 & echo $$ $! > ' + sys.argv[1] + '/ids; wait']\n"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    program = subprocess.Popen([sys.executable, "-c", script + _TOOLS[name], str(tmp_path)], env=environment)
    ids = tmp_path / "ids"
    end = time.monotonic() + 60
    while time.monotonic() < end and len(ids.read_text().split() if ids.exists() else []) < 2:
        time.sleep(0.02)
    # The tie is made as soon as the program runs, and this one is quick to say so.
    time.sleep(0.5)
    program.send_signal(number)
    program.wait(10)
    processes = [int(one) for one in ids.read_text().split()]
    end = time.monotonic() + _SOON_S
    while time.monotonic() < end and any(map(is_alive, processes)):
        time.sleep(0.01)
    assert not any(map(is_alive, processes))


def _started(folder: Path, later: int) -> str:
    """The name that this process's folder had, had it started so many ticks later."""
    start = owners._start(os.getpid())
    return folder.name.replace(f"-{start}-", f"-{int(start) + later}-")


def test_only_folders_of_the_dead_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = folders.make_folder("mine")
    kept = {
        mine.name,
        mine.name.replace(owners._here(), "0123abcd"),  # of another boot or container
        _started(mine, 1),  # as qemu-user tells its process
        "edge-sdk-mine-notes",
        "somebody-elses",
    }
    dead = mine.name.replace(f"-{os.getpid()}-", "-4194305-")  # beyond the largest process number
    for name in (*kept, dead, _started(mine, -2000)):
        (tmp_path / name).mkdir(exist_ok=True)
    # What tools printed to a program that failed is kept for a week.
    old, new = tmp_path / f"{dead}.log", tmp_path / f"{dead}x.log"
    (tmp_path / f"{dead}y.log").touch()
    for log, days in ((old, 8), (new, 6)):
        log.write_text("told")
        os.utime(log, (time.time() - days * 86400,) * 2)
    kept.add(new.name)
    owners.clear.cache_clear()
    with folders.temporary_folder("next"):
        pass
    assert {one.name for one in tmp_path.iterdir()} == kept


def test_full_disk_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge_sdk.errors import OutputError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(OutputError, match="no temporary folder can be made: No such file"):
        folders.make_folder("any")


def test_command_that_is_asked_to_end_closes_what_is_open(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, time; from edge_sdk.cli.screen import command\n"
        "from edge_sdk.folders import temporary_folder\n"
        "@command()\n"
        "def waiting(screen):\n"
        "    with temporary_folder('open'):\n"
        "        os.kill(os.getpid(), int(os.environ['NUMBER'])); time.sleep(60)\n"
        "waiting()\n"
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        environment = {**os.environ, "TMPDIR": str(tmp_path), "NUMBER": str(int(number))}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=50
        )
        assert (done.returncode, done.stderr) == (128 + number, f"ended by {number.name}; nothing was written\n")
        assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_ended_behind_its_result_says_what_it_wrote(tmp_path: Path) -> None:
    """`make leavings`: Vela's file was there, and the last words were that nothing was written."""
    script = (
        "import os, signal, sys, time; from pathlib import Path; from edge_sdk.cli.screen import command\n"
        "from edge_sdk.files import write_bytes; from edge_sdk.folders import cache_folder, temporary_folder\n"
        "@command()\n"
        "def writing(screen):\n"
        "    with temporary_folder('open') as folder:\n"
        "        for place in (folder, cache_folder('any'), Path(sys.argv[0]).parent): write_bytes(place / 'a', b'')\n"
        "        os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)\n"
        f"sys.argv = [{str(tmp_path / 'program')!r}]; writing()\n"
    )
    environment = {**os.environ, "EDGE_SDK_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=50
    )
    assert done.stderr == f"ended by SIGTERM; written by then: {tmp_path / 'a'}\n"


def test_a_part_of_a_command_that_listens_itself_is_left_alone() -> None:
    """Training ends at its next checkpoint."""
    script = (
        "import os, signal, time; from edge_sdk.cli.screen import command\n"
        "@command()\n"
        "def training(screen):\n"
        "    before = signal.signal(signal.SIGINT, lambda *_: None)\n"
        "    os.kill(os.getpid(), signal.SIGINT); time.sleep(1.6)\n"
        "    signal.signal(signal.SIGINT, before); print('saved', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT); time.sleep(60)\n"
        "training()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stdout) == (130, "saved\n"), done.stderr


@pytest.mark.runtime
def test_time_limit_ends_an_engine_that_does_not_return(tmp_path: Path) -> None:
    model, zeros = tmp_path / "loop.tflite", tmp_path / "zeros.npz"
    model.write_bytes(loop_model())
    np.savez(zeros, x=np.zeros((1, 1, 4), np.float32))
    words = ["run", str(model), str(zeros), "--no-try-first", "--time-limit", "1.5"]
    program = [sys.executable, "-m", "edge_sdk", *words, "--json", "-o", str(tmp_path / "out.npz")]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["error"] == "TimeLimitError"
    assert "within 1.5 s" in told["message"]
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.runtime
def test_signal_ends_an_engine_that_does_not_return() -> None:
    script = (
        "import numpy as np; from edge_sdk import Session; from edge_sdk.cli.screen import command\n"
        "from tests.graphs import loop_model\n"
        "@command()\n"
        "def looping(screen):\n"
        "    session = Session.open(loop_model(), try_first=False)\n"
        "    print('runs', flush=True); session.run({'x': np.zeros((1, 4), np.float32)})\n"
        "looping()\n"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
        assert program.stdout is not None
        assert program.stdout.readline() == b"runs\n"
        time.sleep(0.2)
        program.send_signal(number)
        try:
            # As a shell reports a signal.
            assert program.wait(20) == 128 + number
        finally:
            program.kill()
            program.stdout.close()


@pytest.mark.runtime
def test_a_closed_session_leaves_only_what_the_engine_leaks() -> None:
    """LiteRT 2.1.0 keeps one dictionary of the signature's names for each interpreter; a session opens two."""
    content, image = conv_model(), np.random.default_rng(0).standard_normal((1, 8, 8, 3)).astype(np.float32)
    module = find_engine().module

    def session() -> None:
        with Session.open(content) as opened:
            opened.run({"image": image})

    def bare() -> None:
        module.Interpreter(model_content=content).allocate_tensors()

    ours, theirs = left_by(session), left_by(bare)
    assert {one: count - 2 * theirs[one] for one, count in ours.items() if count > 2 * theirs[one]} == {}


def left_by(run: Callable[[], None], times: int = 6) -> Counter[str]:
    """Containers that are alive after each of the runs, so that none was an accident of one."""
    run()
    run()
    gc.collect()
    before = {id(one) for one in gc.get_objects()}
    for _ in range(times):
        run()
    gc.collect()
    new = [one for one in gc.get_objects() if id(one) not in before and type(one) in (dict, list, set, tuple)]
    return Counter({words: count for words, count in Counter(map(repr, new)).items() if count >= times})


@pytest.mark.runtime
@pytest.mark.parametrize("name", ["run", "bundle"])
def test_each_child_ends_with_its_parent(name: str) -> None:
    """Of ``make orphans`` what is quick: the process in which a file is tried first."""
    runs = list(orphans.every(name))
    assert runs, "no process was started: nothing was tried"
    assert [one for one in runs if one.left] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "build"),
    [
        pytest.param(
            "keras",
            "import keras\n    layers = [keras.layers.Input((4, 4, 1), batch_size=1), keras.layers.Flatten()]\n"
            "    return keras.Sequential([*layers, keras.layers.Dense(2)])",
            marks=pytest.mark.keras,
        ),
        pytest.param(
            "torch",
            "import torch\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval(), "
            "(torch.zeros(1, 1, 4, 4),)",
            marks=pytest.mark.torch,
        ),
    ],
)
def test_a_conversion_leaves_the_temporary_folder_as_it_was(name: str, build: str, tmp_path: Path) -> None:
    """What TensorFlow's autograph and PyTorch's compiler write there goes with the workers."""
    source, temporary = tmp_path / f"{name}_source.py", tmp_path / "tmp"
    source.write_text(f"def model():\n    {build}\n")
    temporary.mkdir()
    words = ["convert", f"{source}:model", "-o", str(tmp_path / "a.tflite"), "--quiet", "--json"]
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
    program = [sys.executable, "-m", "edge_sdk", *words]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    assert sorted(one.name for one in temporary.iterdir()) == []


@pytest.mark.parametrize("place", ["a worker's folder", "the conversion's own"])
def test_no_room_in_the_middle_of_a_conversion_is_one_error(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make faults` found tracebacks of it: folders that are made while the work is under way."""
    from edge_sdk.converters.workers.workshop import Workshop
    from edge_sdk.errors import OutputError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def work() -> None:
        with Workshop() as shop:
            folder = shop.workers.folder if place.startswith("a worker") else shop.folder
            raise PermissionError(errno.EACCES, "no such directory", str(folder / "engine"))

    with pytest.raises(OutputError, match="cannot be written: no such directory"):
        work()
    with pytest.raises(FileNotFoundError), Workshop():
        Path("absent of the user's").read_bytes()
    assert list(tmp_path.iterdir()) == []
