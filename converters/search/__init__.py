"""The best file for a device under budgets, found with few evaluations; and many of them, as a table."""
