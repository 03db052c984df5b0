"""Errors in the format of a Kubernetes API server."""

from __future__ import annotations

from http import HTTPStatus

from amlite.core.errors import AzureError
from amlite.core.wire import Json


class KubernetesError(AzureError):
    """A refusal that becomes a `Status` object. `code` is its reason, such as `NotFound`, or empty."""

    def __init__(self, status: int, reason: str, message: str, *, details: list[Json] | None = None) -> None:
        super().__init__(status, reason, message, details=details)

    def body(self) -> Json:
        """Return the `Status` object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.code} if self.code else {}),
            **({"details": {"causes": self.details}} if self.details else {}),
            "code": self.status,
        }


def refusal(status: int, _code: str, message: str) -> KubernetesError:
    """Build the error for a refusal by amlite's core, such as a missing token."""
    reasons = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}
    return KubernetesError(status, reasons.get(status, HTTPStatus(status).phrase.replace(" ", "")), message)


def not_found(resource: str, name: str) -> KubernetesError:
    """Build the 404 of an object. `resource` is the plural with its group, such as `storageclasses.storage.k8s.io`."""
    return KubernetesError(404, "NotFound", f'{resource} "{name}" not found')


def invalid(kind: str, name: str, *problems: str) -> KubernetesError:
    """Build the 422 of an object. `kind` has its group, such as `StorageClass.storage.k8s.io`."""
    told = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    return KubernetesError(422, "Invalid", f'{kind} "{name}" is invalid: {told}')
