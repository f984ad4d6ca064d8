"""What a user writes without edge-sdk, as each tool's own documentation shows it."""
