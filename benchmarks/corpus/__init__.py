"""Architectures that others publish, through our lowering and through the peers'."""
