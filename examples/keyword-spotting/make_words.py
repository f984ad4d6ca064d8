"""Spoken words by the synthesizer espeak-ng, as log-mel features: 49 frames of 20 ms by 16 bands."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import wave
from shutil import which

import numpy as np

WORDS = ["yes", "no", "left", "right", "stop", "go"]
VOICES = ["en-us", "en-gb", "en-gb-scotland", "en-029"]
RATE, FRAME, FRAMES, BANDS = 16000, 320, 49, 16
LONG = bool(os.environ.get("EXAMPLE_LONG"))


def spoken(word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """One second at 16 kHz."""
    command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(speed), "-p", str(pitch), word]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        times = np.arange(RATE) * file.getframerate() / RATE
    return np.interp(times, np.arange(len(samples)), samples, right=0.0)


def features(sound: np.ndarray) -> np.ndarray:
    """Log-mel energies, (49, 16), about from -1 to 1."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 2 * FRAME)[::FRAME][:FRAMES] * np.hanning(2 * FRAME)
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel = np.linspace(0, 2595 * np.log10(1 + 7600 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1) / RATE * 2 * FRAME
    bins = np.arange(power.shape[1])
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return (np.log(power @ np.maximum(0, np.minimum(rise, fall)).T + 1e-4) / 5).astype(np.float32)


if not which("espeak-ng"):
    sys.exit("espeak-ng is not installed: apt-get install espeak-ng")
rng = np.random.default_rng(0)
made = []
for label, word in enumerate(WORDS):
    for take in range(160 if LONG else 40):
        sound = spoken(word, VOICES[take % len(VOICES)], int(rng.integers(110, 220)), int(rng.integers(10, 90)))
        # Said somewhere in the second, with noise as loud as a quiet room to a street.
        sound = np.roll(sound, int(rng.integers(0, RATE // 4))) + rng.normal(size=RATE) * rng.choice(
            [0.002, 0.01, 0.03]
        )
        made.append((features(sound), label, take % 4 == 3))
    print(f"{word}: {take + 1} takes")
x, y, test = (np.array(part) for part in zip(*made, strict=True))
np.savez("train.npz", features=x[~test], targets=y[~test])
np.savez("calibration.npz", features=x[~test])
np.savez("test.npz", features=x[test])
np.save("test_labels.npy", y[test])
