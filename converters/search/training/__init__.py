"""Moves that train, what they need, and who runs them."""
