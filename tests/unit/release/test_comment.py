"""One comment in a pull request, for both hosts: their REST APIs answer on loopback."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from release import cli
from release.comment.body import NAME, body
from release.hosts.notes import prefix
from release.preview.document import Preview
from tests.hosts import azure_devops, github
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub
from tests.hosts.server import Request
from tests.unit.release import comment_example as example

FakeHost = FakeGitHub | FakeAzureDevOps


def comment(variables: Mapping[str, str], folder: Path, *previews: Preview, options: tuple[str, ...] = ()) -> Result:
    """Run `release comment` in a job with these variables."""
    files = [folder / f"{preview.stack}.json" for preview in previews]
    for path, preview in zip(files, previews, strict=True):
        path.write_text(preview.model_dump_json())
    return CliRunner(env=dict(variables)).invoke(cli.main, ["comment", *map(str, files), *options])


def shown(host: FakeHost) -> list[str]:
    """Return the comments of the release that people see."""
    texts = (
        [each["body"] for each in host.comments.values()]
        if isinstance(host, FakeGitHub)
        else [text for _, text in host.shown().values()]
    )
    return [text for text in texts if text.startswith(prefix(NAME))]


def delete(host: FakeHost) -> None:
    """Delete all comments, as somebody does who finds them too long."""
    if isinstance(host, FakeGitHub):
        host.comments.clear()
    else:
        for thread in host.threads:
            host.delete(thread)


def test_a_pull_request_has_one_comment_that_later_runs_update(host: FakeHost, tmp_path: Path) -> None:
    """It is found behind the first page, where pulumi/actions loses it (its pr.ts lists one page)."""
    variables = host.variables(tmp_path)
    for number in range(5):
        host.say(f"Looks good, {number}. > {prefix(NAME)}")
    made = comment(variables, tmp_path, example.dev(), example.unchanged("prod"))
    assert (made.exit_code, made.output.splitlines()[-1].partition(": ")[0]) == (0, "Comment created")
    (text,) = shown(host)
    assert "## Preview: 1 of 2 stacks change" in text
    again = comment(variables, tmp_path, example.dev(), example.unchanged("prod"))
    assert again.output.splitlines()[-1].partition(": ")[0] == "Comment unchanged"
    changed = comment(variables, tmp_path, example.dev(), example.prod())
    assert changed.output.splitlines()[-1].partition(": ")[0] == "Comment updated"
    (text,) = shown(host)
    assert "## Preview: 2 of 2 stacks change" in text
    assert len(host.sent("POST")) == 1


def test_a_stack_without_a_preview_is_named_and_the_job_fails(host: FakeHost, tmp_path: Path) -> None:
    """The job of one stack could not sign in, so it wrote no file. The other stacks are shown all the same."""
    missing = str(tmp_path / "prod.json")
    done = comment(host.variables(tmp_path), tmp_path, example.dev(), options=(missing,))
    assert done.exit_code == 1
    assert f"Error: these previews wrote no result: {missing}\n  fix: see the log of each preview" in done.output
    (text,) = shown(host)
    assert "## Preview: 2 of 2 stacks change" in text
    assert "### `prod`: the preview failed" in text
    assert "prod.json does not exist. The log of the preview shows the reason." in text


def test_where_nothing_changes_there_is_no_comment(host: FakeHost, tmp_path: Path) -> None:
    done = comment(host.variables(tmp_path), tmp_path, example.unchanged("dev"), example.unchanged("prod"))
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "No stack changes, and there is no comment to update."
    assert set(host.sent()) == set(host.sent("GET"))


def test_a_comment_says_when_nothing_changes_any_more(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    comment(variables, tmp_path, example.dev())
    assert comment(variables, tmp_path, example.unchanged("dev")).exit_code == 0
    (text,) = shown(host)
    assert "## Preview: no changes" in text
    if isinstance(host, FakeAzureDevOps):
        assert [status for status, _ in host.shown().values()] == ["closed"]


def test_a_deleted_comment_is_made_again(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    comment(variables, tmp_path, example.dev())
    delete(host)
    assert comment(variables, tmp_path, example.dev()).exit_code == 0
    assert len(shown(host)) == 1


def test_a_comment_that_is_deleted_during_the_run_is_made_again(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    comment(variables, tmp_path, example.dev())

    def interfere(request: Request) -> None:
        if request.method == "PATCH":
            host.before = lambda _: None
            delete(host)

    host.before = interfere
    assert comment(variables, tmp_path, example.prod()).exit_code == 0
    assert len(shown(host)) == 1


def test_two_runs_at_the_same_time_leave_one_comment(host: FakeHost, tmp_path: Path) -> None:
    """Both find none, and both make one."""
    both, results = threading.Barrier(2, timeout=30), []

    def meet(request: Request) -> None:
        if request.method == "POST":
            both.wait()

    host.before = meet
    folders = [tmp_path / "one", tmp_path / "two"]

    def run(folder: Path, preview: Preview) -> None:
        from release.comment.posting import post

        folder.mkdir()
        post([preview], host.variables(folder), None, None, None, results.append)

    threads = [
        threading.Thread(target=run, args=each) for each in zip(folders, (example.dev(), example.prod()), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert len(host.sent("POST")) == 2
    assert len(shown(host)) == 1


def test_what_earlier_runs_left_twice_is_removed(host: FakeHost, tmp_path: Path) -> None:
    for stack in ("dev", "prod", "dev"):
        host.say(body([example.unchanged(stack), example.dev()], None, 9000))
    assert comment(host.variables(tmp_path), tmp_path, example.prod()).exit_code == 0
    (text,) = shown(host)
    assert "`prod`" in text


def test_a_thread_is_active_where_something_is_lost_and_closed_where_not(
    on_azure_devops: FakeAzureDevOps, tmp_path: Path
) -> None:
    variables = on_azure_devops.variables(tmp_path)
    for preview, status in ((example.prod(), "closed"), (example.dev(), "active"), (example.prod(), "closed")):
        comment(variables, tmp_path, preview)
        assert [each for each, _ in on_azure_devops.shown().values()] == [status]


def test_a_thread_that_a_reviewer_resolved_stays_so_until_there_is_something_new(
    on_azure_devops: FakeAzureDevOps, tmp_path: Path
) -> None:
    comment(on_azure_devops.variables(tmp_path), tmp_path, example.dev())
    (thread,) = on_azure_devops.threads.values()
    thread["status"] = "fixed"
    comment(on_azure_devops.variables(tmp_path, BUILD_BUILDID="1582"), tmp_path, example.dev())
    assert thread["status"] == "fixed"
    assert "buildId=1582" in thread["comments"][0]["content"]
    comment(on_azure_devops.variables(tmp_path), tmp_path, example.dev().model_copy(update={"stack": "staging"}))
    assert thread["status"] == "active"


@pytest.mark.parametrize("limit", [65_536])
def test_the_hosts_accept_the_longest_comment(host: FakeHost, tmp_path: Path, limit: int) -> None:
    """GitHub refuses more than 65,536 characters, Azure DevOps more than 150,000."""
    names = [f"asset-{number}-{'😀' * 40}" for number in range(2000)]
    changes = [example.change("create", name, "azureml:Data") for name in names]
    done = comment(host.variables(tmp_path), tmp_path, Preview(stack="dev", changes=changes))
    assert done.exit_code == 0
    (text,) = shown(host)
    assert len(text.encode("utf-16-le")) // 2 > (limit if isinstance(host, FakeGitHub) else 150_000) - 400
    assert "**This comment is shortened.**" in text


def summaries(variables: Mapping[str, str], output: str) -> str:
    """Return the summary of the job, where the host looks for it."""
    if "GITHUB_ACTIONS" in variables:
        return Path(variables["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    (line,) = [line for line in output.splitlines() if line.startswith("##vso[task.uploadsummary]/")]
    return Path(line.removeprefix("##vso[task.uploadsummary]")).read_text("utf-8")


def test_the_summary_of_the_run_has_the_complete_text(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    done = comment(variables, tmp_path, example.dev())
    assert "### `dev`: 1 to create" in summaries(variables, done.output)


def forked(host: FakeHost, folder: Path) -> dict[str, str]:
    if isinstance(host, FakeGitHub):
        return host.variables(folder, head="somebody/Hello-World")
    return host.variables(folder, SYSTEM_PULLREQUEST_ISFORK="True")


def refuse_to_write(host: FakeHost) -> None:
    answer = github.READ_ONLY if isinstance(host, FakeGitHub) else azure_devops.NO_PERMISSION
    host.refuse("POST", 403, answer)


def test_a_pull_request_from_a_fork_has_the_text_in_the_summary(host: FakeHost, tmp_path: Path) -> None:
    variables = forked(host, tmp_path)
    refuse_to_write(host)
    done = comment(variables, tmp_path, example.dev())
    assert done.exit_code == 0
    assert done.output.splitlines()[-2:] == [
        "There is no comment: the pull request comes from a fork, and its jobs have a token that can only read.",
        "The summary of the run shows the preview.",
    ]
    assert "### `dev`: 1 to create" in summaries(variables, done.output)


@pytest.mark.parametrize(
    "more", [{"head": None}, {"GITHUB_ACTOR": "dependabot[bot]"}], ids=["deleted fork", "dependabot"]
)
def test_other_jobs_that_can_only_read_are_no_failure_either(
    on_github: FakeGitHub, tmp_path: Path, more: dict[str, str]
) -> None:
    variables = on_github.variables(tmp_path, **more)
    del variables["GITHUB_STEP_SUMMARY"]
    refuse_to_write(on_github)
    done = comment(variables, tmp_path, example.dev())
    assert done.exit_code == 0
    assert "a token that can only read" in done.output
    assert "### `dev`: 1 to create" in done.output


def test_a_missing_permission_is_named(host: FakeHost, tmp_path: Path) -> None:
    refuse_to_write(host)
    done = comment(host.variables(tmp_path), tmp_path, example.dev())
    assert done.exit_code == 1
    message = done.output.splitlines()[-2:]
    if isinstance(host, FakeGitHub):
        assert message[0].startswith("Error: the token has no permission to write in octocat/Hello-World: Resource not")
        assert message[1].startswith("  fix: add `pull-requests: write` to the job's `permissions`")
    else:
        assert message[0].startswith("Error: the token has no permission in project Fabrikam Fiber: TF401027: You need")
        assert message[1].startswith("  fix: let the build service *Contribute to pull requests* in the repository's")


@pytest.mark.parametrize("moment", ["GET", "POST"])
def test_an_expired_token_is_one_message_without_the_token(host: FakeHost, tmp_path: Path, moment: str) -> None:
    """It may expire in the middle. Azure DevOps sends a page that signs in, with status 203 or 401."""
    if isinstance(host, FakeGitHub):
        host.refuse(moment, 401, {"message": "Bad credentials"})
    else:
        host.refuse(moment, 203, "<html>Azure DevOps Services | Sign In</html>")
    done = comment(host.variables(tmp_path), tmp_path, example.dev())
    assert done.exit_code == 1
    assert (
        f"Error: {'GitHub' if isinstance(host, FakeGitHub) else 'Azure DevOps'} does not accept the token"
        in done.output
    )
    assert github.TOKEN not in done.output
    assert azure_devops.TOKEN not in done.output


def test_limits_are_waited_for_as_long_as_the_host_says(host: FakeHost, tmp_path: Path, waits: list[float]) -> None:
    limited = github.SECONDARY if isinstance(host, FakeGitHub) else azure_devops.LIMITED
    host.refuse("GET", 429, limited, {"Retry-After": "30"})
    host.refuse("POST", 429, limited, {"Retry-After": "7"})
    assert comment(host.variables(tmp_path), tmp_path, example.dev()).exit_code == 0
    assert waits == [30, 7]
    assert len(shown(host)) == 1


def test_a_secondary_limit_of_github_has_the_status_of_a_missing_permission(
    on_github: FakeGitHub, tmp_path: Path, waits: list[float]
) -> None:
    """Rate limits for the REST API: Retry-After, or the reset of the primary limit, or at least a minute."""
    on_github.refuse("POST", 403, github.SECONDARY, {"Retry-After": "20"})
    on_github.refuse("POST", 403, github.SECONDARY)
    on_github.refuse("POST", 403, github.PRIMARY, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"})
    assert comment(on_github.variables(tmp_path), tmp_path, example.dev()).exit_code == 0
    assert waits == [20, 60, 0]


def test_a_limit_is_not_waited_for_longer_than_three_minutes(
    host: FakeHost, tmp_path: Path, waits: list[float]
) -> None:
    for seconds in ("100", "81"):
        host.refuse("POST", 429, github.SECONDARY, {"Retry-After": seconds})
    done = comment(host.variables(tmp_path), tmp_path, example.dev())
    assert done.exit_code == 1
    assert waits == [100]
    assert "accepts no more requests with this token for 81 s: You have exceeded a secondary" in done.output
    assert "fix: run the command again after " in done.output


def test_a_lost_answer_leaves_one_comment(host: FakeHost, tmp_path: Path, waits: list[float]) -> None:
    """The host makes the comment and answers 503: the request is repeated, and makes another one."""

    def lose(request: Request) -> None:
        if request.method == "POST":
            host.before = lambda _: None
            host.answer(request)
            host.refuse("POST", 503)

    host.before = lose
    assert comment(host.variables(tmp_path), tmp_path, example.dev()).exit_code == 0
    assert len(host.sent("DELETE")) == 1
    assert len(shown(host)) == 1


def test_a_refused_text_is_reported_with_the_hosts_reason(host: FakeHost, tmp_path: Path) -> None:
    errors = [{"resource": "IssueComment", "message": "Body is too long (maximum is 65536 characters)"}]
    host.refuse("POST", 422, {"message": "Validation Failed", "errors": errors})
    done = comment(host.variables(tmp_path), tmp_path, example.dev())
    assert done.exit_code == 1
    assert "refuses the request with status 422: Validation Failed: Body is too long (maximum is 65536" in done.output


def test_an_unknown_pull_request_is_reported(host: FakeHost, tmp_path: Path) -> None:
    done = comment(host.variables(tmp_path), tmp_path, example.dev(), options=("--pull-request", "99"))
    assert done.exit_code == 1
    assert "does not find the pull request" in done.output
    assert "check --repository and --pull-request" in done.output


def test_an_unreachable_host_is_one_message(tmp_path: Path, waits: list[float]) -> None:
    with FakeGitHub() as fake:
        variables = fake.variables(tmp_path)
    done = comment(variables, tmp_path, example.dev())
    assert done.exit_code == 1
    assert done.output.startswith("Error: GitHub cannot be reached at 127.0.0.1:")


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("GITHUB_ACTIONS", "this is not a job of GitHub Actions or Azure Pipelines"),
        ("GITHUB_TOKEN", "GITHUB_TOKEN is not set\n  fix: set `GITHUB_TOKEN: ${{ github.token }}`"),
        ("GITHUB_REPOSITORY", "'' is not a repository on GitHub"),
    ],
)
def test_a_missing_variable_of_github_is_named(
    on_github: FakeGitHub, tmp_path: Path, left_out: str, message: str
) -> None:
    variables = on_github.variables(tmp_path)
    del variables[left_out]
    done = comment(variables, tmp_path, example.dev())
    assert done.exit_code == 1
    assert f"Error: {message}" in done.output


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"SYSTEM_ACCESSTOKEN": ""}, "SYSTEM_ACCESSTOKEN is not set\n  fix: set `SYSTEM_ACCESSTOKEN: $(System."),
        ({"SYSTEM_COLLECTIONURI": ""}, "SYSTEM_COLLECTIONURI is not set"),
        ({"SYSTEM_PULLREQUEST_PULLREQUESTID": ""}, "this run does not belong to a pull request"),
        ({"BUILD_REPOSITORY_PROVIDER": "GitHub"}, "the repository is not in Azure DevOps: GitHub"),
    ],
)
def test_a_missing_variable_of_azure_devops_is_named(
    on_azure_devops: FakeAzureDevOps, tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    done = comment(on_azure_devops.variables(tmp_path, **changed), tmp_path, example.dev())
    assert done.exit_code == 1
    assert f"Error: {message}" in done.output


def test_outside_of_a_job_the_options_say_where(on_github: FakeGitHub, tmp_path: Path) -> None:
    """On GitHub Enterprise, GITHUB_API_URL is https://<host>/api/v3."""
    variables = {"GITHUB_API_URL": on_github.url, "GITHUB_TOKEN": github.TOKEN}
    options = ("--host", "github", "--repository", github.REPOSITORY, "--pull-request", str(github.PULL_REQUEST))
    assert comment(variables, tmp_path, example.dev(), options=options).exit_code == 0
    assert len(shown(on_github)) == 1


