"""Several .tflite files, or a file and what stands around it, as one file: chains, ensembles, processing inside."""

from edge_sdk.converters.composing.compose import Composed, chain, embed, ensemble
from edge_sdk.converters.composing.processing import ArgMax, OutputStep, Pixels, Softmax, TopK
from edge_sdk.converters.composing.suppressing import Nms

__all__ = ["ArgMax", "Composed", "Nms", "OutputStep", "Pixels", "Softmax", "TopK", "chain", "embed", "ensemble"]
