"""Quantization-aware training in Keras 3 and tf_keras: the engine is a model of the source's own generation."""

from __future__ import annotations

import importlib
from typing import Any

from edge_sdk.converters.replay.engine import Gate
from edge_sdk.converters.replay.steps import Plan
from edge_sdk.converters.sources.from_keras import generation_of
from edge_sdk.converters.train.qat.stage import QatBase


class QatStage(QatBase):
    """See :class:`QatBase`; the engine is a Keras model."""

    def build(self, plan: Plan, inputs: tuple[Gate, ...], outputs: tuple[Gate, ...]) -> Any:
        """A ``keras.Model`` or ``tf_keras.Model``."""
        from edge_sdk.converters.replay.engine_keras import graph_model_class

        kind = graph_model_class(importlib.import_module(generation_of(self.context.framework.model)))
        return kind(plan, inputs, outputs, learned=self.settings.ranges == "learned")
