"""Vela's own placement of small files built by code: the oracle of ``device_profiles/rules/ethos_u*.toml``."""
