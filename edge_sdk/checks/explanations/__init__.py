"""What every rule id means, as data: `edge-sdk check --explain RULE`. One file per kind of rule."""
