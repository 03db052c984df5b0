"""Who approved a deployment, by the APIs of GitHub and Azure DevOps: their recorded shapes, served on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from release.deploying.approvals import approver
from release.errors import ReleaseError
from tests.hosts.server import Answer, FakeHost, Request

TOKEN = "a-token"
APPROVAL = "ee14f612-6838-43c0-b445-db238ef14153"


class Host(FakeHost):
    """Answers by path, to requests with the job's token only, as both hosts do."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}

    def answer(self, request: Request) -> Answer:
        found = self.answers.get(request.path)
        if found is None or request.headers["Authorization"] != f"Bearer {TOKEN}":
            return Answer(403, {"message": "Resource not accessible by integration"})
        return Answer(200, found)


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


def github(host: Host, *reviews: tuple[str, str, str]) -> dict[str, str]:
    """GitHub's "Get the review history for a workflow run", and the variables of a job."""
    host.answers["/repos/contoso/flights/actions/runs/42/approvals"] = [
        {
            "state": state,
            "comment": "Ship it!" if state == "approved" else "Not on a Friday",
            "environments": [{"id": 161088068, "name": environment, "url": "https://api.github.com/..."}],
            "user": {"login": user, "id": 1, "type": "User"},
        }
        for environment, user, state in reviews
    ]
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_API_URL": host.url, "GITHUB_REPOSITORY": "contoso/flights",
        "GITHUB_RUN_ID": "42", "GITHUB_TOKEN": TOKEN,
    }  # fmt: skip


def azure_devops(host: Host, *steps: tuple[str, str]) -> dict[str, str]:
    """Azure DevOps' build timeline and "Approvals - Query", and the variables of a job."""
    host.answers["/contoso/4f1c/_apis/build/builds/7/timeline"] = {
        "records": [
            {"id": "s1", "parentId": None, "type": "Stage", "name": "Staging", "identifier": "staging"},
            {"id": "s2", "parentId": None, "type": "Stage", "name": "Production", "identifier": "prod"},
            {"id": "c2", "parentId": "s2", "type": "Checkpoint", "name": "Checkpoint"},
            {"id": APPROVAL, "parentId": "c2", "type": "Checkpoint.Approval", "name": "Checkpoint.Approval"},
        ]
    }
    host.answers["/contoso/4f1c/_apis/pipelines/approvals"] = {
        "count": 1,
        "value": [
            {
                "id": APPROVAL,
                "status": steps[-1][1] if steps else "pending",
                "steps": [
                    {
                        "assignedApprover": {"displayName": "[flights]\\Approvers", "id": "3b3d"},
                        "actualApprover": {"displayName": name, "uniqueName": f"{name}@contoso.com", "id": "f67"},
                        "status": status, "comment": "after the weekend", "order": order,
                    }
                    for order, (name, status) in enumerate(steps, 1)
                ],
            }
        ],
    }  # fmt: skip
    return {
        "TF_BUILD": "True", "SYSTEM_COLLECTIONURI": f"{host.url}/contoso/", "SYSTEM_TEAMPROJECTID": "4f1c",
        "SYSTEM_ACCESSTOKEN": TOKEN, "BUILD_BUILDID": "7", "SYSTEM_STAGENAME": "prod",
    }  # fmt: skip


def test_github_names_who_approved_the_environment_of_the_stack(host: Host) -> None:
    job = github(host, ("staging", "bob", "approved"), ("prod", "octocat", "approved"))
    assert approver("prod", print, job) == "octocat"
    assert approver("dev", print, job) is None


def test_azure_devops_names_everybody_who_approved_the_stage(host: Host) -> None:
    job = azure_devops(host, ("Jane Doe", "approved"), ("Max", "approved"), ("Kim", "skipped"))
    assert approver("prod", print, job) == "Jane Doe, Max"
    assert host.requests[-1].query == {"approvalIds": APPROVAL, "$expand": "steps", "api-version": "7.1"}
    assert approver("staging", print, {**job, "SYSTEM_STAGENAME": "staging"}) is None


def test_a_rejection_stops_the_release(host: Host) -> None:
    job = github(host, ("prod", "bob", "approved"), ("prod", "octocat", "rejected"))
    with pytest.raises(ReleaseError, match="octocat rejected the deployment to 'prod': Not on a Friday"):
        approver("prod", print, job)
    with pytest.raises(ReleaseError, match="Jane Doe rejected the deployment to 'prod': after the weekend"):
        approver("prod", print, azure_devops(host, ("Jane Doe", "rejected")))


def test_a_run_that_was_started_again_counts_its_last_review(host: Host) -> None:
    assert approver("prod", print, github(host, ("prod", "bob", "rejected"), ("prod", "eve", "approved"))) == "eve"


@pytest.mark.parametrize("variable", ["GITHUB_TOKEN", None])
def test_a_host_that_does_not_answer_stops_nothing_and_the_permission_is_named(
    variable: str | None, host: Host
) -> None:
    said: list[str] = []
    job = {**github(host, ("prod", "octocat", "approved")), "GITHUB_TOKEN": "another"}
    if variable is not None:
        del job[variable]
    assert approver("prod", said.append, job) is None
    reason = "GITHUB_TOKEN is not set" if variable else "403 Forbidden"
    (line,) = said
    assert line == (
        f"GitHub does not say who approved this ({reason}); give the step GITHUB_TOKEN, and the job the permission "
        "`actions: read`"
    )


def test_nobody_is_asked_outside_a_ci_job() -> None:
    assert approver("prod", print, {}) is None
