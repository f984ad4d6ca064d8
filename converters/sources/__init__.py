"""Front ends, one file each: a trained model, loaded and run as its own framework does."""
