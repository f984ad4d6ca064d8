"""Steps against other implementations of what FORMAT.md defines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.bundle import steps
from edge_sdk.bundle.processing import Scored, postprocess, preprocess
from edge_sdk.errors import BundleFormatError, SignatureError

Pixels = npt.NDArray[np.uint8]
_BATCH = steps.Batch("batch")


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), np.uint8)


def made(image: Any, *pre: steps.PreStep) -> npt.NDArray[Any]:
    return preprocess(image, steps.InputProcessing("image", "image", pre))


def resize(height: int, width: int, fit: Any = "stretch", method: Any = "bilinear", *, antialias: bool = True) -> Any:
    return steps.Resize("resize", height, width, fit, method, antialias=antialias, pad_value=7)


def by_the_page(image: Pixels, height: int, width: int, *, antialias: bool) -> npt.NDArray[np.float64]:
    """`resize` with `stretch` as FORMAT.md words it: one result at a time, in plain Python."""

    def weights(count: int, place: int, extent: int) -> list[float]:
        s = extent / count
        c, r = (place + 0.5) * s, max(s, 1.0) if antialias else 1.0
        each = [max(0.0, 1 - abs(j + 0.5 - c) / r) for j in range(extent)]
        return [w / sum(each) for w in each]

    result = np.zeros((height, width, 3))
    for y in range(height):
        down = weights(height, y, image.shape[0])
        for x in range(width):
            across = weights(width, x, image.shape[1])
            for channel in range(3):
                result[y, x, channel] = math.fsum(
                    down[i] * across[j] * float(image[i, j, channel])
                    for i in range(image.shape[0])
                    for j in range(image.shape[1])
                )
    rounded: npt.NDArray[np.float64] = np.floor(result + 0.5)
    return rounded


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("shape", [(9, 7), (5, 13), (4, 4), (1, 1)])
def test_bilinear_is_what_the_page_says(shape: tuple[int, int], antialias: bool) -> None:
    image = picture(*shape)
    got = made(image, resize(6, 5, antialias=antialias)).astype(int)
    # Sums in another order: a tie may fall to the other side.
    assert np.abs(got - by_the_page(image, 6, 5, antialias=antialias)).max() <= 1


@pytest.mark.images
@pytest.mark.parametrize("shape", [(37, 53), (224, 300), (20, 11), (64, 64)])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_antialiased_bilinear_is_pillows(shape: tuple[int, int], fit: str) -> None:
    """Pillow rounds to 8 bits between rows and columns as well: half a step each, so a result may differ by 1."""
    from PIL import Image, ImageOps

    image = picture(*shape)
    source, bilinear = Image.fromarray(image), Image.Resampling.BILINEAR
    expected = ImageOps.fit(source, (32, 24), bilinear) if fit == "crop" else source.resize((32, 24), bilinear)
    difference = made(image, resize(24, 32, fit)).astype(int) - np.asarray(expected, int)
    assert np.abs(difference).max() <= 1


@pytest.mark.images
def test_gray_is_pillows() -> None:
    from PIL import Image

    image = picture(31, 17)
    got = made(image, steps.Channels("channels", "gray"))[..., 0]
    np.testing.assert_array_equal(got, np.asarray(Image.fromarray(image).convert("L")))


@pytest.mark.keras
@pytest.mark.parametrize("shape", [(37, 53), (8, 9), (300, 224)])
def test_bilinear_without_antialias_is_tensorflows(shape: tuple[int, int]) -> None:
    """tf.image.resize sums in float32: a tie may fall to the other side."""
    import tensorflow as tf

    image = picture(*shape)
    expected = np.floor(np.asarray(tf.image.resize(image, (24, 32), antialias=False)) + 0.5)
    assert np.abs(made(image, resize(24, 32, antialias=False)).astype(int) - expected).max() <= 1


def test_nearest_takes_the_pixel_under_the_centre() -> None:
    image = picture(6, 4)
    np.testing.assert_array_equal(made(image, resize(3, 2, method="nearest")), image[1::2, 1::2])
    np.testing.assert_array_equal(made(image, resize(12, 8, method="nearest")), image.repeat(2, 0).repeat(2, 1))


@settings(max_examples=60, deadline=None)
@given(*(st.integers(1, 40) for _ in range(4)), st.sampled_from(["stretch", "crop", "pad", "shorter"]), st.booleans())
def test_every_fit_gives_the_size_it_says(h: int, w: int, height: int, width: int, fit: str, antialias: bool) -> None:
    """And a picture of one colour stays what it is, but for the padding."""
    image = np.full((h, w, 3), 200, np.uint8)
    side = height if fit == "shorter" else width
    got = made(image, resize(height, side, fit, antialias=antialias))
    shorter = (height, height * w // h) if h <= w else (height * h // w, height)
    assert got.shape == ((*shorter, 3) if fit == "shorter" else (height, side, 3))
    assert set(np.unique(got)) <= ({7, 200} if fit == "pad" else {200})


def test_pad_keeps_the_aspect_and_the_middle() -> None:
    got = made(np.full((10, 20, 3), 200, np.uint8), resize(16, 16, "pad"))
    assert (got[4:12] == 200).all()
    assert (got[:4] == 7).all()
    assert (got[12:] == 7).all()


def test_the_usual_way_of_torchvision() -> None:
    """Resize the shorter side, crop the centre: offsets are round-half-even((extent - size) / 2)."""
    image = picture(61, 80)
    whole = made(image, resize(40, 40, "shorter"))
    got = made(image, resize(40, 40, "shorter"), steps.CenterCrop("center_crop", 33, 33))
    assert whole.shape == (40, 52, 3)
    np.testing.assert_array_equal(got, whole[4:37, 10:43])  # 3.5 to 4, 9.5 to 10


def test_normalize_layout_cast_and_batch() -> None:
    image = picture(4, 5)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    chain = (steps.Normalize("normalize", 1 / 255, mean, std), steps.Layout("layout", "chw"), _BATCH)
    got = made(image, *chain)
    assert got.dtype == np.float32
    assert got.shape == (1, 3, 4, 5)
    exact = (image / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(got[0].transpose(1, 2, 0), exact, atol=1e-5)
    np.testing.assert_array_equal(made(image, steps.Channels("channels", "bgr"))[..., 0], image[..., 2])
    halves = steps.InputProcessing("x", "values", (steps.Cast("cast", "int8"),))
    values = np.array([0.5, 1.5, -0.5, 300, -300, 2.4], np.float32)
    np.testing.assert_array_equal(preprocess(values, halves), [0, 2, 0, 127, -128, 2])


@pytest.mark.images
def test_the_steps_of_image_options_are_the_converters(tmp_path: Any) -> None:
    """A bundle's pre-processing makes of a picture what calibration and comparison made of it."""
    from PIL import Image

    from edge_sdk.bundle.asked import image_steps
    from edge_sdk.bundle.manifest import Port
    from edge_sdk.data import ImageOptions, open_data
    from edge_sdk.signature import TensorSpec

    image = picture(50, 70)
    Image.fromarray(image).save(tmp_path / "a.png")
    for shape, layout in (((1, 16, 24, 3), "NHWC"), ((1, 3, 16, 24), "NCHW"), ((1, 16, 24, 1), "NHWC")):
        for options in (ImageOptions(), ImageOptions("crop", 1.0, (127.5,), (127.5,), "bgr")):
            spec = TensorSpec("image", shape, "float32", layout)
            (sample,) = open_data(str(tmp_path), [spec], images=options).samples()
            chain = image_steps(options, Port("image", "float32", shape, None, None))
            got = made(image, *chain)
            assert got.shape == shape
            # One step of 8 bits, as above, in the units of the values.
            assert np.abs(got - sample["image"]).max() <= options.factor / options.std[0] * 1.001


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture(image: Any) -> None:
    with pytest.raises(SignatureError, match="picture"):
        made(image, resize(2, 2))


