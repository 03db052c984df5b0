"""The continuous integration jobs that amlite simulates, and the variables that their runners would set."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json

# These are not hosts of GitHub or Azure DevOps. Runners set the addresses in environment variables.
HOST = "ci.amlite.internal"
GITHUB, AZURE_DEVOPS = "github", "azureDevOps"
_ISSUERS: Mapping[str, str] = {
    GITHUB: "https://token.actions.githubusercontent.com",
    AZURE_DEVOPS: "https://vstoken.dev.azure.com/10ca1000-0000-4000-a000-616d6c697465",
}
# The lifetime of an ID token. Source: the times in users' reports (Azure/login#372, dotnet/docker-tools#1310).
_SECONDS: Mapping[str, int] = {GITHUB: 300, AZURE_DEVOPS: 600}
_TYPE = "ci/jobs"


def begin(platform: Platform, wanted: Json) -> tuple[Json, dict[str, str]]:
    """Start a job and return it with its variables. Raises AzureError 400 for an unknown kind or a missing subject."""
    kind, subject = str(wanted.get("kind")), wanted.get("subject")
    if kind not in _ISSUERS or not isinstance(subject, str) or not subject:
        raise AzureError(400, "InvalidJob", f"'kind' must be one of {', '.join(_ISSUERS)}, and 'subject' a text.")
    job: Json = {
        "id": str(uuid.uuid4()),
        "kind": kind,
        "issuer": wanted.get("issuer") or _ISSUERS[kind],
        "subject": subject,
        "seconds": int(wanted.get("seconds") or _SECONDS[kind]),
        "connection": str(uuid.uuid4()),
        "token": secrets.token_urlsafe(24),
    }
    platform.store.put(f"{_TYPE}/{job['id']}", _TYPE, job)
    return job, _variables(job)


def job_of(platform: Platform, id: str, kind: str, bearer: str | None) -> Json:
    """Return the job that sends a request. Raises AzureError 401 unless the request has the job's token."""
    document: Document | None = platform.store.get(f"{_TYPE}/{id}")
    if document is None or document.body["kind"] != kind or bearer is None:
        raise AzureError(401, "Unauthorized", "The job or its token is unknown.")
    if not secrets.compare_digest(document.body["token"].encode(), bearer.encode()):
        raise AzureError(401, "Unauthorized", "The job or its token is unknown.")
    return document.body


def _variables(job: Json) -> dict[str, str]:
    address = f"https://{HOST}/{job['kind']}/{job['id']}"
    if job["kind"] == GITHUB:
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/idtoken?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": job["token"],
        }
    return {
        "TF_BUILD": "True",
        "SYSTEM_OIDCREQUESTURI": f"{address}/oidctoken",
        "SYSTEM_ACCESSTOKEN": job["token"],
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": job["connection"],
    }
