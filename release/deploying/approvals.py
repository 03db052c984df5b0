"""Who approved a deployment, as the CI host that runs the job knows it.

Neither host tells a job who approved it, so this asks their REST APIs: GitHub's "Get the review history for a workflow
run", and Azure DevOps' build timeline and approvals. The job's own token is enough: on GitHub with the permission
`actions: read`, on Azure DevOps as the variable SYSTEM_ACCESSTOKEN.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from release.deploying.host_api import API_VERSION, GITHUB_JSON, get, github_repository, project
from release.errors import ReleaseError, first_line

# The variables that say what to ask.
_GITHUB: Sequence[str] = ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
_AZURE_DEVOPS: Sequence[str] = (
    "SYSTEM_ACCESSTOKEN", "SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECTID", "BUILD_BUILDID", "SYSTEM_STAGENAME",
)  # fmt: skip


def approver(stack: str, say: Callable[[str], None], environment: Mapping[str, str] = os.environ) -> str | None:
    """Return who approved the deployment of a stack. None outside a CI job, or if it needed no approval.

    Args:
        stack: Name of the stack, which is the name of the host's environment.
        say: Takes a line if the host does not say who approved it.
        environment: Variables of the job.

    Raises:
        ReleaseError: Somebody rejected the deployment.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        host, ask, needs = "GitHub", _github, "GITHUB_TOKEN, and the job the permission `actions: read`"
        variables = _GITHUB
    elif environment.get("TF_BUILD", "").lower() == "true":
        host, ask, needs = "Azure DevOps", _azure_devops, "SYSTEM_ACCESSTOKEN: $(System.AccessToken)"
        variables = _AZURE_DEVOPS
    else:
        return None
    from azure.core.exceptions import AzureError, HttpResponseError

    from release.hosts.rest import HostError, understood

    missing = next((name for name in variables if name not in environment), None)
    if missing is not None:
        say(f"{host} does not say who approved this ({missing} is not set); give the step {needs}")
        return None
    try:
        with understood(host):
            names = ask(stack, environment)
    except (AzureError, HostError) as error:
        if isinstance(error, HostError):
            reason = error.message.partition("\n")[0]
        elif isinstance(error, HttpResponseError):
            reason = f"{error.status_code} {error.reason}"
        else:
            reason = first_line(error)
        say(f"{host} does not say who approved this ({reason}); give the step {needs}")
        return None
    return ", ".join(dict.fromkeys(names)) or None


def _github(stack: str, environment: Mapping[str, str]) -> list[str]:
    url = f"{github_repository(environment)}/actions/runs/{environment['GITHUB_RUN_ID']}/approvals"
    reviews = [
        each
        for each in get(url, environment["GITHUB_TOKEN"], GITHUB_JSON)
        if stack in (place["name"] for place in each["environments"])
    ]
    # A run that is started again has the reviews of its earlier attempts too. The last one counts.
    if reviews and reviews[-1]["state"] == "rejected":
        raise _rejected(stack, reviews[-1]["user"]["login"], reviews[-1].get("comment"))
    return [each["user"]["login"] for each in reviews[-1:] if each["state"] == "approved"]


def _azure_devops(stack: str, environment: Mapping[str, str]) -> list[str]:
    token = environment["SYSTEM_ACCESSTOKEN"]
    build = f"{project(environment)}/_apis/build/builds/{environment['BUILD_BUILDID']}"
    records = get(f"{build}/timeline?api-version={API_VERSION}", token)["records"]
    ids = list(_approvals(records, environment["SYSTEM_STAGENAME"]))
    if not ids:
        return []
    query = f"approvalIds={','.join(ids)}&$expand=steps&api-version={API_VERSION}"
    url = f"{project(environment)}/_apis/pipelines/approvals?{query}"
    steps = [step for each in get(url, token)["value"] for step in each.get("steps") or []]
    for step in steps:
        if step["status"] == "rejected":
            raise _rejected(stack, _name(step), step.get("comment"))
    return [_name(step) for step in steps if step["status"] == "approved"]


def _approvals(records: Iterable[Mapping[str, Any]], stage: str) -> Iterable[str]:
    """Yield the ids of a stage's approvals: their records are below the stage's checkpoint."""
    by_id = {each["id"]: each for each in records}
    for each in by_id.values():
        if each["type"] != "Checkpoint.Approval":
            continue
        parent = by_id.get(each.get("parentId"))
        while parent is not None and parent["type"] != "Stage":
            parent = by_id.get(parent.get("parentId"))
        if parent is not None and stage in (parent.get("identifier"), parent.get("name")):
            yield str(each["id"])


def _name(step: Mapping[str, Any]) -> str:
    who = step.get("actualApprover") or step["assignedApprover"]
    return str(who.get("displayName") or who.get("uniqueName") or who["id"])


def _rejected(stack: str, who: str, comment: str | None) -> ReleaseError:
    said = f": {comment}" if comment else ""
    return ReleaseError(f"{who} rejected the deployment to '{stack}'{said}. Nothing was changed")
