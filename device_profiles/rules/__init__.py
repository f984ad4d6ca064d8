"""What delegates take, as data: one TOML file each; ``edge_sdk.checks.placement.rules`` reads them."""
