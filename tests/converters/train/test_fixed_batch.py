"""Programs that were exported for one batch alone: trained on batches of any size all the same, or told what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.errors import TrainingError

pytestmark = pytest.mark.torch


def _framework(batch: int) -> tuple[Any, Any]:
    import torch
    from torch import nn

    from edge_sdk.converters.train.framework_torch import TorchFramework

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3)).eval()
    program = torch.export.export(model, (torch.zeros(batch, 1, 6, 6),))
    return TorchFramework(program, SourceOptions()), model


def test_a_batch_of_one_is_run_for_each_sample() -> None:
    import torch

    framework, model = _framework(1)
    (spec,) = framework.inputs
    images = np.random.default_rng(0).standard_normal((5, 1, 6, 6)).astype(np.float32)
    (found,) = framework.predict(framework.model, {spec.name: images}).values()
    with torch.no_grad():
        np.testing.assert_allclose(found, model(torch.from_numpy(images)).numpy(), rtol=1e-5, atol=1e-6)


def test_stages_that_change_layers_ask_for_the_module_before_anything_is_traced() -> None:
    from edge_sdk.converters.train.pruning.structure import structure_of

    framework, _ = _framework(1)
    context: Any = SimpleNamespace(framework=framework)
    with pytest.raises(TrainingError, match="an exported program is fixed in eval mode"):
        structure_of(context, framework.model)


def test_a_batch_that_does_not_go_into_it_is_told() -> None:
    framework, _ = _framework(2)
    (spec,) = framework.inputs
    images = np.zeros((3, 1, 6, 6), np.float32)
    with pytest.raises(TrainingError, match="batch of 2, which 3 samples are no multiple of"):
        framework.predict(framework.model, {spec.name: images})
