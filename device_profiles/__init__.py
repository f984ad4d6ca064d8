"""Devices as data: one TOML file each, chips in socs/; ``edge_sdk.profile`` reads them."""
