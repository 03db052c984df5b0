"""The local Azure without any service of it."""
