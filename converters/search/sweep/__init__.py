"""Many conversions and searches as one table: a plan, its jobs, what runs them, and what became better or worse."""
