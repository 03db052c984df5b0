"""The error that a user of the release sees."""

import click


class ReleaseError(click.ClickException):
    """A command failed. Click prints the message, with the fix on its own line, and exits with code 1."""

    def __init__(self, message: str, fix: str = "") -> None:
        """Take the problem, and a command or edit that solves it."""
        super().__init__(f"{message}\n  fix: {fix}" if fix else message)
