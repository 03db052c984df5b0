"""Errors in the format of Databricks' REST API."""

from __future__ import annotations

import json

from amlite.core.errors import AzureError


class DatabricksError(AzureError):
    """A refusal that becomes `{"error_code", "message"}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)

    def content(self) -> tuple[str, str]:
        """Return the response's text and content type."""
        return json.dumps({"error_code": self.code, "message": self.message}), "application/json"


def invalid(message: str) -> DatabricksError:
    """Return the error for a request that cannot be met as it is."""
    return DatabricksError(400, "INVALID_PARAMETER_VALUE", message)


def unknown(message: str) -> DatabricksError:
    """Return the error for something that does not exist."""
    return DatabricksError(404, "RESOURCE_DOES_NOT_EXIST", message)
