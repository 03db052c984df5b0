"""A project of one's own, made from this repository."""
