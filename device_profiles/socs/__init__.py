"""Chips that devices share."""
