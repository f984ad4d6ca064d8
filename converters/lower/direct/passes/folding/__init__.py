"""Computations: fused, and taken into weights, biases and borders."""
