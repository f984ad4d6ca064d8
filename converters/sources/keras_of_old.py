"""Files of Keras before 2.2, read with the defaults that they were written with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def known_to_keras(keras: Any, config: Any) -> Iterator[None]:
    """Loading a model whose GRU does not say where its reset gate stands puts it before the product.

    That was the only way until Keras 2.1.6, and has not been the default since TensorFlow 2.0. Where a file says it,
    nothing changes.

    Args:
        keras: the module that loads, ``tf_keras``.
        config: of the model, as its file has it.
    """
    if not _silent(config):
        yield
        return

    class Former(keras.layers.GRU):  # type: ignore[misc]
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return keras.layers.GRU.from_config({"reset_after": False, **config})

    with keras.utils.custom_object_scope({"GRU": Former}):
        yield


def _silent(config: Any) -> bool:
    """Whether a GRU stands in it without ``reset_after``."""
    if isinstance(config, dict):
        inner = config.get("config")
        if config.get("class_name") == "GRU" and isinstance(inner, dict) and "reset_after" not in inner:
            return True
        return any(map(_silent, config.values()))
    return isinstance(config, list) and any(map(_silent, config))
