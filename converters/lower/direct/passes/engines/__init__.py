"""What engines have kernels for, integer kernels included."""
