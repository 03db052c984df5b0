"""Azure DevOps: branches and pull requests, through the refs, items, pushes and pullrequests of its Git API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from release.hosts.branches import PullRequest
from release.hosts.rest import Api, ConflictError, GoneError, HostError

_LONGEST = 4000  # characters of a description
_RACES = ("staleOldObjectId", "refNameConflict")
_MOST = "100"  # in one page


class AzureDevOpsBranches:
    """The branches of a repository."""

    def __init__(self, api: Api, repository: str, page: str, version: Mapping[str, str]) -> None:
        """Use a repository, whose pull requests are below `page`, and a version of the API."""
        self._api = api
        self._path = f"/_apis/git/repositories/{quote(repository)}"
        self._page = page
        self._version = version

    def tip(self, branch: str) -> str | None:
        """Return the newest commit of a branch, or None if there is no such branch."""
        # The filter is the beginning of a name.
        found = self._get("/refs", {"filter": f"heads/{branch}"})
        return next((str(each["objectId"]) for each in found["value"] if each["name"] == _ref(branch)), None)

    def content(self, commit: str, path: str) -> str | None:
        """Return the text of a file in a commit, or None if the commit does not have it."""
        wanted = {
            "path": f"/{path}", "includeContent": "true", "$format": "json", "versionDescriptor.version": commit,
            "versionDescriptor.versionType": "commit",
        }  # fmt: skip
        try:
            found = self._get("/items", wanted)
        except GoneError:
            return None
        return str(found.get("content") or "")

    def commit(self, branch: str, old: str | None, parent: str, files: Mapping[str, str], message: str) -> str:
        """Commit files on top of `parent`, and let the branch point to the commit.

        Azure DevOps accepts a push only if the branch is where the request expects it. A branch that does not exist
        begins at the expected commit.
        """
        if old is not None and old != parent:
            moved = [{"name": _ref(branch), "oldObjectId": old, "newObjectId": parent}]
            (result,) = self._send("POST", "/refs", moved)["value"]
            if not result["success"]:
                raise _refused(branch, str(result["updateStatus"]))
        changes = [
            {
                "changeType": "add" if self.content(parent, path) is None else "edit",
                "item": {"path": f"/{path}"},
                "newContent": {"content": text, "contentType": "rawtext"},
            }
            for path, text in files.items()
        ]
        push = {
            "refUpdates": [{"name": _ref(branch), "oldObjectId": parent}],
            "commits": [{"comment": message, "changes": changes}],
        }
        return str(self._send("POST", "/pushes", push)["refUpdates"][0]["newObjectId"])

    def open_request(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request from one branch to another."""
        found = self._requests(branch, status="active", targetRefName=_ref(base))
        return next(map(self._request, found), None)

    def is_left_over(self, branch: str, tip: str) -> bool:
        """Whether a branch is what a pull request that is abandoned or completed left."""
        ended = (each for each in self._requests(branch, status="all") if each["status"] != "active")
        return any((each.get("lastMergeSourceCommit") or {}).get("commitId") == tip for each in ended)

    def request(self, branch: str, base: str, title: str, text: str) -> PullRequest:
        """Open a pull request."""
        wanted = {
            "sourceRefName": _ref(branch), "targetRefName": _ref(base), "title": title, "description": text[:_LONGEST],
        }  # fmt: skip
        return self._request(self._send("POST", "/pullrequests", wanted))

    def edit(self, request: PullRequest, title: str, text: str) -> None:
        """Change the title and the description of a pull request."""
        self._send("PATCH", f"/pullrequests/{request.number}", {"title": title, "description": text[:_LONGEST]})

    def close(self, request: PullRequest) -> None:
        """Abandon a pull request."""
        self._send("PATCH", f"/pullrequests/{request.number}", {"status": "abandoned"})

    def _requests(self, branch: str, **criteria: str) -> list[Mapping[str, Any]]:
        wanted = {f"searchCriteria.{key}": value for key, value in criteria.items()}
        found = self._get("/pullrequests", {"searchCriteria.sourceRefName": _ref(branch), "$top": _MOST, **wanted})
        requests: list[Mapping[str, Any]] = found["value"]
        return requests

    def _request(self, item: Mapping[str, Any]) -> PullRequest:
        number = int(item["pullRequestId"])
        text = str(item.get("description") or "")
        return PullRequest(number, str(item["title"]), text, f"{self._page}/pullrequest/{number}")

    def _get(self, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self._api.send("GET", f"{self._path}{path}", parameters={**self._version, **parameters})
        body: Mapping[str, Any] = answer.body
        return body

    def _send(self, method: str, path: str, body: Any) -> Mapping[str, Any]:
        answer = self._api.send(method, f"{self._path}{path}", body, parameters=self._version)
        made: Mapping[str, Any] = answer.body
        return made


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def _refused(branch: str, status: str) -> HostError:
    if status in _RACES:
        return ConflictError(f"another run moved branch '{branch}' at the same time", "run the command again")
    if status == "forcePushRequired":
        return HostError(
            f"the token may not let branch '{branch}' begin again at its base",
            fix="delete the branch, or give the build service *Force push* on it",
        )
    return HostError(f"Azure DevOps does not move branch '{branch}': {status}")
