"""The Android demo app: sources of the app, and what its build needs."""
