"""The CI run that published a release, by the APIs of both hosts on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from release.deploying.origin import check_run
from release.errors import ReleaseError
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub

FakeHost = FakeGitHub | FakeAzureDevOps


def job(host: FakeHost, folder: Path) -> dict[str, str]:
    """Return the variables of a job for the branch main."""
    return host.variables(folder, GITHUB_REF="refs/heads/main", BUILD_SOURCEBRANCH="refs/heads/main")


def test_a_run_for_the_branch_of_the_job_is_fine(host: FakeHost, tmp_path: Path) -> None:
    check_run("1234567890", job(host, tmp_path))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ({"event": "pull_request"}, "its event is pull_request"),
        ({"event": "pull_request_target"}, "its event is pull_request_target"),
        ({"head_branch": "evil"}, "its branch is evil"),
        ({"head_repository": {"full_name": "stranger/Hello-World"}}, "its repository is stranger/Hello-World"),
        ({"head_repository": None}, "its repository is unknown"),
    ],
)
def test_an_artifact_of_a_pull_request_is_refused_on_github(
    origin: dict[str, Any], message: str, on_github: FakeGitHub, tmp_path: Path
) -> None:
    on_github.origin.update(origin)
    with pytest.raises(ReleaseError, match=f"run 7 did not publish a release for this job: {message}"):
        check_run("7", job(on_github, tmp_path))


@pytest.mark.attack
@pytest.mark.parametrize("branch", ["refs/pull/22/merge", "refs/heads/evil", ""])
def test_an_artifact_of_another_branch_is_refused_on_azure_devops(
    branch: str, on_azure_devops: FakeAzureDevOps, tmp_path: Path
) -> None:
    on_azure_devops.origin["sourceBranch"] = branch
    with pytest.raises(ReleaseError, match=f"its branch is {branch or 'unknown'}"):
        check_run("7", job(on_azure_devops, tmp_path))


@pytest.mark.attack
@pytest.mark.parametrize("status", ["diverged", "behind"])
def test_a_commit_that_is_not_on_the_branch_is_refused_on_github(
    status: str, on_github: FakeGitHub, tmp_path: Path
) -> None:
    """GitHub gives the name of a tag as the branch of its run, and everybody who can push can push a tag `main`."""
    on_github.compared = status
    with pytest.raises(ReleaseError, match="its commit, which the commit of this job does not contain, is 5f5b063f"):
        check_run("7", job(on_github, tmp_path))


@pytest.mark.attack
def test_a_commit_that_is_not_on_the_branch_is_refused_on_azure_devops(
    on_azure_devops: FakeAzureDevOps, tmp_path: Path
) -> None:
    """Who may start a pipeline for a branch selects the commit."""
    on_azure_devops.base = "0" * 40
    with pytest.raises(ReleaseError, match="its commit, which the commit of this job does not contain, is 5f5b063f"):
        check_run("7", job(on_azure_devops, tmp_path))
    # A pipeline for a repository that is elsewhere has no such commits.
    on_azure_devops.origin["repository"]["type"] = "GitHub"
    check_run("7", job(on_azure_devops, tmp_path))


@pytest.mark.attack
@pytest.mark.parametrize("run", ["", "7/../8", "7?x=1", "-1", "\u0667", "latest"])
def test_a_run_has_a_number(run: str, host: FakeHost, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is not the id of a CI run"):
        check_run(run, job(host, tmp_path))
    assert host.requests == []


def test_a_host_that_does_not_say_it_stops_the_release(host: FakeHost, tmp_path: Path) -> None:
    host.refuse("GET", 404, {"message": "Not Found"})
    with pytest.raises(ReleaseError, match="the origin of run 7 is unknown"):
        check_run("7", job(host, tmp_path))
    with pytest.raises(ReleaseError, match="is not set"):
        check_run("7", {"GITHUB_ACTIONS": "true"})
    with pytest.raises(ReleaseError, match="is for a job of GitHub Actions or Azure Pipelines"):
        check_run("7", {})
