"""XNNPACK as the released engines have it: what it claims, and the memory that it takes. README.md has the sources."""
