"""Accuracy won back from calibration data alone: weights rounded anew, learned, and a span of ops left in float."""
