"""Mistakes that can be read off a file, whatever the device; one file per family of rules."""
