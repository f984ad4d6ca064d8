"""edge-sdk's int8 files against what a user would pick instead, each in its own environment, taken in turn."""
