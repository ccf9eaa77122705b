"""What people write: feeds, APIs and row schemas in YAML, settings in the environment. Read here, used elsewhere."""
