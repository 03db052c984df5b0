"""Component resources of the platform, one concern each: typed arguments in, a few outputs out."""
