"""Recipes, and training by them."""

from __future__ import annotations

from typing import Any

from edge_sdk.errors.base import EdgeSdkError


class TrainingError(EdgeSdkError):
    """Training cannot begin or go on.

    Args:
        message: what happened, in which stage, epoch and step.
        hint: the next thing to try.
        checkpoint: folder of the last good state, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, checkpoint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.checkpoint = checkpoint

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "checkpoint": self.checkpoint}


class CheckpointError(TrainingError):
    """A checkpoint belongs to another recipe, seed or model, or is damaged."""


class RecipeError(EdgeSdkError):
    """A recipe is unknown or ill-formed, or asks for what cannot be combined."""
