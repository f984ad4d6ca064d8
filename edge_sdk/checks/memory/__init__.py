"""The bytes that a file needs: tensors, scratch, the arena, an engine's heap. All of it is *predicted*."""
