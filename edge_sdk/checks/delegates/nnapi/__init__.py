"""Android's NNAPI."""
