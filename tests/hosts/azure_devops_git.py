"""Azure DevOps' REST API for branches and pull requests.

Shapes: MicrosoftDocs/vsts-rest-api-specs, below specification/git/5.0/httpExamples/:
`refs/GET__git_repositories__repositoryId__refs_heads.json`, `refs/POST__git_repositories__repositoryId__refs.json`,
`pushes/POST__git_repositories__tempRepoId__pushes4.json` and `…pushes8.json` (a push to a new branch),
`pullRequests/{GET,POST,PATCH}__git_repositories__repositoryId__pullRequests….json`; the statuses of a ref update:
`GitRefUpdateResult` of specification/git/7.0/git.json. Errors: the texts that users report (TF401028, TF401179).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.hosts.git import FakeGit
from tests.hosts.server import Answer, Request

_ROUTE = re.compile(r"/(?P<what>refs|items|pushes|pullrequests)(?:/(?P<number>\d+))?")
_LONGEST = 4000


class AzureDevOpsGit:
    """The branches and pull requests of a repository."""

    def __init__(self, git: FakeGit) -> None:
        self.git = git
        self.requests: dict[int, dict[str, Any]] = {}
        self.may_force = True

    def end(self, number: int, *, merged: bool = True) -> None:
        """Complete a pull request with a squash commit, or abandon it. Its branch stays."""
        request = self.requests[number]
        branch = request["sourceRefName"].removeprefix("refs/heads/")
        if merged:
            self.git.push("main", self.git.files(branch))
        request["lastMergeSourceCommit"] = {"commitId": self.git.branches[branch]}
        request["status"] = "completed" if merged else "abandoned"

    def answer(self, request: Request, path: str) -> Answer | None:
        """Answer a request below the repository, or return None if it is about something else."""
        found = _ROUTE.fullmatch(path)
        if found is None:
            return None
        match request.method, found["what"]:
            case "GET", "refs":
                start = f"refs/{request.query['filter']}"
                refs = {f"refs/heads/{name}": commit for name, commit in self.git.branches.items()}
                value = [{"name": name, "objectId": id} for name, id in refs.items() if name.startswith(start)]
                return Answer(200, {"value": value, "count": len(value)})
            case "POST", "refs":
                return self._move(request.body)
            case "GET", "items":
                return self._item(request.query)
            case "POST", "pushes":
                return self._push(request.body)
            case "GET", "pullrequests":
                return self._requests(request.query)
            case "POST", "pullrequests":
                return self._request(request.body)
            case "PATCH", "pullrequests":
                self.requests[int(found["number"])].update(request.body)
                return Answer(200, self.requests[int(found["number"])])
        return None

    def _move(self, body: list[dict[str, str]]) -> Answer:
        (update,) = body
        branch = update["name"].removeprefix("refs/heads/")
        old, new = update["oldObjectId"], update["newObjectId"]
        status = "succeeded"
        if self.git.branches.get(branch) != old:
            status = "staleOldObjectId"
        elif not self.may_force and not self.git.is_forward(old, new):
            status = "forcePushRequired"
        else:
            self.git.branches[branch] = new
        result = {**update, "isLocked": False, "updateStatus": status, "success": status == "succeeded"}
        return Answer(200, {"value": [result], "count": 1})

    def _item(self, query: Mapping[str, str]) -> Answer:
        assert query["versionDescriptor.versionType"] == "commit"
        assert (query["includeContent"], query["$format"]) == ("true", "json")
        text = self.git.commits[query["versionDescriptor.version"]].files.get(query["path"].removeprefix("/"))
        if text is None:
            return Answer(404, {"message": f"TF401174: The item '{query['path']}' could not be found."})
        return Answer(200, {"gitObjectType": "blob", "path": query["path"], "content": text})

    def _push(self, body: Mapping[str, Any]) -> Answer:
        (update,), (commit,) = body["refUpdates"], body["commits"]
        branch, old = update["name"].removeprefix("refs/heads/"), update["oldObjectId"]
        if self.git.branches.get(branch, old) != old:
            message = f"TF401028: The reference '{update['name']}' has already been updated by another client"
            return Answer(409, {"message": f"{message}, so you cannot update it. Please try again."})
        files = dict(self.git.commits[old].files)
        for change in commit["changes"]:
            path = change["item"]["path"].removeprefix("/")
            assert change["changeType"] == ("edit" if path in files else "add")
            assert change["newContent"]["contentType"] == "rawtext"
            files[path] = change["newContent"]["content"]
        new = self.git.branches[branch] = self.git.add(files, old, message=commit["comment"])
        moved = {"name": update["name"], "oldObjectId": old, "newObjectId": new}
        return Answer(201, {"commits": [{"commitId": new}], "refUpdates": [moved], "pushId": 83})

    def _requests(self, query: Mapping[str, str]) -> Answer:
        status, target = query["searchCriteria.status"], query.get("searchCriteria.targetRefName")
        found = [
            each
            for each in self.requests.values()
            if each["sourceRefName"] == query["searchCriteria.sourceRefName"]
            and status in ("all", each["status"])
            and target in (None, each["targetRefName"])
        ]
        return Answer(200, {"value": [self._shown(each) for each in found], "count": len(found)})

    def _request(self, body: Mapping[str, Any]) -> Answer:
        if any(
            each["status"] == "active" and each["sourceRefName"] == body["sourceRefName"]
            for each in self.requests.values()
        ):
            message = "TF401179: An active pull request for the source and target branch already exists."
            return Answer(409, {"message": message})
        if len(body["description"]) > _LONGEST:
            return Answer(400, {"message": "Invalid pull request description."})
        number = 23 + len(self.requests)
        self.requests[number] = {"pullRequestId": number, "codeReviewId": number, "status": "active", **body}
        return Answer(201, self._shown(self.requests[number]))

    def _shown(self, request: Mapping[str, Any]) -> dict[str, Any]:
        tip = self.git.branches.get(request["sourceRefName"].removeprefix("refs/heads/"))
        return {"lastMergeSourceCommit": {"commitId": tip}, **request}
