"""How PyTorch modules are called and exported, and what they hide: state, numbers, quantizers, open rows."""
