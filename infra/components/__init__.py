"""The component resources of the platform. Each has typed arguments and a few outputs."""
