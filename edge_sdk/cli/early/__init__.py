"""What can be known to be wrong before a toolchain is imported, told in the first second."""

from edge_sdk.cli.early.paths import check_data, check_patterns, check_source
from edge_sdk.cli.early.shapes import check_shapes

__all__ = ["check_data", "check_patterns", "check_shapes", "check_source"]
