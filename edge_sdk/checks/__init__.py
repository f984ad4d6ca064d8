"""What a device will do with a file, before it is there. All of it is *predicted*; XNNPACK.md holds the facts."""
