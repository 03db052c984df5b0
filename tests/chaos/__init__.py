"""Kills parts of a release at random moments, and checks that one more run reaches the same end state."""
