"""Running a .tflite file here: engines, and runs by input and output name."""

from edge_sdk.runtime.engines import ENGINES, Engine, find_engine
from edge_sdk.runtime.runner import Runner

__all__ = ["ENGINES", "Engine", "Runner", "find_engine"]
