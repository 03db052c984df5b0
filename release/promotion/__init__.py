"""Promote models from one stack to another."""
