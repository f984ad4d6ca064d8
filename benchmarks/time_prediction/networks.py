"""Networks to predict: Keras Applications in several widths and sizes; no time depends on weights, which are random.

``python -m benchmarks.time_prediction.networks FOLDER [PART/PARTS]`` makes their files.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.tree import pack_tree, parse_tree

VARIANTS = ("float32", "float16", "dynamic", "int8")
NETWORKS: dict[str, tuple[tuple[str, int, dict[str, Any]], ...]] = {
    "mobilenet": (
        ("MobileNet", 128, {"alpha": 0.25}),
        ("MobileNet", 160, {"alpha": 0.5}),
        ("MobileNet", 192, {"alpha": 0.75}),
        ("MobileNet", 128, {}),
        ("MobileNet", 224, {}),
    ),
    "mobilenet_v2": (
        ("MobileNetV2", 96, {"alpha": 0.35}),
        ("MobileNetV2", 128, {"alpha": 0.5}),
        ("MobileNetV2", 160, {"alpha": 0.75}),
        ("MobileNetV2", 224, {}),
        ("MobileNetV2", 224, {"alpha": 1.4}),
    ),
    "mobilenet_v3": (
        ("MobileNetV3Small", 128, {"alpha": 0.75}),
        ("MobileNetV3Small", 224, {}),
        ("MobileNetV3Small", 160, {"minimalistic": True}),
        ("MobileNetV3Large", 192, {"alpha": 0.75}),
        ("MobileNetV3Large", 224, {}),
        ("MobileNetV3Large", 224, {"minimalistic": True}),
    ),
    "efficientnet": (
        ("EfficientNetB0", 128, {}),
        ("EfficientNetB0", 224, {}),
        ("EfficientNetB1", 160, {}),
        ("EfficientNetB2", 192, {}),
        ("EfficientNetB3", 128, {}),
    ),
    "efficientnet_v2": (
        ("EfficientNetV2B0", 128, {}),
        ("EfficientNetV2B0", 224, {}),
        ("EfficientNetV2B1", 160, {}),
        ("EfficientNetV2B2", 176, {}),
        ("EfficientNetV2B3", 192, {}),
    ),
    "nasnet": (("NASNetMobile", 96, {}), ("NASNetMobile", 160, {}), ("NASNetMobile", 224, {})),
    "densenet": (
        ("DenseNet121", 64, {}),
        ("DenseNet121", 128, {}),
        ("DenseNet121", 224, {}),
        ("DenseNet169", 96, {}),
        ("DenseNet201", 64, {}),
    ),
    "resnet": (
        ("ResNet50", 64, {}),
        ("ResNet50", 128, {}),
        ("ResNet50", 224, {}),
        ("ResNet101", 96, {}),
        ("ResNet152", 64, {}),
    ),
    "resnet_v2": (
        ("ResNet50V2", 64, {}),
        ("ResNet50V2", 128, {}),
        ("ResNet50V2", 224, {}),
        ("ResNet101V2", 96, {}),
    ),
    "inception_v3": (("InceptionV3", 96, {}), ("InceptionV3", 160, {}), ("InceptionV3", 224, {})),
    "inception_resnet_v2": (("InceptionResNetV2", 96, {}), ("InceptionResNetV2", 160, {})),
    "xception": (("Xception", 96, {}), ("Xception", 160, {}), ("Xception", 224, {})),
    "vgg": (
        ("VGG16", 64, {"include_top": False}),
        ("VGG16", 128, {"include_top": False}),
        ("VGG16", 224, {"include_top": False}),
        ("VGG19", 96, {"include_top": False}),
    ),
    "convnext": (("ConvNeXtTiny", 64, {}), ("ConvNeXtTiny", 128, {}), ("ConvNeXtSmall", 96, {})),
    "unet": (("unet", 64, {"width": 8}), ("unet", 96, {"width": 16}), ("unet", 128, {"width": 24})),
    "squeezenet": (("squeezenet", 128, {}), ("squeezenet", 192, {}), ("squeezenet", 224, {})),
    "vit": (
        ("vit", 96, {"width": 96, "depth": 4}),
        ("vit", 128, {"width": 192, "depth": 6}),
        ("vit", 224, {"width": 192, "depth": 12}),
    ),
}
"""Family to networks: constructor, side of the input, arguments. The last three families are written below."""


def names(most: int | None = None) -> Iterator[tuple[str, str]]:
    """Family and name of each, or of the first few of each family."""
    for family, listed in NETWORKS.items():
        yield from ((family, name(*one)) for one in listed[:most])


def name(kind: str, side: int, arguments: dict[str, Any]) -> str:
    """Such as ``MobileNet-0.25-128``."""
    words = [f"{value:g}" if isinstance(value, float) else key for key, value in arguments.items()]
    words = [
        str(arguments[key]) if key in ("width", "depth") else word for key, word in zip(arguments, words, strict=True)
    ]
    return "-".join([kind, *(word for word in words if word != "include_top"), str(side)])


def make(folder: Path, part: int, parts: int, most: int | None = None) -> None:
    """Makes the files that are missing, every ``parts``-th network; ``most`` of each family."""
    folder.mkdir(parents=True, exist_ok=True)
    every = [(family, one) for family, listed in NETWORKS.items() for one in listed[:most]]
    for family, one in every[part::parts]:
        target = folder / name(*one)
        if not (target.with_name(f"{target.name}.int8.tflite")).exists():
            print(family, target.name, flush=True)
            _make(target, *one)


def _make(target: Path, kind: str, side: int, arguments: dict[str, Any]) -> None:
    from edge_sdk.converters.quantize import by_ai_edge_quantizer, float16
    from edge_sdk.recipe import find_recipe

    plain = f"{target}.float32.tflite"
    Path(plain).write_bytes(with_biases(_float32(_model(kind, side, arguments))))
    for variant, module in (("float16", float16), ("dynamic", by_ai_edge_quantizer)):
        module.quantize(plain, f"{target}.{variant}.tflite", find_recipe(variant).as_json(), samples=None, axes={})
    Path(f"{target}.int8.tflite").write_bytes(_int8(plain))


def _float32(model: Any) -> bytes:
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        model.export(
            folder, verbose=False, input_signature=[keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32")]
        )
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def with_biases(content: bytes) -> bytes:
    """Biases that are not zero: an untrained network's values fade until they are subnormal, and arithmetic is slow."""
    root, _ = parse_tree(content)
    draw, graph = np.random.default_rng(0), root.subgraphs[0]
    sources = {int(op.outputs[0]): int(op.inputs[0]) for op in graph.operators if len(op.inputs) == 1}
    for op in graph.operators:
        if len(op.inputs) == 3 and int(op.inputs[2]) >= 0 and hasattr(op.builtin_options, "fused_activation_function"):
            index = int(op.inputs[2])
            tensor = graph.tensors[index if graph.tensors[index].buffer else sources.get(index, index)]
            buffer = root.buffers[tensor.buffer]
            dtype = {0: np.float32, 1: np.float16}.get(tensor.type)
            if dtype is not None and buffer.data is not None:
                count = buffer.data.nbytes // np.dtype(dtype).itemsize
                buffer.data = (0.3 * draw.standard_normal(count)).astype(dtype).view(np.uint8)
    return pack_tree(root)


