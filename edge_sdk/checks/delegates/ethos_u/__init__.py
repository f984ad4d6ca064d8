"""Arm's Ethos-U: what Vela places on it by our reading, and what Vela itself says."""
