"""What is timed once on a device so that files can be predicted there: kernels, small networks."""
