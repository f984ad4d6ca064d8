"""What data cannot say of a delegate's rules: one file or folder for each, and none knows another."""
