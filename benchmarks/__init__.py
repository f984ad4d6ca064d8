"""Measurements against what a user would take instead, and what of the field converts."""
