"""Random ONNX graphs, drawn by hypothesis: a chain in the making, and a table of steps for each family of ops."""
