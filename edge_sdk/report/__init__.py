"""Reports as values, and as text for a terminal."""
