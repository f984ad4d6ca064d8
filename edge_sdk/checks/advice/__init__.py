"""What would help a delegate most: changes tried on the graph's description, each placed again by the same rules."""
