"""Training before a file is made: distillation, pruning, clustering and quantization-aware training."""
