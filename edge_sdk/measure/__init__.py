"""Measuring: latency of models on this machine, with the conditions under which it was taken, or INVALID."""
