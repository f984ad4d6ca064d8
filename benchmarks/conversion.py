"""Time to convert MobileNetV2-224 to int8 with 100 samples: edge-sdk with its proof, against the tools by hand.

Whole processes, start to end, in turn and in alternating order, so that a noisy machine is noisy for both. The ratio
is of the medians, of seconds on the clock and of the processor's, children's too, which other work disturbs less.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import keras_applications

_SIDE, _SAMPLES = 224, 100
_BY_HAND = Path(__file__).parent / "by_hand"


def rows(cache: Path, rounds: int, framework: str, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """One row for each way to convert.

    Args:
        cache: where models and results are kept.
        rounds: how often each way is taken.
        framework: of the source, ``keras`` or ``torch``.
        say: told how it goes.
    """
    cache.mkdir(parents=True, exist_ok=True)
    model, calibration, ours = {"keras": _keras_model, "torch": _torch_model}[framework](cache)
    script = str(_BY_HAND / f"{framework}_int8.py")
    by_hand = [sys.executable, "-W", "ignore", script, model, calibration, str(cache / f"by_hand_{framework}")]
    edge_sdk = [sys.executable, "-m", "edge_sdk", "convert", model, "-r", "int8", "--quiet"]
    edge_sdk += ["--calibration", ours, "-o", str(cache / f"ours_{framework}.tflite")]
    ways = {"by hand": by_hand, "edge-sdk": [*edge_sdk, "--no-timing"], "edge-sdk, timed as well": edge_sdk}
    if framework == "torch":
        # onnx2tf makes five integer files where one is wanted: what is left without any of them is shown too.
        ways["by hand, no int8"] = [*by_hand, "float"]
    taken = _in_turn(framework, ways, rounds, say)
    base, base_cpu = (statistics.median(one) for one in zip(*taken["by hand"], strict=True))
    made = []
    for way, runs in taken.items():
        seconds, cpu = (list(one) for one in zip(*runs, strict=True))
        made.append(
            {
                "source": f"{framework} MobileNetV2-224",
                "way": way,
                "seconds": [round(value, 2) for value in seconds],
                "ratio": round(statistics.median(seconds) / base, 3),
                "cpu_seconds": [round(value, 2) for value in cpu],
                "cpu_ratio": round(statistics.median(cpu) / base_cpu, 3),
            }
        )
    return made


def _in_turn(
    framework: str, ways: dict[str, list[str]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[tuple[float, float]]]:
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(rounds):
        order = list(ways) if number % 2 == 0 else list(reversed(ways))
        for way in order:
            begin, begin_cpu = time.perf_counter(), _children_cpu()
            done = subprocess.run(ways[way], capture_output=True, text=True, check=False)
            taken[way].append((time.perf_counter() - begin, _children_cpu() - begin_cpu))
            if done.returncode:
                raise RuntimeError(f"{way} failed: {done.stderr[-2000:]}")
            say(f"{framework}, {way}: {taken[way][-1][0]:.1f} s, {taken[way][-1][1]:.1f} s of the processor")
    return taken


def _children_cpu() -> float:
    """Of all processes that were waited for, and of those that they waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _keras_model(cache: Path) -> tuple[str, str, str]:
    """Trained at 32x32; the weights serve any size, for the network is convolutions and a global pool."""
    path = cache / "mobilenet_v2_224.keras"
    if not path.exists():
        small = keras_applications.trained("mobilenet_v2")
        large = keras_applications.untrained("mobilenet_v2", _SIDE)
        large.set_weights(small.get_weights())
        large.save(path)
    samples = _calibration(cache)
    return str(path), samples, samples


def _torch_model(cache: Path) -> tuple[str, str, str]:
    import torch

    path = cache / "mobilenet_v2_224.pt2"
    samples = Path(_calibration(cache))
    ours = cache / "calibration_nchw.npy"
    if not path.exists():
        from benchmarks.models.pytorch import mobilenet_v2

        model, _ = mobilenet_v2()
        torch.export.save(torch.export.export(model, (), {"image": torch.zeros(1, 3, _SIDE, _SIDE)}), str(path))
        np.save(ours, np.load(samples).transpose(0, 3, 1, 2))
    return str(path), str(samples), str(ours)


def _calibration(cache: Path) -> str:
    path = cache / "calibration.npy"
    if not path.exists():
        np.save(path, keras_applications.labelled_pixels("mobilenet_v2", _SIDE, count=_SAMPLES, seed=1)[0])
    return str(path)
