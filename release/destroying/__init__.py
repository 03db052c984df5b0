"""Destroy a stack."""
