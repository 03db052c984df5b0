"""The CI run that published a release: it must have run for the branch of this job.

Everybody who can open a pull request can change what its run writes, and its artifact can have the name of a release.
GitHub's "Get a workflow run" and Azure DevOps' "Builds - Get" say what a run was for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from release.deploying.host_api import API_VERSION, GITHUB_JSON, get, github_repository, project
from release.errors import ReleaseError, first_line

_EVENTS = ("push", "schedule", "workflow_dispatch")
_HEADS = "refs/heads/"
_FIX = "use a run for the branch of this job, which published the release"


def check_run(run: str, environment: Mapping[str, str] = os.environ) -> None:
    """Check that a CI run was for this repository and the branch of this job.

    Args:
        run: Id of the run.
        environment: Variables of the job.

    Raises:
        ReleaseError: It was for something else, the host does not say so, or this is no CI job.
    """
    from azure.core.exceptions import AzureError

    if not (run.isascii() and run.isdecimal()):
        raise ReleaseError(f"{run!r} is not the id of a CI run", fix="use the number in the address of the run")
    try:
        if environment.get("GITHUB_ACTIONS") == "true":
            found, wanted = _github(run, environment)
        elif environment.get("TF_BUILD", "").lower() == "true":
            found, wanted = _azure_devops(run, environment)
        else:
            raise ReleaseError("--run is for a job of GitHub Actions or Azure Pipelines", fix="omit it elsewhere")
    except KeyError as error:
        raise ReleaseError(f"the origin of run {run} is unknown: {error.args[0]} is not set") from error
    except AzureError as error:
        raise ReleaseError(
            f"the origin of run {run} is unknown: {first_line(error)}",
            fix="check the id, and on GitHub give the job the permission `actions: read`",
        ) from error
    differs = [f"{key} is {found[key] or 'unknown'}" for key in wanted if found[key] != wanted[key]]
    if differs:
        raise ReleaseError(f"run {run} did not publish a release for this job: {', '.join(differs)}", fix=_FIX)


def _github(run: str, environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    answer = get(f"{github_repository(environment)}/actions/runs/{run}", environment["GITHUB_TOKEN"], GITHUB_JSON)
    event = str(answer.get("event"))
    found = {
        "its repository": str((answer.get("head_repository") or {}).get("full_name") or ""),
        "its branch": str(answer.get("head_branch") or ""),
        "its event": event,
    }
    branch = environment["GITHUB_REF"].removeprefix(_HEADS)
    own = {"its repository": environment["GITHUB_REPOSITORY"], "its branch": branch}
    return found, {**own, "its event": event if event in _EVENTS else _EVENTS[0]}


def _azure_devops(run: str, environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    url = f"{project(environment)}/_apis/build/builds/{run}?api-version={API_VERSION}"
    answer = get(url, environment["SYSTEM_ACCESSTOKEN"])
    repository = answer.get("repository") or {}
    found = {"its repository": str(repository.get("id") or ""), "its branch": str(answer.get("sourceBranch") or "")}
    # The branch of a pull request is refs/pull/<number>/merge.
    return found, {
        "its repository": environment["BUILD_REPOSITORY_ID"],
        "its branch": environment["BUILD_SOURCEBRANCH"],
    }
