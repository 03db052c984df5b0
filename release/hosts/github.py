"""GitHub, from a job: comments and issues, through https://docs.github.com/rest (issues, and comments on issues)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from release.errors import ReleaseError
from release.hosts.github_branches import GitHubBranches
from release.hosts.notes import Note, NoteText, prefix
from release.hosts.rest import Answer, Api, ConflictError, GoneError, HostError

TITLE = "GitHub"
# The most characters of a comment or issue: 422 "Body is too long (maximum is 65536 characters)".
LIMIT = 65_536
_NEXT = re.compile(r'<([^>]+)>; rel="next"')
_AGAIN = "run the command again"
_HEADS = "refs/heads/"
# What GitHub answers an app that asks who it is.
_NO_PERSON = (403, 404)
_REF = re.compile(r"refs/pull/(\d+)/")


class GitHub:
    """A repository on GitHub, from the variables of a job in GitHub Actions."""

    title = TITLE
    limit = LIMIT

    def __init__(self, variables: Mapping[str, str], repository: str | None = None) -> None:
        """Read the job's variables. `repository` (OWNER/NAME) replaces the job's."""
        self._variables = variables
        self._event = _event(variables)
        self._repository = repository or variables.get("GITHUB_REPOSITORY", "")
        if self._repository.count("/") != 1:
            raise ReleaseError(f"'{self._repository}' is not a repository on GitHub", fix="use --repository OWNER/NAME")

    @property
    def pull_request(self) -> int | None:
        """The number of the job's pull request."""
        number = self._event.get("pull_request", {}).get("number")
        found = _REF.match(self._variables.get("GITHUB_REF", ""))
        return int(number) if number else int(found[1]) if found else None

    @property
    def run(self) -> str | None:
        """The page of the run, which shows the summary."""
        run, server = self._variables.get("GITHUB_RUN_ID"), self._variables.get("GITHUB_SERVER_URL")
        # The run belongs to the job's repository.
        return f"{server}/{self._variables.get('GITHUB_REPOSITORY')}/actions/runs/{run}" if run and server else None

    @property
    def reads_only(self) -> str:
        """Why the job's token cannot write, or "". See "Modifying the permissions for the GITHUB_TOKEN"."""
        pull_request = self._event.get("pull_request", {})
        source = (pull_request.get("head") or {}).get("repo") or {}
        target = (pull_request.get("base") or {}).get("repo") or {}
        if target and source.get("full_name") != target.get("full_name"):
            return "the pull request comes from a fork, and its jobs have a token that can only read"
        if self._variables.get("GITHUB_ACTOR") == "dependabot[bot]":
            return "Dependabot opened the pull request, and its jobs have a token that can only read"
        return ""

    def comments(self, pull_request: int) -> PullRequestComments:
        """Return the comments of a pull request."""
        path = f"/repos/{self._repository}/issues"
        return PullRequestComments(self._api("pull-requests: write"), path, pull_request)

    def issues(self) -> Issues:
        """Return the open issues of the repository."""
        return Issues(self._api("issues: write"), f"/repos/{self._repository}/issues")

    @property
    def branch(self) -> str | None:
        """The branch that the job runs for."""
        ref = self._variables.get("GITHUB_REF", "")
        return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None

    def branches(self) -> GitHubBranches:
        """Return the branches and pull requests of the repository."""
        return GitHubBranches(self._api("contents: write` and `pull-requests: write"), self._repository)

    def summarize(self, text: str) -> bool:
        """Add the Markdown to the job's summary. Return false if there is none."""
        path = self._variables.get("GITHUB_STEP_SUMMARY")
        if not path:
            return False
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
        return True

    def _api(self, permission: str) -> Api:
        token = self._variables.get("GITHUB_TOKEN") or self._variables.get("GH_TOKEN")
        if not token:
            raise ReleaseError(
                "GITHUB_TOKEN is not set", fix="set `GITHUB_TOKEN: ${{ github.token }}` in the step's env"
            )
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "User-Agent": "azureml-platform-release",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        url = self._variables.get("GITHUB_API_URL") or "https://api.github.com"
        return Api(TITLE, url, headers, partial(_explain, self._repository, permission))


class PullRequestComments:
    """The comments of a pull request, which GitHub treats as an issue."""

    def __init__(self, api: Api, path: str, pull_request: int) -> None:
        """Use the issues below a path."""
        self._api = api
        self._path = path
        self._list = f"{path}/{pull_request}/comments"

    def marked(self, name: str) -> Sequence[Note]:
        """Return the comments with a mark, from all pages."""
        found = [each for each in _all(self._api, self._list, {}) if _has_mark(each, name)]
        return list(map(_note, _own(self._api, found)))

    def add(self, draft: NoteText) -> Note:
        """Make a comment."""
        return _note(self._api.send("POST", self._list, {"body": draft.text}).body)

    def edit(self, note: Note, draft: NoteText) -> None:
        """Change a comment."""
        self._api.send("PATCH", f"{self._path}/comments/{note.id}", {"body": draft.text})

    def remove(self, note: Note) -> None:
        """Delete a comment."""
        self._api.send("DELETE", f"{self._path}/comments/{note.id}")


