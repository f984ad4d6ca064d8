"""Samples for calibration, comparison and runs: read lazily, checked against a signature, spooled to disk.

A *sample* is one call of the model: a dict of input name to array of the input's whole shape (batch included).
Nothing here holds more than one sample in memory.
"""

from edge_sdk.data.checks import DataFacts, SampleCheck, check_samples
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.opening import DataSource, open_data
from edge_sdk.data.seeded import seeded_samples
from edge_sdk.data.store import SampleStore, spool

__all__ = [
    "DataFacts",
    "DataSource",
    "ImageOptions",
    "SampleCheck",
    "SampleStore",
    "check_samples",
    "open_data",
    "seeded_samples",
    "spool",
]
