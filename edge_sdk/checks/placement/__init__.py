"""Which ops a delegate takes: rules as data, asked op by op, and the partitions that come of it."""
