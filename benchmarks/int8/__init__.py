"""Trained networks in int8 by several ways, verdicts on right and broken files, and what they share."""
