"""What delegates take, as data: one TOML file each; ``edge_sdk.check.rules`` reads them."""
