"""One pull request with the stack files that CI changed, for both hosts: their REST APIs answer on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from release import cli
from release.errors import ReleaseError
from release.proposing.stack_files import ChangedFile
from tests.hosts import azure_devops, github, github_git
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub
from tests.hosts.server import Request

FakeHost = FakeGitHub | FakeAzureDevOps
BRANCH = "release/models"
STACKS = ("dev", "staging", "prod")
CONFIG = """config:
  # What {stack} is.
  azure-native:location: westeurope
  azureml-platform:models:
    flights:
      name: delays
      version: "{version}"
  azureml-platform:naming:
    postfix: "001"
"""


def config(stack: str, version: str = "1") -> str:
    return CONFIG.format(stack=stack, version=version)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout of main, in a folder of its repository. Every host has the same files on main."""
    root = tmp_path / "repository"
    folder = root / "platform"
    folder.mkdir(parents=True)
    for stack in STACKS:
        (folder / f"Pulumi.{stack}.yaml").write_text(config(stack))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Begin"]):
        subprocess.run(
            ["git", "-c", "user.name=Ann", "-c", "user.email=ann@contoso.com", *command], cwd=root, check=True
        )
    monkeypatch.setenv("PULUMI_OPTION_CWD", str(folder))
    return folder


@pytest.fixture
def there(host: FakeHost) -> FakeHost:
    host.git.push("main", {f"platform/Pulumi.{stack}.yaml": config(stack) for stack in STACKS})
    return host


def choose(checkout: Path, stack: str, version: str) -> None:
    """Write a version to the stack file on the runner, as `release deploy` does."""
    (checkout / f"Pulumi.{stack}.yaml").write_text(config(stack, version))


def propose(host: FakeHost, folder: Path, stack: str, *options: str, **more: str) -> Result:
    """Run `release propose` in a job for main."""
    branch = {"GITHUB_REF": "refs/heads/main", "BUILD_SOURCEBRANCH": "refs/heads/main", **more}
    return CliRunner(env=host.variables(folder, **branch)).invoke(cli.main, ["propose", "-s", stack, *options])


def shown(host: FakeHost) -> list[tuple[str, str, str]]:
    """Return state, title and text of the pull requests."""
    keys = ("state", "title", "body") if isinstance(host, FakeGitHub) else ("status", "title", "description")
    return [tuple(str(each[key]) for key in keys) for each in host.pulls.requests.values()]  # type: ignore[misc]


def number(host: FakeHost) -> int:
    return max(host.pulls.requests)


def file(host: FakeHost, stack: str, branch: str = BRANCH) -> str:
    return host.git.files(branch)[f"platform/Pulumi.{stack}.yaml"]