class Issues:
    """The open issues of a repository."""

    def __init__(self, api: Api, path: str) -> None:
        """Use the issues below a path."""
        self._api = api
        self._path = path

    def marked(self, name: str) -> Sequence[Note]:
        """Return the open issues with a mark, from all pages. The list has pull requests too."""
        listed = _all(self._api, self._path, {"state": "open"})
        found = [each for each in listed if "pull_request" not in each and _has_mark(each, name)]
        return list(map(_note, _own(self._api, found)))

    def add(self, draft: NoteText) -> Note:
        """Open an issue."""
        return _note(self._api.send("POST", self._path, {"title": draft.title, "body": draft.text}).body)

    def edit(self, note: Note, draft: NoteText) -> None:
        """Change the title and the text of an issue."""
        self._api.send("PATCH", f"{self._path}/{note.id}", {"title": draft.title, "body": draft.text})

    def remove(self, note: Note) -> None:
        """Close an issue."""
        self._api.send("PATCH", f"{self._path}/{note.id}", {"state": "closed"})


def _event(variables: Mapping[str, str]) -> Mapping[str, Any]:
    path = variables.get("GITHUB_EVENT_PATH")
    try:
        event = json.loads(Path(path).read_text("utf-8")) if path else {}
    except (OSError, ValueError) as error:
        raise ReleaseError(f"cannot read the event in GITHUB_EVENT_PATH: {error}") from error
    return event if isinstance(event, dict) else {}


def _all(api: Api, path: str, parameters: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the items of all pages."""
    answer = api.send("GET", path, parameters={**parameters, "per_page": "100"})
    yield from answer.body
    known: set[str] = set()
    while (following := _next(answer, api)) and following not in known:
        known.add(following)
        answer = api.send("GET", following)
        yield from answer.body


def _next(answer: Answer, api: Api) -> str | None:
    """Return the URL of the next page. The token goes to no other host."""
    found = _NEXT.search(answer.headers.get("Link", ""))
    return found[1] if found and found[1].startswith(f"{api.url}/") else None


def _has_mark(item: Mapping[str, Any], name: str) -> bool:
    return str(item.get("body") or "").startswith(prefix(name))


def _own(api: Api, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the items that the token's account wrote. Everybody can write a mark, and later change the text below it.

    The token of a job belongs to an app, which may not ask who it is: "Get the authenticated user" needs a person. Only
    apps that an owner of the repository has installed write as a bot.
    """
    if not items:
        return []
    try:
        me = api.send("GET", "/user").body["login"]
    except HostError as error:
        if error.status not in _NO_PERSON:
            raise
        return [each for each in items if (each.get("user") or {}).get("type") == "Bot"]
    return [each for each in items if (each.get("user") or {}).get("login") == me]


def _note(item: Mapping[str, Any]) -> Note:
    # An issue is addressed by its number in the repository, a comment by its id.
    number = int(item.get("number") or item["id"])
    return Note(str(number), number, str(item.get("body") or ""), str(item["html_url"]))


def _explain(repository: str, permission: str, status: int, message: str) -> HostError:
    if status == 401:
        return HostError(
            f"{TITLE} does not accept the token: {message}",
            fix="a job's GITHUB_TOKEN is valid until the job ends, and for at most 24 hours: run the job again",
            status=status,
        )
    if status == 403 and "create or approve pull requests" in message:
        return HostError(
            f"{repository} does not let jobs open pull requests: {message}",
            fix="in the repository's settings, Actions, General, Workflow permissions: allow GitHub Actions to create "
            "and approve pull requests",
            status=status,
        )
    if status == 403:
        return HostError(
            f"the token has no permission to write in {repository}: {message}",
            fix=f"add `{permission}` to the job's `permissions`, or allow workflows to write in the settings",
            status=status,
        )
    if status == 409:
        return ConflictError(f"others change {repository} at the same time: {message}", _AGAIN, status)
    if status in (404, 410):
        return GoneError(
            f"{TITLE} does not find the pull request, comment, issue or branch in {repository}: {message}",
            fix="check --repository and --pull-request, and that the token can read the repository",
            status=status,
        )
    return HostError(f"{TITLE} refuses the request with status {status}: {message}", status=status)
