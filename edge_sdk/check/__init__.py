"""What a device's delegates will do with a file, before it is there. All of it is *predicted*."""
