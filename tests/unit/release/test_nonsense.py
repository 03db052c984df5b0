"""Answers of a host that its API does not describe: one error, without a traceback, and no token for another host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from release.deploying.approvals import approver
from release.deploying.origin import check_run
from release.errors import ReleaseError
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub
from tests.hosts.server import Answer, Request
from tests.unit.release import comment_example as example
from tests.unit.release.test_comment import comment
from tests.unit.release.test_drift import drift, report
from tests.unit.release.test_proposing import STACKS, checkout, choose, config, propose

__all__ = ["checkout"]  # a fixture
FakeHost = FakeGitHub | FakeAzureDevOps
NONSENSE: dict[str, Answer] = {
    "a page": Answer(200, "<html>Sign in</html>"),
    "nothing": Answer(200),
    "null in a list": Answer(200, [None]),
    "a text in a list": Answer(200, ["a"]),
    "an empty object": Answer(200, {}),
    "an object of texts": Answer(200, {"value": "a", "object": "b", "workItems": "c", "environments": "d"}),
    "a list of a text": Answer(200, {"value": ["a"], "workItems": [1], "records": [2]}),
    "a number": Answer(200, 7),
    "a limit that is no number": Answer(
        403, {"message": "a"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "x"}
    ),
    "errors that are no list": Answer(422, {"message": ["a"], "errors": 7}),
}


class _Nonsense:
    """Answers the request with a number in another way."""

    def __init__(self, host: FakeHost, place: int, answer: Answer) -> None:
        self.left, self.instead, self.answer = place, answer, host.answer
        host.answer = self  # type: ignore[method-assign]

    def __call__(self, request: Request) -> Answer:
        self.left -= 1
        return self.instead if self.left == -1 else self.answer(request)


def is_one_error(done: Result) -> bool:
    return done.exception is None or (isinstance(done.exception, SystemExit) and "Traceback" not in done.output)


@pytest.mark.attack
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("place", [0, 2])
def test_a_comment_and_an_issue(place: int, answer: Answer, host: FakeHost, tmp_path: Path, waits: Any) -> None:
    _Nonsense(host, place, answer)
    done = comment(host.variables(tmp_path), tmp_path, example.dev())
    assert is_one_error(done), (host.sent(), done.exception)
    _Nonsense(host, place, answer)
    done = report(host.variables(tmp_path), tmp_path, drift("dev", "cluster"))
    assert is_one_error(done), (host.sent(), done.exception)
    _Nonsense(host, place, answer)
    done = report(host.variables(tmp_path), tmp_path, drift("dev"))
    assert is_one_error(done), (host.sent(), done.exception)


@pytest.mark.attack
def test_pages_that_go_round_in_a_circle_end(on_github: FakeGitHub, tmp_path: Path) -> None:
    path = f"{on_github.url}/repos/octocat/Hello-World/issues/1347/comments?page=2"
    answer = on_github.answer

    def circle(request: Request) -> Answer:
        given = answer(request)
        return Answer(given.status, given.body, {"Link": f'<{path}>; rel="next"'}) if request.method == "GET" else given

    on_github.answer = circle  # type: ignore[method-assign]
    assert comment(on_github.variables(tmp_path), tmp_path, example.dev()).exit_code == 0


@pytest.mark.attack
def test_threads_that_go_round_in_a_circle_end(on_azure_devops: FakeAzureDevOps, tmp_path: Path) -> None:
    answer = on_azure_devops.answer

    def circle(request: Request) -> Answer:
        given = answer(request)
        return Answer(given.status, given.body, {"X-MS-ContinuationToken": "2"}) if "value" in given.body else given

    on_azure_devops.answer = circle  # type: ignore[method-assign]
    assert comment(on_azure_devops.variables(tmp_path), tmp_path, example.dev()).exit_code == 0


@pytest.mark.attack
def test_another_host_gets_no_token(on_github: FakeGitHub, on_azure_devops: FakeAzureDevOps, tmp_path: Path) -> None:
    for host, other in ((on_github, on_azure_devops), (on_azure_devops, on_github)):
        other.requests.clear()
        host.refuse("GET", 302, headers={"Location": f"{other.url}/user"})
        comment(host.variables(tmp_path), tmp_path, example.dev())
        variables = host.variables(tmp_path, GITHUB_REF="refs/heads/main", BUILD_SOURCEBRANCH="refs/heads/main")
        host.refuse("GET", 302, headers={"Location": f"{other.url}/user"})
        with pytest.raises(ReleaseError, match="the origin of run 7 is unknown"):
            check_run("7", variables)
        assert [each for each in other.requests if "Authorization" in each.headers] == []


@pytest.mark.attack
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("place", [0, 3, 8])
def test_a_pull_request(place: int, answer: Answer, host: FakeHost, checkout: Path, tmp_path: Path, waits: Any) -> None:
    host.git.push("main", {f"platform/Pulumi.{stack}.yaml": config(stack) for stack in STACKS})
    choose(checkout, "prod", "2")
    _Nonsense(host, place, answer)
    done = propose(host, tmp_path, "prod")
    assert is_one_error(done), (host.sent(), done.exception)


@pytest.mark.attack
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
def test_a_run_and_its_approval(answer: Answer, host: FakeHost, tmp_path: Path) -> None:
    more = {"GITHUB_REF": "refs/heads/main", "BUILD_SOURCEBRANCH": "refs/heads/main", "SYSTEM_STAGENAME": "prod"}
    variables = host.variables(tmp_path, **more)
    _Nonsense(host, 0, answer)
    with pytest.raises(ReleaseError):
        check_run("7", variables)
    said: list[str] = []
    _Nonsense(host, 0, answer)
    assert approver("prod", said.append, variables) is None
    assert said or answer.status == 200
