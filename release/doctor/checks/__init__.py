"""The checks, one module per concern. Each has a function `check` that yields findings and changes nothing."""