@pytest.mark.parametrize(
    "chain",
    [
        (_BATCH, resize(2, 2)),
        (steps.CenterCrop("center_crop", 90, 2),),
        (steps.Normalize("normalize", 1.0, (1.0, 2.0), (1.0,)),),
        (resize(8000, 8000, "shorter"), _BATCH),
        (_BATCH, steps.Channels("channels", "gray"), steps.Layout("layout", "chw")),
    ],
)
def test_steps_that_cannot_follow(chain: Any) -> None:
    with pytest.raises(BundleFormatError, match="step"):
        made(picture(8, 8), *chain)


def test_softmax_sigmoid_argmax_and_ranking() -> None:
    values = np.array([[1.0, 3.0, 3.0, -2.0]], np.float32)

    def post(*chain: steps.PostStep, labels: Any = ()) -> Any:
        return postprocess(values, steps.OutputProcessing("scores", chain), labels)

    softmax = post(steps.Softmax("softmax"))
    np.testing.assert_allclose(softmax, np.exp(values) / np.exp(values).sum(), rtol=1e-6)
    np.testing.assert_allclose(post(steps.Sigmoid("sigmoid")), 1 / (1 + np.exp(-values)), rtol=1e-6)
    assert post(steps.ArgMax("argmax")).tolist() == [1]
    assert post(steps.TopK("top_k", 3, 2.0), labels=list("abcd")) == ((Scored(1, 3.0, "b"), Scored(2, 3.0, "c")),)
    with pytest.raises(BundleFormatError, match="cannot follow"):
        post(steps.TopK("top_k", 1, 0.0), steps.Softmax("softmax"))


def test_extreme_logits_stay_finite() -> None:
    values = np.array([1e30, -1e30, 0], np.float32)
    for step in (steps.Softmax("softmax"), steps.Sigmoid("sigmoid")):
        got = postprocess(values, steps.OutputProcessing("x", (step,)))
        assert np.isfinite(np.asarray(got)).all()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (resize(0, 2), "expected 1 to"),
        (resize(1 << 20, 1 << 20), "expected 1 to"),
        (resize(8, 9, "shorter"), "both must be the same"),
        (steps.CenterCrop("center_crop", -1, 4), "expected 1 to"),
        (steps.Normalize("normalize", 1.0, (0.0,), (0.0,)), "not 0"),
        (steps.Normalize("normalize", 1.0, (), (1.0,)), "needs a mean"),
    ],
)
def test_values_that_no_step_may_have(step: Any, words: str) -> None:
    """Refused when the manifest's processing is read, before anything is computed."""
    many = steps.Processing((steps.InputProcessing("x", "image", (step,)),), ())
    assert words in " ".join(steps.faults(many))
    endless = steps.Processing((steps.InputProcessing("x", "image", (_BATCH,) * 33),), ())
    assert "33 steps" in " ".join(steps.faults(endless))
