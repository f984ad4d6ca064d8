"""How long a file would take on a device whose kernels were calibrated: *predicted*, per op and in total.

It stands among the checks and not beside the benchmarks, because nothing here is run: a table of kernel times is data,
like a profile, and the placement, fusions and partitions that times depend on are predicted next door. What measures
such a table is :mod:`edge_sdk.measure.calibration`. :func:`~edge_sdk.checks.timing.predicting.op_times` is what other
rooms ask: a file and a table to the time of each op.
"""
