"""Weights and biases brought to fewer bits: rounded, corrected, equalized, tuned."""
