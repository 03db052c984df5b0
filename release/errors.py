"""What stops a release, in words that say what to do."""

import click


class ReleaseError(click.ClickException):
    """A release step failed; the message is all a user needs. Exit code 1."""
