"""Bring up a stack."""