def test_a_personal_access_token_is_sent_as_a_password(on_azure_devops: FakeAzureDevOps, tmp_path: Path) -> None:
    comment(on_azure_devops.variables(tmp_path, SYSTEM_ACCESSTOKEN="abc"), tmp_path, example.dev())
    assert on_azure_devops.requests[0].headers["Authorization"] == "Basic OmFiYw=="


def test_a_dry_run_prints_the_comment_and_sends_nothing(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    done = comment(variables, tmp_path, example.dev(), options=("--dry-run",))
    assert done.exit_code == 0
    assert done.output.startswith(prefix(NAME))
    assert host.requests == []
    assert not (tmp_path / "summary.md").exists()


def test_a_dry_run_needs_no_job(tmp_path: Path) -> None:
    done = comment({}, tmp_path, example.dev(), options=("--dry-run",))
    assert done.output == body([example.dev()], None, 65_536)


def test_the_token_goes_to_no_other_host(on_github: FakeGitHub, tmp_path: Path) -> None:
    on_github.refuse("GET", 200, [], {"Link": '<https://evil.example/repos?page=2>; rel="next"'})
    assert comment(on_github.variables(tmp_path), tmp_path, example.dev()).exit_code == 0


@pytest.mark.attack
def test_a_mark_that_somebody_else_wrote_is_left_alone(host: FakeHost, tmp_path: Path) -> None:
    """Whoever wrote the comment could change the verdict later, or lose a comment of their own."""
    variables = host.variables(tmp_path)
    forged = f"{prefix(NAME)}0)\n\nAll is well."
    host.say(forged, author="stranger")
    for _ in range(2):
        done = comment(variables, tmp_path, example.dev())
        assert done.exit_code == 0
    host.say(forged, author="stranger")
    assert comment(variables, tmp_path, example.dev(), example.prod()).exit_code == 0
    theirs, ours = [], []
    for text in shown(host):
        (theirs if "All is well." in text else ours).append(text)
    assert (theirs, len(ours)) == ([forged] * 2, 1)
    assert "2 of 2 stacks change" in ours[0]


@pytest.mark.attack
def test_a_person_updates_their_own_comment_only(on_github: FakeGitHub, tmp_path: Path) -> None:
    on_github.person = {"login": "octocat"}
    own, bots = (on_github.say(f"{prefix(NAME)}0)\n\nOld.", author=each) for each in ("octocat", "github-actions[bot]"))
    assert comment(on_github.variables(tmp_path), tmp_path, example.dev()).exit_code == 0
    assert on_github.comments[own]["body"].startswith(prefix(NAME))
    assert "Old." not in on_github.comments[own]["body"]
    assert "Old." in on_github.comments[bots]["body"]
