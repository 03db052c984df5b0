"""What tests against amlite share: fixtures that a conftest.py imports, and helpers."""
