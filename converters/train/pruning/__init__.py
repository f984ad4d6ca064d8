"""Pruning: weights to zero, or whole channels taken out, by a score, under a budget."""
