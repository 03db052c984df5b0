"""GitHub: branches and pull requests, through https://docs.github.com/rest (git, repos/contents, pulls)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from release.hosts.branches import PullRequest
from release.hosts.rest import Api, ConflictError, GoneError, HostError

# A file that a program or a person can read, but not run.
_MODE = "100644"
# What a 422 says if the state is another one than the request expects.
_RACES = ("already exists", "not a fast forward")
_MOST = 100  # in one page


class GitHubBranches:
    """The branches of a repository."""

    def __init__(self, api: Api, repository: str) -> None:
        """Use a repository (OWNER/NAME)."""
        self._api = api
        self._path = f"/repos/{repository}"
        self._owner = repository.partition("/")[0]

    def tip(self, branch: str) -> str | None:
        """Return the newest commit of a branch, or None if there is no such branch."""
        try:
            found = self._api.send("GET", f"{self._path}/git/ref/heads/{quote(branch)}").body
        except GoneError:
            return None
        return str(found["object"]["sha"])

    def content(self, commit: str, path: str) -> str | None:
        """Return the text of a file in a commit, or None if the commit does not have it."""
        try:
            found = self._api.send("GET", f"{self._path}/contents/{quote(path)}", parameters={"ref": commit}).body
        except GoneError:
            return None
        return base64.b64decode(found["content"]).decode()

    def commit(self, branch: str, old: str | None, parent: str, files: Mapping[str, str], message: str) -> str:
        """Commit files on top of `parent`, and let the branch point to the commit.

        GitHub moves a branch only forward, unless it is forced to. So a branch that another run moved is a conflict,
        except if it begins again.
        """
        git = f"{self._path}/git"
        base = self._api.send("GET", f"{git}/commits/{parent}").body["tree"]["sha"]
        blobs = [{"path": path, "mode": _MODE, "type": "blob", "content": text} for path, text in files.items()]
        tree = self._api.send("POST", f"{git}/trees", {"base_tree": base, "tree": blobs}).body["sha"]
        made = {"message": message, "tree": tree, "parents": [parent]}
        sha = str(self._api.send("POST", f"{git}/commits", made).body["sha"])
        if old is None:
            self._change("POST", f"{git}/refs", {"ref": f"refs/heads/{branch}", "sha": sha})
        else:
            self._change("PATCH", f"{git}/refs/heads/{quote(branch)}", {"sha": sha, "force": old != parent})
        return sha

    def open_request(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request from one branch to another."""
        return next(map(_request, self._requests(branch, {"base": base, "state": "open"})), None)

    def is_left_over(self, branch: str, tip: str) -> bool:
        """Whether a branch is what a pull request that is closed or merged left."""
        newest = {"state": "closed", "sort": "created", "direction": "desc"}
        return any(each["head"]["sha"] == tip for each in self._requests(branch, newest))

    def request(self, branch: str, base: str, title: str, text: str) -> PullRequest:
        """Open a pull request."""
        wanted = {"title": title, "head": branch, "base": base, "body": text}
        return _request(self._change("POST", f"{self._path}/pulls", wanted))

    def edit(self, request: PullRequest, title: str, text: str) -> None:
        """Change the title and the description of a pull request."""
        self._api.send("PATCH", f"{self._path}/pulls/{request.number}", {"title": title, "body": text})

    def close(self, request: PullRequest) -> None:
        """Close a pull request without merging it."""
        self._api.send("PATCH", f"{self._path}/pulls/{request.number}", {"state": "closed"})

    def _requests(self, branch: str, parameters: Mapping[str, str]) -> list[Mapping[str, Any]]:
        head = {"head": f"{self._owner}:{branch}", "per_page": str(_MOST)}
        found: list[Mapping[str, Any]] = self._api.send(
            "GET", f"{self._path}/pulls", parameters={**head, **parameters}
        ).body
        return found

    def _change(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            changed: Mapping[str, Any] = self._api.send(method, path, body).body
        except HostError as error:
            if error.status == 422 and any(each in error.message.lower() for each in _RACES):
                raise ConflictError(error.message, "run the command again", 422) from error
            raise
        return changed


def _request(item: Mapping[str, Any]) -> PullRequest:
    return PullRequest(int(item["number"]), str(item["title"]), str(item.get("body") or ""), str(item["html_url"]))
