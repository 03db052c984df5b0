"""Publish a trained model: share what it needs with the registry, and describe it in a file."""
