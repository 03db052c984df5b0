"""The CI run that published a release: it must have run for the branch of this job.

Everybody who can open a pull request can change what its run writes, and its artifact can have the name of a release.
GitHub's "Get a workflow run" and Azure DevOps' "Builds - Get" say what a run was for. The name of its branch is not
enough: GitHub gives the name of a tag there too, and Azure DevOps runs any commit for a branch. Therefore, the commit
of this job must contain that of the run, which GitHub's "Compare two commits" and Azure DevOps' "Merge Bases - List"
say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from release.deploying.host_api import API_VERSION, GITHUB_JSON, get, github_repository, project
from release.errors import ReleaseError, first_line

_EVENTS = ("push", "schedule", "workflow_dispatch")
_HEADS = "refs/heads/"
_COMMIT = "its commit, which the commit of this job does not contain,"
# What GitHub calls the commit of this job, compared with that of the run.
_WITHIN = ("ahead", "identical")
_AZURE_REPOS = "TfsGit"
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

    from release.hosts.rest import understood

    if not (run.isascii() and run.isdecimal()):
        raise ReleaseError(f"{run!r} is not the id of a CI run", fix="use the number in the address of the run")
    if environment.get("GITHUB_ACTIONS") == "true":
        host, ask = "GitHub", _github
    elif environment.get("TF_BUILD", "").lower() == "true":
        host, ask = "Azure DevOps", _azure_devops
    else:
        raise ReleaseError("--run is for a job of GitHub Actions or Azure Pipelines", fix="omit it elsewhere")
    variables = _Variables(environment)
    try:
        with understood(host):
            found, wanted = ask(run, variables)
    except AzureError as error:
        raise ReleaseError(
            f"the origin of run {run} is unknown: {first_line(error)}",
            fix="check the id, and on GitHub give the job the permission `actions: read`",
        ) from error
    differs = [f"{key} is {found[key] or 'unknown'}" for key in wanted if found[key] != wanted[key]]
    if differs:
        raise ReleaseError(f"run {run} did not publish a release for this job: {', '.join(differs)}", fix=_FIX)


class _Variables(dict[str, str]):
    """The variables of a job, of which none may be missing."""

    def __missing__(self, name: str) -> str:
        raise ReleaseError(f"the origin of the run is unknown: {name} is not set")


def _github(run: str, environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    repository, token = github_repository(environment), environment["GITHUB_TOKEN"]
    answer = get(f"{repository}/actions/runs/{run}", token, GITHUB_JSON)
    event = str(answer.get("event"))
    found = {
        "its repository": str((answer.get("head_repository") or {}).get("full_name") or ""),
        "its branch": str(answer.get("head_branch") or ""),
        "its event": event,
    }
    branch = environment["GITHUB_REF"].removeprefix(_HEADS)
    own = {"its repository": environment["GITHUB_REPOSITORY"], "its branch": branch}
    wanted = {**own, "its event": event if event in _EVENTS else _EVENTS[0]}
    if found != wanted:
        return found, wanted
    commit, here = answer["head_sha"], environment["GITHUB_SHA"]
    compared = get(f"{repository}/compare/{commit}...{here}?per_page=1", token, GITHUB_JSON)
    within = commit if compared["status"] in _WITHIN else ""
    return {_COMMIT: commit}, {_COMMIT: within}


def _azure_devops(run: str, environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    token = environment["SYSTEM_ACCESSTOKEN"]
    answer = get(f"{project(environment)}/_apis/build/builds/{run}?api-version={API_VERSION}", token)
    repository = answer.get("repository") or {}
    found = {"its repository": str(repository.get("id") or ""), "its branch": str(answer.get("sourceBranch") or "")}
    # The branch of a pull request is refs/pull/<number>/merge.
    own = {"its repository": environment["BUILD_REPOSITORY_ID"], "its branch": environment["BUILD_SOURCEBRANCH"]}
    if found != own or repository.get("type") != _AZURE_REPOS:
        return found, own
    commit, here = answer["sourceVersion"], environment["BUILD_SOURCEVERSION"]
    bases = get(
        f"{project(environment)}/_apis/git/repositories/{repository['id']}/commits/{here}/mergebases"
        f"?otherCommitId={commit}&api-version={API_VERSION}",
        token,
    )
    within = commit if commit in [each["commitId"] for each in bases["value"]] else ""
    return {_COMMIT: commit}, {_COMMIT: within}
