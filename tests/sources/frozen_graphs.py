"""Frozen graphs of TensorFlow 1, built op by op as its users did; run in a worker that has TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def save(name: str, path: str) -> str:
    """Writes one of the graphs below as a GraphDef."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        _GRAPHS[name](tf.compat.v1)
    Path(path).write_bytes(graph.as_graph_def().SerializeToString())
    return path


def _weights(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _switched(tf: Any) -> None:
    """A volume net whose dropout hangs on a flag, and a learning phase that has a default."""
    x = tf.placeholder(tf.float32, (None, 4, 6, 6, 2), name="image")
    flag = tf.placeholder(tf.bool, (), name="training")
    phase = tf.placeholder_with_default(np.float32(0.5), (), name="phase")
    y = tf.nn.conv3d(x, _weights(3, 3, 3, 2, 4), strides=[1] * 5, padding="SAME")
    y = tf.nn.max_pool3d(tf.nn.relu(y) * phase, (1, 2, 2, 2, 1), (1, 2, 2, 2, 1), padding="SAME")
    y = tf.cond(flag, lambda: y * 0.0, lambda: y)
    scores = tf.identity(tf.reduce_mean(y, (1, 2, 3)), name="scores")
    tf.argmax(scores, -1, name="best")


def _fetching(tf: Any) -> None:
    """Labels come from an iterator of the graph's own."""
    handle = tf.placeholder(tf.string, (), name="handle")
    iterator = tf.data.Iterator.from_string_handle(handle, (tf.float32,), ((None, 3),))
    (labels,) = iterator.get_next()
    x = tf.placeholder(tf.float32, (None, 3), name="x")
    made = tf.tanh(x * 2.0, name="made")
    tf.subtract(made, labels, name="loss")


def _with_a_variable(tf: Any) -> None:
    x = tf.placeholder(tf.float32, (1, 3), name="x")
    weights = tf.get_variable("weights", (3, 2), use_resource=False)
    tf.matmul(x, weights, name="y")


_GRAPHS = {"switched": _switched, "fetching": _fetching, "with_a_variable": _with_a_variable}
