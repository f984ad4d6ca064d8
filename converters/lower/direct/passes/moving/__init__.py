"""Moves of elements: cancelled, carried past what does not mind, made part of weights."""
