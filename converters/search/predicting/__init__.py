"""What is expected of files that were not made: groups of ops, their damage and time, and which file to ask next."""
