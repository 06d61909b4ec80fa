"""The config files: their sections, loading, writing and description."""
