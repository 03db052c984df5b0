"""The host of this CI job, or of the one that the user names."""

from __future__ import annotations

from collections.abc import Mapping

from release.errors import ReleaseError
from release.hosts.azure_devops import AzureDevOps
from release.hosts.github import GitHub

Host = GitHub | AzureDevOps


def connect(variables: Mapping[str, str], host: str | None, repository: str | None) -> Host:
    """Return the host.

    Args:
        variables: The environment.
        host: `github` or `azure-devops`. Default: the one whose variables are set.
        repository: The repository in place of the job's.

    Raises:
        ReleaseError: No host is named, and this is no job of either. Or the job's variables are incomplete.
    """
    if host == "github" or (host is None and variables.get("GITHUB_ACTIONS")):
        return GitHub(variables, repository)
    if host == "azure-devops" or (host is None and variables.get("TF_BUILD")):
        return AzureDevOps(variables, repository)
    raise ReleaseError(
        "this is not a job of GitHub Actions or Azure Pipelines",
        fix="use --host and --repository, or --dry-run to print the text",
    )


def writer(variables: Mapping[str, str], host: str | None, repository: str | None) -> tuple[str | None, int]:
    """Return the page of the run and the limit of a text. Without a host, there is no page, and GitHub's limit."""
    if host is None and not (variables.get("GITHUB_ACTIONS") or variables.get("TF_BUILD")):
        return None, GitHub.limit
    there = connect(variables, host, repository)
    return there.run, there.limit
