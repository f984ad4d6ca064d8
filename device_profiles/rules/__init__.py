"""What delegates take, as data: one TOML file each; ``edge_sdk.checks.rules`` reads them."""
