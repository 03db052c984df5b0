"""amlite as people install it."""

from amlite_fixtures.installation import installed, installed_for_tests, new_shell, wheel

__all__ = ["installed", "installed_for_tests", "new_shell", "wheel"]
