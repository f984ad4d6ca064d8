"""Training before a file is made: distillation, pruning, clustering and quantization-aware training.

``train`` takes a model, data, a loss (or the user's own step or loop) and a recipe with a ``[train]`` table, and gives
back a model for the line that every other model goes down. README.md of the converters says how to add a stage.
"""

from __future__ import annotations

from edge_sdk.converters.train.stage import Batch, Context, Moment, PlainStage, Stage
from edge_sdk.converters.train.stages import STAGES
from edge_sdk.converters.train.training import TrainedModel, TrainOptions, train

__all__ = [
    "STAGES",
    "Batch",
    "Context",
    "Moment",
    "PlainStage",
    "Stage",
    "TrainOptions",
    "TrainedModel",
    "train",
]
