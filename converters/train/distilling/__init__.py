"""Distillation: a teacher's outputs and layers are part of the loss."""
