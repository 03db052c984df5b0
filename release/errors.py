"""The error that a user of the release sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from release.untrusted import shown

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError


class ReleaseError(click.ClickException):
    """A command failed. Click prints the message, with the fix on its own line, and exits with code 1."""

    def __init__(self, message: str, fix: str = "") -> None:
        """Take the problem, and a command or edit that solves it."""
        super().__init__(f"{message}\n  fix: {fix}" if fix else message)

    def format_message(self) -> str:
        """Return the message as Click prints it: its parts come from Azure, jobs and files too."""
        return shown(self.message)


class PassingError(ReleaseError):
    """Azure failed, throttled or did not answer. The same command can succeed some seconds later."""


class RenamedError(ReleaseError):
    """An update would replace resources because their names have changed. Nothing was changed."""


class ExistingError(ReleaseError):
    """Resources could not be created, because they exist in Azure.

    `existing` has their ids by URN, and `wanted` what the update wanted to create, as the state would have it.
    """

    def __init__(self, message: str, existing: Mapping[str, str], wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the problem, and the resources."""
        super().__init__(message)
        self.existing = dict(existing)
        self.wanted = dict(wanted)


def first_line(error: AzureError) -> str:
    """Return the first line of an Azure error's message. The other lines repeat it."""
    return str(error.message).partition("\n")[0]
