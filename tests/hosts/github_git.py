"""GitHub's REST API for branches and pull requests.

Shapes: the examples `git-ref`, `git-tree`, `git-commit`, `content-file-response-if-content-is-a-file`,
`pull-request-simple-items` and `pull-request` of github/rest-api-description. Errors: the texts that users report
(`Reference already exists`, `Update is not a fast forward`, `A pull request already exists for OWNER:BRANCH.`, and
`GitHub Actions is not permitted to create or approve pull requests.`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tests.hosts.git import FakeGit
from tests.hosts.server import Answer, Request

NOT_PERMITTED = {
    "message": "GitHub Actions is not permitted to create or approve pull requests.",
    "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
    "status": "403",
}
_NOT_FOUND = Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
_ROUTE = re.compile(
    r"/(?P<what>git/ref/heads|git/refs/heads|git/refs|git/commits|git/trees|contents|pulls)(?:/(?P<name>.+))?"
)


class GitHubGit:
    """The branches and pull requests of a repository."""

    def __init__(self, repository: str, url: str, git: FakeGit) -> None:
        self.repository = repository
        self.owner = repository.partition("/")[0]
        self.url = url
        self.git = git
        self.requests: dict[int, dict[str, Any]] = {}
        self._trees: dict[str, Mapping[str, str]] = {}

    def end(self, number: int, *, merged: bool = True) -> None:
        """Squash and merge a pull request, or close it. Its branch stays."""
        request = self.requests[number]
        if merged:
            self.git.push("main", self.git.files(request["head"]["ref"]))
        request["state"] = "closed"
        request["head"]["sha"] = self.git.branches[request["head"]["ref"]]

    def answer(self, request: Request, path: str) -> Answer | None:
        """Answer a request below the repository, or return None if it is about something else."""
        found = _ROUTE.fullmatch(path)
        if found is None:
            return None
        name = unquote(found["name"] or "")
        if found["what"] == "contents":
            return self._content(name, request.query["ref"])
        return self._pulls(request, name) if found["what"] == "pulls" else self._git(request, found["what"], name)

    def _git(self, request: Request, what: str, name: str) -> Answer | None:
        match request.method, what:
            case "GET", "git/ref/heads":
                return self._ref(name)
            case "GET", "git/commits":
                return Answer(200, {"sha": name, "tree": {"sha": self._tree(self.git.commits[name].files)}})
            case "POST", "git/trees":
                assert all((each["mode"], each["type"]) == ("100644", "blob") for each in request.body["tree"])
                new = {each["path"]: each["content"] for each in request.body["tree"]}
                return Answer(201, {"sha": self._tree({**self._trees[request.body["base_tree"]], **new})})
            case "POST", "git/commits":
                body = request.body
                sha = self.git.add(self._trees[body["tree"]], *body["parents"], message=body["message"])
                return Answer(201, {"sha": sha, "message": body["message"]})
            case "POST", "git/refs":
                branch = request.body["ref"].removeprefix("refs/heads/")
                if branch in self.git.branches:
                    return _invalid("Reference already exists")
                self.git.branches[branch] = request.body["sha"]
                return Answer(201, self._ref(branch).body)
            case "PATCH", "git/refs/heads":
                forward = self.git.is_forward(self.git.branches[name], request.body["sha"])
                if not forward and not request.body["force"]:
                    return _invalid("Update is not a fast forward")
                self.git.branches[name] = request.body["sha"]
                return self._ref(name)
        return None

    def _pulls(self, request: Request, name: str) -> Answer | None:
        match request.method:
            case "GET":
                return self._requests(request.query)
            case "POST":
                return self._request(request.body)
            case "PATCH":
                self.requests[int(name)].update(request.body)
                return Answer(200, self.requests[int(name)])
        return None

    def _ref(self, branch: str) -> Answer:
        if branch not in self.git.branches:
            return _NOT_FOUND
        target = {"type": "commit", "sha": self.git.branches[branch]}
        return Answer(200, {"ref": f"refs/heads/{branch}", "node_id": "MDM6UmVm", "object": target})

    def _tree(self, files: Mapping[str, str]) -> str:
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()  # noqa: S324
        self._trees[sha] = files
        return sha

    def _content(self, path: str, commit: str) -> Answer:
        text = self.git.commits[commit].files.get(path)
        if text is None:
            return _NOT_FOUND
        content = base64.encodebytes(text.encode()).decode()
        return Answer(200, {"type": "file", "encoding": "base64", "path": path, "content": content, "size": len(text)})

    def _requests(self, query: Mapping[str, str]) -> Answer:
        owner, _, branch = query["head"].partition(":")
        assert owner == self.owner
        found = [
            {**each, "head": {"sha": self.git.branches.get(branch), **each["head"]}}
            for each in self.requests.values()
            if each["head"]["ref"] == branch and each["state"] == query["state"]
            and query.get("base", each["base"]["ref"]) == each["base"]["ref"]
        ]  # fmt: skip
        return Answer(200, found)

    def _request(self, body: Mapping[str, Any]) -> Answer:
        active = self._requests({"head": f"{self.owner}:{body['head']}", "base": body["base"], "state": "open"})
        if active.body:
            message = f"A pull request already exists for {self.owner}:{body['head']}."
            return _invalid("Validation Failed", {"resource": "PullRequest", "code": "custom", "message": message})
        number = 1348 + len(self.requests)
        self.requests[number] = {
            "number": number,
            "state": "open",
            "title": body["title"],
            "body": body["body"],
            "html_url": f"https://github.com/{self.repository}/pull/{number}",
            "head": {"ref": body["head"]},
            "base": {"ref": body["base"]},
        }
        return Answer(201, self.requests[number])


def _invalid(message: str, *errors: Mapping[str, str]) -> Answer:
    return Answer(
        422, {"message": message, "errors": list(errors), "documentation_url": "https://docs.github.com/rest"}
    )
