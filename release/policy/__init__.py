"""Holds what an update would deploy against the rules in `policy/`."""
