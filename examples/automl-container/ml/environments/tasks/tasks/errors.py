"""One clear error for a task that fails."""

from __future__ import annotations

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError


class TaskError(Exception):
    """A task cannot do its work. The message has the reason and the fix."""


def reason(error: Exception, client_id: str) -> str:
    """Return the reason of a failure in one line, with the fix if the identity is the cause."""
    line = first_line(error)
    if isinstance(error, ClientAuthenticationError):
        return f"cannot sign in as managed identity '{client_id}': {line} Fix: assign the identity to the cluster."
    if isinstance(error, HttpResponseError) and error.status_code == 403:
        return f"{line} Fix: give the cluster's identity the role that task_access.py defines."
    return line


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    message = str(getattr(error, "message", None) or error)
    return next((line.strip() for line in message.splitlines() if line.strip()), type(error).__name__)
