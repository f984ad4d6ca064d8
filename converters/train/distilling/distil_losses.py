"""What draws a student to its teacher, in each framework's own operations.

Distributions are softened by the temperature; probabilities come back to logits as their logarithms, for softmax
undoes a logarithm up to a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

_SMALLEST = 1e-7


class Losses(Protocol):
    """The same few functions on tensors of one framework; means over the batch."""

    def without_gradient(self, model: Any) -> Any:
        """A context in which a teacher is run, in eval mode."""
        ...

    def squared(self, one: Any, other: Any) -> Any:
        """Mean squared difference."""
        ...

    def classes(self, one: Any, other: Any, temperature: float, axis: int, *, probabilities: bool) -> Any:
        """Temperature squared times KL(other || one)."""
        ...

    def features(self, one: Any, other: Any) -> Any:
        """Mean squared difference where shapes agree; else of the batches' similarities (Tung and Mori, 2019).

        The similarity of a batch is how alike each pair of its samples is, in this layer's eyes: it needs neither equal
        widths nor a projection that would have to be trained.
        """
        ...


class TensorFlowLosses:
    """See :class:`Losses`."""

    @contextmanager
    def without_gradient(self, model: Any) -> Iterator[None]:
        """Only the student's variables are differentiated, so there is nothing to do."""
        del model
        yield

    def squared(self, one: Any, other: Any) -> Any:
        """Mean squared difference."""
        import tensorflow as tf

        return tf.reduce_mean(tf.square(one - tf.stop_gradient(other)))

    def classes(self, one: Any, other: Any, temperature: float, axis: int, *, probabilities: bool) -> Any:
        """Softened KL divergence."""
        import tensorflow as tf

        def logs(values: Any) -> Any:
            logits = tf.math.log(tf.maximum(values, _SMALLEST)) if probabilities else values
            return tf.nn.log_softmax(logits / temperature, axis)

        student, teacher = logs(one), tf.stop_gradient(logs(other))
        divergence = tf.reduce_sum(tf.exp(teacher) * (teacher - student), axis)
        return temperature**2 * tf.reduce_mean(divergence)

    def features(self, one: Any, other: Any) -> Any:
        """Of layers."""
        import tensorflow as tf

        if one.shape[1:] == other.shape[1:]:
            return self.squared(one, other)

        def similarity(values: Any) -> Any:
            flat = tf.reshape(values, [tf.shape(values)[0], -1])
            return tf.math.l2_normalize(tf.matmul(flat, flat, transpose_b=True), 1)

        return self.squared(similarity(one), similarity(other))


class TorchLosses:
    """See :class:`Losses`."""

    @contextmanager
    def without_gradient(self, model: Any) -> Iterator[None]:
        """Eval mode, and no gradient."""
        import torch

        from edge_sdk.converters.sources.pytorch.calls import eval_mode

        with torch.no_grad(), eval_mode(model):
            yield

    def squared(self, one: Any, other: Any) -> Any:
        """Mean squared difference."""
        return (one - other.detach()).square().mean()

    def classes(self, one: Any, other: Any, temperature: float, axis: int, *, probabilities: bool) -> Any:
        """Softened KL divergence."""
        import torch

        def logs(values: Any) -> Any:
            logits = torch.log(values.clamp_min(_SMALLEST)) if probabilities else values
            return torch.log_softmax(logits / temperature, axis)

        student, teacher = logs(one), logs(other).detach()
        return temperature**2 * (teacher.exp() * (teacher - student)).sum(axis).mean()

    def features(self, one: Any, other: Any) -> Any:
        """Of layers."""
        import torch

        if one.shape[1:] == other.shape[1:]:
            return self.squared(one, other)

        def similarity(values: Any) -> Any:
            flat = values.flatten(1)
            return torch.nn.functional.normalize(flat @ flat.T, dim=1)

        return self.squared(similarity(one), similarity(other))


LOSSES: dict[str, Losses] = {"keras": TensorFlowLosses(), "torch": TorchLosses()}
