"""GitHub's REST API for issues and their comments.

Shapes: the examples `issue-comment`, `issue-comment-items`, `issue` and `issue-items` of github/rest-api-description,
`descriptions/api.github.com/api.github.com.2022-11-28.json`. Errors: the pages "Rate limits for the REST API" and
"Troubleshooting the REST API", and the texts that users report (runs with a read-only token: `Resource not accessible
by integration`; too long comments: `Body is too long (maximum is 65536 characters)`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.hosts.git import FakeGit
from tests.hosts.github_git import GitHubGit
from tests.hosts.server import Answer, FakeHost, Request

REPOSITORY = "octocat/Hello-World"
PULL_REQUEST = 1347
TOKEN = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
USER: dict[str, Any] = {
    "login": "github-actions[bot]",
    "id": 41898282,
    "node_id": "MDM6Qm90NDE4OTgyODI=",
    "type": "Bot",
    "site_admin": False,
}
DOCUMENTATION = "https://docs.github.com/rest/issues/comments#create-an-issue-comment"
READ_ONLY = {"message": "Resource not accessible by integration", "documentation_url": DOCUMENTATION, "status": "403"}
SECONDARY = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
}
PRIMARY = {
    "message": "API rate limit exceeded for installation ID 1.",
    "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
}
_ROUTE = re.compile(
    rf"/repos/{REPOSITORY}/issues(?:/(?P<number>\d+)(?P<comments>/comments)?|/comments/(?P<comment>\d+))?"
)
_RUN = re.compile(rf"/repos/{REPOSITORY}/actions/runs/(?P<run>\d+)")
_COMPARED = re.compile(rf"/repos/{REPOSITORY}/compare/[0-9a-f]{{40}}\.\.\.[0-9a-f]{{40}}")
_LONGEST = 65_536
_NOT_FOUND = Answer(404, {"message": "Not Found", "documentation_url": DOCUMENTATION, "status": "404"})


class FakeGitHub(FakeHost):
    """A repository with one pull request."""

    def __init__(self, page: int = 100) -> None:
        """Give at most `page` items in an answer."""
        super().__init__()
        self.comments: dict[int, dict[str, Any]] = {}
        self.issues: dict[int, dict[str, Any]] = {}
        self.git = FakeGit()
        self.pulls = GitHubGit(REPOSITORY, self.url, self.git)
        # Of "Get a workflow run".
        self.origin: dict[str, Any] = {
            "event": "push",
            "head_branch": "main",
            "head_sha": "5f5b063f" * 5,
            "head_repository": {"full_name": REPOSITORY},
            "path": ".github/workflows/main.yml",
            "status": "completed",
        }
        # Of "Compare two commits": what the commit of a job is to that of the run.
        self.compared = "ahead"
        self.person: dict[str, Any] = {}
        """The person whose token is used, in place of a job's."""
        self._page = page
        self._last = 0
        self.open("A pull request", "Please pull these in!", number=PULL_REQUEST)
        self.issues[PULL_REQUEST]["pull_request"] = {"url": f"/repos/{REPOSITORY}/pulls/{PULL_REQUEST}"}

    def variables(self, folder: Path, head: str | None = REPOSITORY, **more: str) -> dict[str, str]:
        """Return the variables of a job for the pull request, whose branch is in the repository `head`."""
        event = folder / "event.json"
        repo = {"full_name": head} if head else None
        pull_request = {"number": PULL_REQUEST, "head": {"repo": repo}, "base": {"repo": {"full_name": REPOSITORY}}}
        event.write_text(json.dumps({"action": "synchronize", "number": PULL_REQUEST, "pull_request": pull_request}))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REF": f"refs/pull/{PULL_REQUEST}/merge",
            "GITHUB_SHA": "9747e14a" * 5,
            "GITHUB_ACTOR": "octocat",
            "GITHUB_RUN_ID": "1581",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_TOKEN": TOKEN,
            **more,
        }

    def say(self, body: str, author: str = USER["login"]) -> int:
        """Add a comment to the pull request, and return its id."""
        number = self._number()
        self.comments[number] = {
            "id": number,
            "node_id": "MDEyOklzc3VlQ29tbWVudDE=",
            "url": f"{self.url}/repos/{REPOSITORY}/issues/comments/{number}",
            "html_url": f"https://github.com/{REPOSITORY}/pull/{PULL_REQUEST}#issuecomment-{number}",
            "body": body,
            "user": _user(author),
            "created_at": "2011-04-14T16:00:49Z",
            "updated_at": "2011-04-14T16:00:49Z",
            "issue_url": f"{self.url}/repos/{REPOSITORY}/issues/{PULL_REQUEST}",
            "author_association": "COLLABORATOR",
        }
        return number

    def open(self, title: str, body: str, number: int | None = None, author: str = USER["login"]) -> int:
        """Open an issue, and return its number."""
        number = number or self._number()
        self.issues[number] = {
            "id": 10_000 + number,
            "node_id": "MDU6SXNzdWUx",
            "url": f"{self.url}/repos/{REPOSITORY}/issues/{number}",
            "html_url": f"https://github.com/{REPOSITORY}/issues/{number}",
            "number": number,
            "state": "open",
            "title": title,
            "body": body,
            "user": _user(author),
            "labels": [],
            "locked": False,
            "created_at": "2011-04-22T13:33:48Z",
            "updated_at": "2011-04-22T13:33:48Z",
        }
        return number

    def answer(self, request: Request) -> Answer:
        """Answer as GitHub does."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        if run := _RUN.fullmatch(request.path):
            return Answer(200, {"id": int(run["run"]), **self.origin})
        if _COMPARED.fullmatch(request.path):
            return Answer(200, {"status": self.compared, "ahead_by": 1, "behind_by": 0, "commits": []})
        if request.path == "/user":
            return Answer(200, self.person) if self.person else Answer(403, READ_ONLY)
        answer = self.pulls.answer(request, request.path.removeprefix(f"/repos/{REPOSITORY}"))
        if answer is not None:
            return answer
        found = _ROUTE.fullmatch(request.path)
        if found is None:
            return _NOT_FOUND
        if len(str((request.body or {}).get("body") or "")) > _LONGEST:
            return _too_long("IssueComment" if "comments" in request.path else "Issue")
        if found["comment"]:
            return self._comment(request, int(found["comment"]))
        if found["comments"]:
            return self._comments(request, int(found["number"]))
        return self._issue(request, int(found["number"])) if found["number"] else self._issues(request)

    def _comments(self, request: Request, number: int) -> Answer:
        if number not in self.issues:
            return _NOT_FOUND
        if request.method == "POST":
            return Answer(201, self.comments[self.say(request.body["body"])])
        return self._list(request, list(self.comments.values()))

    def _comment(self, request: Request, number: int) -> Answer:
        if number not in self.comments:
            return _NOT_FOUND
        if request.method == "DELETE":
            del self.comments[number]
            return Answer(204)
        self.comments[number]["body"] = request.body["body"]
        return Answer(200, self.comments[number])

    def _issues(self, request: Request) -> Answer:
        if request.method == "POST":
            return Answer(201, self.issues[self.open(request.body["title"], request.body["body"])])
        state = request.query.get("state", "open")
        return self._list(request, [each for each in self.issues.values() if each["state"] == state])

    def _issue(self, request: Request, number: int) -> Answer:
        if number not in self.issues:
            return _NOT_FOUND
        self.issues[number].update(request.body)
        return Answer(200, self.issues[number])

    def _list(self, request: Request, items: list[dict[str, Any]]) -> Answer:
        size = min(int(request.query.get("per_page", 30)), self._page)
        page = int(request.query.get("page", 1))
        shown, last = items[(page - 1) * size : page * size], -(-len(items) // size)
        links = [f'<{self.url}{request.path}?per_page={size}&page={last}>; rel="last"'] if last > 1 else []
        if page < last:
            links.insert(0, f'<{self.url}{request.path}?per_page={size}&page={page + 1}>; rel="next"')
        return Answer(200, shown, {"Link": ", ".join(links)} if links else {})

    def _number(self) -> int:
        self._last += 1
        return self._last


def _user(login: str) -> dict[str, Any]:
    return USER if login == USER["login"] else {**USER, "login": login, "id": 1, "type": "User"}


def _too_long(resource: str) -> Answer:
    message = f"Body is too long (maximum is {_LONGEST} characters)"
    error = {"resource": resource, "code": "unprocessable", "field": "data", "message": message}
    return Answer(422, {"message": "Validation Failed", "errors": [error], "documentation_url": DOCUMENTATION})