def test_a_chosen_version_becomes_a_pull_request(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    choose(checkout, "prod", "2")
    done = propose(there, tmp_path, "prod")
    assert (done.exit_code, done.output.partition(": ")[0]) == (0, "Pull request opened"), done.output
    ((state, title, text),) = shown(there)
    assert (state in ("open", "active"), title) == (True, "Update the models of prod")
    assert "| `prod` | `flights` | `delays version 1` | `delays version 2` |" in text
    assert "From [this run](http" in text
    assert file(there, "prod") == config("prod", "2")
    assert file(there, "prod", "main") == config("prod")
    commit = there.git.commits[there.git.branches[BRANCH]]
    assert (commit.message, commit.parents) == (
        "Update the models of prod\n\nflights: delays version 2", (there.git.branches["main"],)
    )  # fmt: skip


def test_all_stacks_share_one_pull_request_and_a_repetition_changes_nothing(
    there: FakeHost, checkout: Path, tmp_path: Path
) -> None:
    for stack, version in (("staging", "2"), ("prod", "2"), ("prod", "3")):
        choose(checkout, stack, version)
        assert propose(there, tmp_path, stack).exit_code == 0
    ((_, title, text),) = shown(there)
    assert title == "Update the models of prod and staging"
    assert "| `prod` | `flights` | `delays version 1` | `delays version 3` |" in text
    assert "| `staging` | `flights` | `delays version 1` | `delays version 2` |" in text
    changes = there.sent("POST", "PATCH")
    assert propose(there, tmp_path, "prod").output.startswith("Pull request unchanged: ")
    assert there.sent("POST", "PATCH") == changes


def test_the_file_of_another_job_is_compared_with_the_commit(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    """The job that deploys publishes the file as an artifact. The job that proposes has another checkout."""
    artifact = tmp_path / "Pulumi.prod.yaml"
    artifact.write_text(config("prod", "2"))
    assert propose(there, tmp_path, "prod", "--file", str(artifact)).exit_code == 0
    assert file(there, "prod") == config("prod", "2")


def test_a_file_without_a_change_asks_nobody(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    done = propose(there, tmp_path, "prod")
    assert (done.exit_code, done.output) == (0, "Pulumi.prod.yaml has no change to propose.\n")
    assert there.requests == []


def test_what_others_changed_in_the_file_stays(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    """A release waits for its approval for days. Meanwhile, somebody edits the stack file on main."""
    choose(checkout, "prod", "2")
    there.git.push("main", {"platform/Pulumi.prod.yaml": config("prod").replace("westeurope", "northeurope")})
    assert propose(there, tmp_path, "prod").exit_code == 0
    assert file(there, "prod") == config("prod", "2").replace("westeurope", "northeurope")


def test_a_version_that_others_changed_too_is_the_one_of_this_job(
    there: FakeHost, checkout: Path, tmp_path: Path
) -> None:
    choose(checkout, "prod", "3")
    there.git.push("main", {"platform/Pulumi.prod.yaml": config("prod", "2")})
    assert propose(there, tmp_path, "prod").exit_code == 0
    assert file(there, "prod") == config("prod", "3")
    assert "| `delays version 2` | `delays version 3` |" in shown(there)[0][2]


def test_a_change_that_cannot_be_repeated_is_refused() -> None:
    change = ChangedFile("Pulumi.prod.yaml", config("prod"), config("prod", "2"))
    with pytest.raises(ReleaseError, match=r"Pulumi\.prod\.yaml differs too much .*\n  fix: write the models"):
        change.on("config:\n  azureml-platform:models: {flights: 'azureml:delays:1', other: 'azureml:other:1'}\n")


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "closed"])
def test_a_branch_that_an_earlier_pull_request_left_begins_again(
    there: FakeHost, checkout: Path, tmp_path: Path, merged: bool
) -> None:
    choose(checkout, "prod", "2")
    propose(there, tmp_path, "prod")
    there.pulls.end(number(there), merged=merged)
    choose(checkout, "staging", "2")
    done = propose(there, tmp_path, "staging")
    assert done.output.startswith("Pull request opened: "), done.output
    assert shown(there)[-1][1] == "Update the models of staging"
    assert there.git.commits[there.git.branches[BRANCH]].parents == (there.git.branches["main"],)
    assert file(there, "prod") == config("prod", "2" if merged else "1")


def test_a_merged_version_is_not_proposed_again(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    choose(checkout, "prod", "2")
    propose(there, tmp_path, "prod")
    there.pulls.end(number(there))
    done = propose(there, tmp_path, "prod")
    assert done.output == "Branch main has this version of Pulumi.prod.yaml, so there is nothing to propose.\n"
    assert len(shown(there)) == 1


def test_a_pull_request_whose_versions_main_has_is_closed(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    """A rollback goes back to the version of main before the proposal was merged."""
    choose(checkout, "prod", "2")
    propose(there, tmp_path, "prod")
    there.git.push("main", {"platform/Pulumi.prod.yaml": config("prod", "2")})
    done = propose(there, tmp_path, "prod")
    assert done.output.startswith("Pull request closed, because the base branch has its versions: ")
    assert [state in ("closed", "abandoned") for state, _, _ in shown(there)] == [True]


def test_a_branch_without_a_pull_request_keeps_what_another_run_committed(
    there: FakeHost, checkout: Path, tmp_path: Path
) -> None:
    """The other run is between its commit and its pull request, or ended there."""
    there.git.branches[BRANCH] = there.git.branches["main"]
    there.git.push(BRANCH, {"platform/Pulumi.dev.yaml": config("dev", "9")})
    choose(checkout, "prod", "2")
    assert propose(there, tmp_path, "prod").exit_code == 0
    assert [title for _, title, _ in shown(there)] == ["Update the models of dev and prod"]


def test_two_runs_at_the_same_time_keep_both_changes_and_one_pull_request(
    there: FakeHost, checkout: Path, tmp_path: Path
) -> None:
    """The other run comes first at each change: before the branch is made, and before the pull request is opened."""
    others = ["staging", "dev"]

    def overtake(request: Request) -> None:
        moment = ("git/refs", "/pushes") if len(others) == 2 else ("/pulls", "/pullrequests")
        if request.method == "POST" and request.path.endswith(moment) and others:
            other = others.pop(0)
            choose(checkout, other, "2")
            assert propose(there, tmp_path, other).exit_code == 0

    choose(checkout, "prod", "2")
    there.before = overtake
    done = propose(there, tmp_path, "prod")
    assert done.exit_code == 0, done.output
    assert others == []
    assert [title for _, title, _ in shown(there)] == ["Update the models of dev, prod and staging"]
    assert [file(there, stack) for stack in STACKS] == [config(stack, "2") for stack in STACKS]


def test_a_branch_that_always_moves_is_one_error(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    choose(checkout, "prod", "2")
    there.git.branches[BRANCH] = there.git.branches["main"]
    moves: list[str] = []

    def overtake(request: Request) -> None:
        if request.method in ("PATCH", "POST") and request.path.endswith((BRANCH, "/pushes")):
            moves.append(there.git.push(BRANCH, {"other": str(len(moves))}))

    there.before = overtake
    done = propose(there, tmp_path, "prod")
    assert done.exit_code == 1
    assert "fix: run the command again" in done.output
    assert len(moves) == 5


def test_a_missing_permission_is_named(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    choose(checkout, "prod", "2")
    is_github = isinstance(there, FakeGitHub)
    there.refuse("POST", 403, github.READ_ONLY if is_github else azure_devops.NO_PERMISSION)
    done = propose(there, tmp_path, "prod")
    assert done.exit_code == 1
    fix = "add `contents: write` and `pull-requests: write` to the job's" if is_github else "*Contribute*, *Create bra"
    assert fix in done.output


def test_the_setting_of_github_that_lets_jobs_open_pull_requests_is_named(
    on_github: FakeGitHub, checkout: Path, tmp_path: Path
) -> None:
    on_github.git.push("main", {f"platform/Pulumi.{stack}.yaml": config(stack) for stack in STACKS})
    choose(checkout, "prod", "2")

    def forbid(request: Request) -> None:
        if request.method == "POST" and request.path.endswith("/pulls"):
            on_github.refuse("POST", 403, github_git.NOT_PERMITTED)

    on_github.before = forbid
    done = propose(on_github, tmp_path, "prod")
    assert done.exit_code == 1
    assert "fix: in the repository's settings, Actions, General, Workflow permissions: allow" in done.output
    on_github.before = lambda _: None
    assert propose(on_github, tmp_path, "prod").output.startswith("Pull request opened: ")


def test_azure_devops_names_the_permission_to_move_a_branch_back(
    on_azure_devops: FakeAzureDevOps, checkout: Path, tmp_path: Path
) -> None:
    on_azure_devops.git.push("main", {f"platform/Pulumi.{stack}.yaml": config(stack) for stack in STACKS})
    choose(checkout, "prod", "2")
    propose(on_azure_devops, tmp_path, "prod")
    on_azure_devops.pulls.end(number(on_azure_devops), merged=False)
    on_azure_devops.pulls.may_force = False
    done = propose(on_azure_devops, tmp_path, "prod")
    assert done.exit_code == 1
    assert "fix: delete the branch, or give the build service *Force push* on it" in done.output


def test_limits_are_waited_for_and_a_lost_answer_leaves_one_pull_request(
    there: FakeHost, checkout: Path, tmp_path: Path, waits: list[float]
) -> None:
    choose(checkout, "prod", "2")
    there.refuse("GET", 429, azure_devops.LIMITED, {"Retry-After": "7"})
    there.refuse("POST", 503)
    done = propose(there, tmp_path, "prod")
    assert done.exit_code == 0, done.output
    assert waits[0] == 7.0
    assert len(shown(there)) == 1


def test_a_job_for_a_tag_needs_the_base(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    choose(checkout, "prod", "2")
    tag: Mapping[str, Any] = {"GITHUB_REF": "refs/tags/v1", "BUILD_SOURCEBRANCH": "refs/tags/v1"}
    done = propose(there, tmp_path, "prod", **tag)
    assert (done.exit_code, "fix: use --base BRANCH" in done.output) == (1, True)
    assert propose(there, tmp_path, "prod", "--base", "main", **tag).exit_code == 0
    missing = propose(there, tmp_path, "prod", "--base", "trunk")
    assert "the repository has no branch 'trunk'" in missing.output


def test_a_dry_run_prints_the_pull_request_and_sends_nothing(there: FakeHost, checkout: Path, tmp_path: Path) -> None:
    choose(checkout, "prod", "2")
    done = propose(there, tmp_path, "prod", "--dry-run")
    assert done.output.startswith("Update the models of prod\n\nA CI job chose")
    assert there.requests == []


def test_a_folder_without_a_repository_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(config("prod"))
    monkeypatch.setenv("PULUMI_OPTION_CWD", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = CliRunner().invoke(cli.main, ["propose", "-s", "prod"])
    assert done.exit_code == 1
    assert "not a git repository" in done.output
    missing = CliRunner().invoke(cli.main, ["propose", "-s", "x"])
    assert f"there is no file {tmp_path / 'Pulumi.x.yaml'}\n  fix: check --stack and --file" in missing.output
