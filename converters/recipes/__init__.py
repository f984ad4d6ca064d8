"""Built-in recipes: one TOML file each, file name == recipe name."""
