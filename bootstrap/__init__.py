"""Machine set-up: one command that installs every tool of the project. It needs only Python, git and make.

This package imports only the standard library, because it runs before anything is installed.
"""
