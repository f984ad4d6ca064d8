"""Models made by code from a seed."""
