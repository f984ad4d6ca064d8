"""A file opened in an engine, with or without a delegate: arrays in, arrays out."""
