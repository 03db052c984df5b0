"""Errors in the format of Azure's control planes."""

from __future__ import annotations

import json

from amlite.core.wire import Json


class AzureError(Exception):
    """A refusal that becomes `{"error": {"code", "message", "details"}}` with an HTTP status.

    Source: the OData v4 error contract of the Azure REST API guidelines.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[Json] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"({code}) {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        self.headers = headers or {}

    def body(self) -> Json:
        """Return the JSON body that Azure would send."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}

    def content(self) -> tuple[str, str]:
        """Return the response's text and content type."""
        return json.dumps(self.body()), "application/json"


class StartError(Exception):
    """amlite cannot start or reach one of its child processes. The message names the cause and the fix."""
