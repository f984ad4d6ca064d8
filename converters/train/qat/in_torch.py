"""Quantization-aware training in PyTorch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from edge_sdk.converters.replay.engine import Gate
from edge_sdk.converters.replay.steps import Plan
from edge_sdk.converters.train.qat.stage import QatBase


class QatStage(QatBase):
    """See :class:`QatBase`; the engine is an ``nn.Module`` on the source's device."""

    def _template_options(self) -> dict[str, Any]:
        """TensorFlow's quantizer splits what the direct lowering writes into other ops, and none could be told apart.

        Where it makes the template, onnx2tf lowers the model, whose ops it leaves as they are.
        """
        return {"lowering": "onnx2tf"} if find_spec("tensorflow") and find_spec("onnx2tf") else {}

    def build(self, plan: Plan, inputs: tuple[Gate, ...], outputs: tuple[Gate, ...]) -> Any:
        """An ``nn.Module``."""
        from edge_sdk.converters.replay.engine_torch import GraphModule

        source = self.context.framework.model
        module = GraphModule(plan, inputs, outputs, learned=self.settings.ranges == "learned")
        parameter = next(iter(source.parameters()), None)
        return module if parameter is None else module.to(parameter.device)
