"""The checks, one concern each. Each module has a function `check` that yields findings and changes nothing."""