def _int8(path: str) -> bytes:
    """By the quantizer that `convert` uses, on the ranges of one random image: no time depends on them."""
    from tensorflow.lite.python.convert import mlir_quantize

    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.converters.quantize.static_range import with_ranges
    from edge_sdk.engines.observe import observe

    inputs = read_artifact(path).signature.inputs
    draw = np.random.default_rng(0)
    sample = {key: draw.random(tensor.shape, np.float32) for key, tensor in inputs.items()}
    return bytes(mlir_quantize(with_ranges(Path(path).read_bytes(), observe(path, [sample]))))


def _model(kind: str, side: int, arguments: dict[str, Any]) -> Any:
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    own: dict[str, Any] = {"unet": _unet, "squeezenet": _squeezenet, "vit": _vit}
    if kind in own:
        return own[kind](side, **arguments)
    return getattr(keras.applications, kind)(weights=None, input_shape=(side, side, 3), **arguments)


def _unet(side: int, width: int) -> Any:
    import keras
    from keras import layers

    def twice(x: Any, channels: int) -> Any:
        for _ in range(2):
            x = layers.ReLU()(
                layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same", use_bias=False)(x))
            )
        return x

    x = entry = keras.Input((side, side, 3))
    kept = []
    for level in range(4):
        x = twice(x, width << level)
        kept.append(x)
        x = layers.MaxPooling2D()(x)
    x = twice(x, width << 4)
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(width << level, 2, strides=2)(x)
        x = twice(layers.Concatenate()([x, kept[level]]), width << level)
    return keras.Model(entry, layers.Conv2D(2, 1, activation="sigmoid")(x))


def _squeezenet(side: int) -> Any:
    import keras
    from keras import layers

    def fire(x: Any, squeeze: int, expand: int) -> Any:
        x = layers.Conv2D(squeeze, 1, activation="relu")(x)
        sides = [layers.Conv2D(expand, size, padding="same", activation="relu")(x) for size in (1, 3)]
        return layers.Concatenate()(sides)

    entry = keras.Input((side, side, 3))
    x = layers.Conv2D(64, 3, strides=2, activation="relu")(entry)
    for place, (squeeze, expand) in enumerate(
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
    ):
        x = layers.MaxPooling2D(3, strides=2)(x) if place in (0, 2, 4) else x
        x = fire(x, squeeze, expand)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(1000, 1, activation="relu")(x))
    return keras.Model(entry, layers.Softmax()(x))


def _vit(side: int, width: int, depth: int) -> Any:
    import keras
    from keras import layers

    entry = keras.Input((side, side, 3))
    x = layers.Conv2D(width, 16, strides=16)(entry)
    x = layers.Reshape(((side // 16) ** 2, width))(x)
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(width // 32, 32)(y, y)])
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(entry, layers.Dense(1000, activation="softmax")(x))


if __name__ == "__main__":
    _part, _, _parts = (sys.argv[2] if len(sys.argv) > 2 else "0/1").partition("/")
    make(Path(sys.argv[1]), int(_part), int(_parts))
    print(json.dumps({"networks": sum(map(len, NETWORKS.values())), "families": len(NETWORKS)}))
