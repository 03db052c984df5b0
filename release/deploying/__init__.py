"""Deploy a release to a stack, and go back to an earlier version."""
