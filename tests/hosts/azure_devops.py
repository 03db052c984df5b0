"""Azure DevOps' REST API for threads of pull requests and for work items.

Shapes: MicrosoftDocs/vsts-rest-api-specs, below specification/:
`git/3.2/examples/pullRequests/GET__git_repositories__repositoryId__pullRequests__pullRequestId__threads.json`,
`…/POST__…__threads__threadId__comments.json`, `…/DELETE__…__threads__threadId__comments__commentId_.json`,
`wit/7.1/httpExamples/wiql/GET__wit_get_id_workitems.json`,
`wit/4.1/httpExamples/workItems/POST__wit_workitems_create.json`,
`wit/7.1/httpExamples/workItems/PATCH__wit_workitems__taskId_9.json` and
`wit/4.1/httpExamples/workItemTypeStates/GET__workitem_type_states.json`. Errors: the page "Rate and usage limits", and
the texts that users report (TF401027; `A discussion comment cannot be longer than 150000 characters.`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.hosts.azure_devops_git import AzureDevOpsGit
from tests.hosts.git import FakeGit
from tests.hosts.server import Answer, FakeHost, Request

PROJECT = "Fabrikam Fiber"
REPOSITORY = "3411ebc1-d5aa-464f-9615-0b527bc66719"
PULL_REQUEST = 22
TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJuYW1laWQiOiJidWlsZCJ9.c2lnbmF0dXJl"
NO_PERMISSION = {
    "$id": "1",
    "innerException": None,
    "message": "TF401027: You need the Git 'PullRequestContribute' permission to perform this action. Details: "
    "identity 'Build\\2fa95b7a-c774-4595-a6f2-63f482634e9f', scope 'repository'.",
    "typeName": "Microsoft.TeamFoundation.Git.Server.GitNeedsPermissionException, Microsoft.TeamFoundation.Git.Server",
    "typeKey": "GitNeedsPermissionException",
    "errorCode": 0,
    "eventId": 3000,
}
LIMITED = {
    "message": "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource "
    "'Concurrency' in namespace 'User'.",
}
_AUTHOR = {
    "id": "d6245f20-2af8-44f4-9451-8107cb2767db",
    "displayName": "Fabrikam Fiber Build Service (fabrikam)",
    "uniqueName": "Build\\2fa95b7a-c774-4595-a6f2-63f482634e9f",
}
STATES = [
    {"name": "To Do", "color": "b2b2b2", "category": "Proposed"},
    {"name": "Doing", "color": "007acc", "category": "InProgress"},
    {"name": "Done", "color": "339933", "category": "Completed"},
    {"name": "Removed", "color": "ffffff", "category": "Removed"},
]
_LONGEST = 150_000
_DATE = "2016-11-01T16:30:48.91Z"
_THREADS = re.compile(
    rf"/_apis/git/repositories/{REPOSITORY}/pullRequests/{PULL_REQUEST}/threads"
    r"(?:/(?P<thread>\d+)(?:/comments/(?P<comment>\d+))?)?"
)
_PROJECT_ID = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"
_BUILD = re.compile(rf"/fabrikam/{_PROJECT_ID}/_apis/build/builds/(?P<build>\d+)")
_BASES = re.compile(rf"/fabrikam/{_PROJECT_ID}/_apis/git/repositories/{REPOSITORY}/commits/[0-9a-f]{{40}}/mergebases")
_ITEM = re.compile(r"/_apis/wit/workitems/(?:\$(?P<type>\w+)|(?P<id>\d+))")
_TAG = re.compile(r"\[System\.Tags\] CONTAINS '([^']+)'")


class FakeAzureDevOps(FakeHost):
    """A project with one repository and one pull request, in an organization on loopback."""

    def __init__(self, page: int = 1000) -> None:
        """Give at most `page` threads in an answer."""
        super().__init__()
        self.threads: dict[int, dict[str, Any]] = {}
        self.items: dict[int, dict[str, Any]] = {}
        self.git = FakeGit()
        self.pulls = AzureDevOpsGit(self.git)
        # Of "Builds - Get".
        self.origin: dict[str, Any] = {
            "reason": "batchedCI",
            "sourceBranch": "refs/heads/main",
            "sourceVersion": "5f5b063f" * 5,
            "repository": {"id": REPOSITORY, "type": "TfsGit"},
        }
        # Of "Merge Bases - List", for the commits of a job and of the run.
        self.base = self.origin["sourceVersion"]
        self._page = page

    def variables(self, folder: Path, **more: str) -> dict[str, str]:
        """Return the variables of a job for the pull request."""
        return {
            "TF_BUILD": "True",
            "AGENT_TEMPDIRECTORY": str(folder),
            "BUILD_BUILDID": "1581",
            "BUILD_REPOSITORY_ID": REPOSITORY,
            "BUILD_REPOSITORY_PROVIDER": "TfsGit",
            "BUILD_SOURCEVERSION": "9747e14a" * 5,
            "SYSTEM_COLLECTIONURI": f"{self.url}/fabrikam/",
            "SYSTEM_TEAMPROJECT": PROJECT,
            "SYSTEM_TEAMPROJECTID": _PROJECT_ID,
            "SYSTEM_PULLREQUEST_PULLREQUESTID": str(PULL_REQUEST),
            "SYSTEM_PULLREQUEST_ISFORK": "False",
            "SYSTEM_ACCESSTOKEN": TOKEN,
            **more,
        }

    def say(self, content: str, status: str = "active", kind: str = "text", author: str = _AUTHOR["id"]) -> int:
        """Make a thread with a comment, and return its id."""
        number = 141 + len(self.threads)
        comment = {
            "id": 1,
            "parentCommentId": 0,
            "author": {**_AUTHOR, "id": author},
            "content": content,
            "publishedDate": _DATE,
            "lastUpdatedDate": _DATE,
            "commentType": kind,
            "usersLiked": [],
        }
        self.threads[number] = {
            "pullRequestThreadContext": None,
            "id": number,
            "publishedDate": _DATE,
            "lastUpdatedDate": _DATE,
            "comments": [comment],
            "status": status,
            "threadContext": None,
            "properties": {},
            "isDeleted": False,
        }
        return number

    def shown(self) -> dict[int, tuple[str, str]]:
        """Return status and text of the threads that people see."""
        return {
            number: (thread["status"], thread["comments"][0]["content"])
            for number, thread in self.threads.items()
            if not thread["isDeleted"]
        }

    def delete(self, thread: int) -> None:
        """Delete the first comment of a thread. A thread without comments is deleted too."""
        first, *others = self.threads[thread]["comments"]
        first.update(isDeleted=True)
        first.pop("content")
        self.threads[thread]["isDeleted"] = all(each.get("isDeleted") for each in others)

    def answer(self, request: Request) -> Answer:
        """Answer as Azure DevOps does."""
        # A job that signs in to the local Azure has a token of the local Azure.
        if (run := _BUILD.fullmatch(request.path)) and request.headers.get("Authorization", "").startswith("Bearer "):
            assert request.query["api-version"] == "7.1"
            return Answer(200, {"id": int(run["build"]), **self.origin})
        if _BASES.fullmatch(request.path) and request.headers.get("Authorization", "").startswith("Bearer "):
            assert request.query == {"otherCommitId": self.origin["sourceVersion"], "api-version": "7.1"}
            return Answer(200, {"count": 1, "value": [{"commitId": self.base}]})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, "<html>Access Denied: The Personal Access Token used has expired.</html>")
        if request.path == "/fabrikam/_apis/connectionData":
            assert request.query["api-version"] == "7.0-preview"
            return Answer(200, {"authenticatedUser": {"id": _AUTHOR["id"], "isActive": True}})
        assert request.query["api-version"] == "7.0"
        path = request.path.removeprefix("/fabrikam/Fabrikam%20Fiber")
        answer = self.pulls.answer(request, path.removeprefix(f"/_apis/git/repositories/{REPOSITORY}"))
        if answer is not None:
            return answer
        threads, item = _THREADS.fullmatch(path), _ITEM.fullmatch(path)
        if threads:
            return self._threads(request, threads)
        if item:
            return self._item(request, item)
        if path == "/_apis/wit/wiql":
            return self._query(request)
        if path == "/_apis/wit/workitems":
            return Answer(200, {"value": [self.items.get(int(each)) for each in request.query["ids"].split(",")]})
        if path == "/_apis/wit/workitemtypes/Task/states":
            return Answer(200, {"count": len(STATES), "value": STATES})
        return Answer(404, {"message": f"TF401180: The requested pull request was not found: {path}"})

    def _threads(self, request: Request, found: re.Match[str]) -> Answer:
        if request.method == "GET":
            start = int(request.query.get("continuationToken", 0))
            value = list(self.threads.values())[start : start + self._page]
            more = start + self._page < len(self.threads)
            headers = {"X-MS-ContinuationToken": str(start + self._page)} if more else {}
            return Answer(200, {"value": value, "count": len(value)}, headers)
        comments = request.body.get("comments", [request.body]) if request.body else []
        if any(len(each.get("content", "").encode("utf-16-le")) // 2 > _LONGEST for each in comments):
            return Answer(400, {"message": f"A discussion comment cannot be longer than {_LONGEST} characters."})
        if request.method == "POST":
            return Answer(200, self.threads[self.say(comments[0]["content"], request.body["status"])])
        thread = self.threads.get(int(found["thread"]))
        if thread is None or thread["isDeleted"]:
            return Answer(404, {"message": f"The thread {found['thread']} was not found."})
        if found["comment"] is None:
            thread.update(request.body)
            return Answer(200, thread)
        (comment,) = (each for each in thread["comments"] if each["id"] == int(found["comment"]))
        if comment.get("isDeleted"):
            return Answer(404, {"message": f"The comment {found['comment']} was not found."})
        if request.method == "DELETE":
            self.delete(thread["id"])
            return Answer(200)
        comment.update(request.body)
        return Answer(200, comment)

    def _query(self, request: Request) -> Answer:
        (tag,) = _TAG.findall(request.body["query"])
        found = [
            number for number, item in self.items.items() if tag in item["fields"].get("System.Tags", "").split("; ")
        ]
        links = [{"id": number, "url": f"{self.url}/fabrikam/_apis/wit/workItems/{number}"} for number in found]
        return Answer(200, {"queryType": "flat", "asOf": _DATE, "columns": [], "workItems": links[::-1]})

    def _item(self, request: Request, found: re.Match[str]) -> Answer:
        assert request.headers["Content-Type"] == "application/json-patch+json"
        fields = {each["path"].removeprefix("/fields/"): each["value"] for each in request.body}
        if found["type"]:
            number = 131489 + len(self.items)
            fixed = {"System.WorkItemType": found["type"], "System.State": "To Do", "System.TeamProject": PROJECT}
            self.items[number] = {"id": number, "rev": 1, "fields": {**fixed, **fields}, "url": f"{self.url}/{number}"}
            return Answer(200, self.items[number])
        item = self.items[int(found["id"])]
        item["fields"].update(fields)
        item["rev"] += 1
        return Answer(200, item)
