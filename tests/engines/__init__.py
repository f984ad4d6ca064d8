"""Delegates: what each does with a model, and with everything that can be wrong."""
