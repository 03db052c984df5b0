"""Pulumi resources and their typed arguments."""
