"""Pulumi resources."""
