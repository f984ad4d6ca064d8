"""Models wrapped by tensorflow-model-optimization: what rounds is kept, what trains is taken off."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_sdk.errors import MissingDependencyError
from edge_sdk.findings import Finding

_ROUNDING = frozenset({"QuantizeWrapper", "QuantizeWrapperV2", "QuantizeLayer"})
_PRUNING, _CLUSTERING = "PruneLowMagnitude", "ClusterWeights"
_ALL = (*_ROUNDING, _PRUNING, _CLUSTERING)
_NAME = "tensorflow-model-optimization"


def rounds(model: Any) -> bool:
    """Whether ``quantize_model`` wrapped the model: its layers round to trained ranges."""
    return bool(_kinds(model) & _ROUNDING)


@contextlib.contextmanager
def known_to_keras(config: Any) -> Iterator[None]:
    """Loading a saved model whose config names wrappers of tensorflow-model-optimization finds their classes.

    Raises:
        MissingDependencyError: it names some, and the package is not installed.
    """
    if not any(name in json.dumps(config) for name in _ALL):
        yield
        return
    tfmot = _tfmot("reading a model that it wrapped")
    with (
        tfmot.quantization.keras.quantize_scope(),
        tfmot.sparsity.keras.prune_scope(),
        tfmot.clustering.keras.cluster_scope(),
    ):
        yield


def unwrapped(model: Any) -> tuple[Any, list[Finding]]:
    """The model without wrappers that only training needs, its sparsity and clusters as they are; and what was done."""
    kinds = _kinds(model)
    findings = []
    if _PRUNING in kinds:
        model = _tfmot("taking its wrappers off").sparsity.keras.strip_pruning(model)
        findings.append(_finding("pruning", f"{_zeros(model):.0%} of the kernels' weights are zero, and stay so"))
    if _CLUSTERING in kinds:
        model = _tfmot("taking its wrappers off").clustering.keras.strip_clustering(model)
        findings.append(_finding("clustering", f"kernels hold at most {_values(model)} different values each"))
    return model, findings


def _kinds(model: Any) -> set[str]:
    return {type(layer).__name__ for layer in getattr(model, "layers", [])}


def _tfmot(why: str) -> Any:
    try:
        import tensorflow_model_optimization as tfmot
    except ImportError as error:
        raise MissingDependencyError(_NAME, extra="tfmot", why=why) from error
    return tfmot


def _finding(what: str, then: str) -> Finding:
    return Finding("training-wrappers", "info", f"the {what} wrappers of {_NAME} were taken off; {then}")


def _kernels(model: Any) -> list[Any]:
    return [weight.numpy() for weight in model.trainable_weights if len(weight.shape) > 1]


def _zeros(model: Any) -> float:
    kernels = _kernels(model)
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    return zeros / max(sum(int(kernel.size) for kernel in kernels), 1)


def _values(model: Any) -> int:
    return max((len(np.unique(kernel)) for kernel in _kernels(model)), default=0)
