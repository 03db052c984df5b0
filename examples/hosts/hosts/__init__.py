"""The hosts of a platform repository, one module each."""
