"""Ranges of activations: what is seen, what is cut off, what the ops that read them need."""
