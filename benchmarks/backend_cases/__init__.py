"""ONNX's own backend node tests, through ours and through a peer."""
