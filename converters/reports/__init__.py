"""What conversions and trainings did, as values."""
