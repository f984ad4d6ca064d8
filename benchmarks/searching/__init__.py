"""Searches of `optimize` beside others, and sweeps whose parts are killed."""
