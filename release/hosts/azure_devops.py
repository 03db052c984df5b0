"""Azure DevOps: threads of pull requests and work items, through https://learn.microsoft.com/rest/api/azure/devops."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt

from release.errors import ReleaseError
from release.hosts.azure_devops_branches import AzureDevOpsBranches
from release.hosts.notes import Note, NoteText, prefix
from release.hosts.rest import Api, ConflictError, GoneError, HostError
from release.untrusted import tell_host

TITLE = "Azure DevOps"
# The most characters of a comment: 400 "A discussion comment cannot be longer than 150000 characters".
LIMIT = 150_000
# The newest version of the API that Azure DevOps Server 2022 has too.
_VERSION = {"api-version": "7.0"}
_AGAIN = "run the command again"
_HEADS = "refs/heads/"
_PATCH = "application/json-patch+json"
# The one type of work item that all processes have.
_TYPE = "Task"
_MOST_ITEMS = 200  # in one request
_QUERY = (
    "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project AND [System.Tags] CONTAINS 'TAG' "
    "ORDER BY [System.Id] DESC"
)


class AzureDevOps:
    """A repository on Azure DevOps, from the variables of a job in Azure Pipelines."""

    title = TITLE
    limit = LIMIT

    def __init__(self, variables: Mapping[str, str], repository: str | None = None) -> None:
        """Read the job's variables. `repository` ([PROJECT/]NAME) replaces the job's."""
        self._variables = variables
        project, _, name = (repository or "").rpartition("/")
        self._project = project or variables.get("SYSTEM_TEAMPROJECT", "")
        self._repository = name or variables.get("BUILD_REPOSITORY_ID", "")
        self._collection = variables.get("SYSTEM_COLLECTIONURI", "").rstrip("/")
        for what, variable in (
            (self._collection, "SYSTEM_COLLECTIONURI"),
            (self._project, "SYSTEM_TEAMPROJECT"),
            (self._repository, "BUILD_REPOSITORY_ID"),
        ):
            if not what:
                raise ReleaseError(
                    f"{variable} is not set", fix="run the command in a job of Azure Pipelines, or set it"
                )
        if repository is None and variables.get("BUILD_REPOSITORY_PROVIDER", "TfsGit") != "TfsGit":
            raise ReleaseError(
                f"the repository is not in Azure DevOps: {variables['BUILD_REPOSITORY_PROVIDER']}",
                fix="for GitHub, use --host github --repository OWNER/NAME --pull-request NUMBER and set GITHUB_TOKEN",
            )

    @property
    def pull_request(self) -> int | None:
        """The number of the job's pull request."""
        number = self._variables.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
        return int(number) if number.isdecimal() else None

    @property
    def run(self) -> str | None:
        """The page of the run, which shows the summary."""
        build = self._variables.get("BUILD_BUILDID")
        return f"{self._address}/_build/results?buildId={build}&view=results" if build else None

    @property
    def reads_only(self) -> str:
        """Why the job's token cannot write, or ""."""
        if self._variables.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true":
            return "the pull request comes from a fork, and its jobs have a token that can only read"
        return ""

    def comments(self, pull_request: int) -> PullRequestThreads:
        """Return the comments of a pull request."""
        path = f"/_apis/git/repositories/{quote(self._repository)}/pullRequests/{pull_request}/threads"
        fix = "let the build service *Contribute to pull requests* in the repository's security settings"
        page = f"{self._address}/_git/{quote(self._repository)}/pullrequest/{pull_request}"
        return PullRequestThreads(self._api(fix), self._api(fix, self._collection), path, page)

    def issues(self) -> WorkItems:
        """Return the open work items of the project."""
        fix = "let the build service *Edit work items in this node* in the project's area path"
        return WorkItems(self._api(fix), self._address)

    @property
    def branch(self) -> str | None:
        """The branch that the job runs for."""
        ref = self._variables.get("BUILD_SOURCEBRANCH", "")
        return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None

    def branches(self) -> AzureDevOpsBranches:
        """Return the branches and pull requests of the repository."""
        fix = "give the build service *Contribute*, *Create branch* and *Contribute to pull requests* in the repository"
        page = f"{self._address}/_git/{quote(self._repository)}"
        return AzureDevOpsBranches(self._api(fix), self._repository, page, _VERSION)

    def summarize(self, text: str) -> bool:
        """Add the Markdown to the run's summary. Return false if there is none."""
        folder = self._variables.get("AGENT_TEMPDIRECTORY")
        if not folder:
            return False
        # The agent reads the path from the output and the file after the step, and empties the folder after the job.
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=folder, prefix="release-", suffix=".md", delete=False
        ) as file:
            file.write(text)
        tell_host(f"##vso[task.uploadsummary]{Path(file.name).resolve()}")
        return True

    @property
    def _address(self) -> str:
        return f"{self._collection}/{quote(self._project)}"

    def _api(self, fix: str, address: str = "") -> Api:
        token = self._variables.get("SYSTEM_ACCESSTOKEN")
        if not token:
            raise ReleaseError(
                "SYSTEM_ACCESSTOKEN is not set", fix="set `SYSTEM_ACCESSTOKEN: $(System.AccessToken)` in the step's env"
            )
        # A job's token is a JSON Web Token. A personal access token has no dots.
        scheme = f"Bearer {token}" if "." in token else f"Basic {base64.b64encode(f':{token}'.encode()).decode()}"
        headers = {
            "Accept": "application/json",
            "Authorization": scheme,
            "User-Agent": "azureml-platform-release",
            # An invalid token is an error, and not a redirect to the page that signs in.
            "X-TFS-FedAuthRedirect": "Suppress",
        }
        return Api(TITLE, address or self._address, headers, partial(_explain, self._project, fix))


class PullRequestThreads:
    """The first comments of a pull request's threads."""

    def __init__(self, api: Api, organization: Api, path: str, page: str) -> None:
        """Use the threads at a path of the project's API, the organization's API, and the page of the pull request."""
        self._api = api
        self._organization = organization
        self._path = path
        self._page = page

    def marked(self, name: str) -> Sequence[Note]:
        """Return the comments with a mark that the token's account wrote, from all pages. Anybody can write a mark."""
        notes = []
        me = ""
        for thread in _all(self._api, self._path):
            first: Mapping[str, Any] = next(iter(thread.get("comments") or ()), {})
            text = str(first.get("content") or "")
            if thread.get("isDeleted") or first.get("isDeleted") or not text.startswith(prefix(name)):
                continue
            me = me or self._account()
            if (first.get("author") or {}).get("id") == me:
                notes.append(self._note(thread["id"], first["id"], text))
        return notes

    def _account(self) -> str:
        parameters = {"api-version": "7.0-preview"}  # no other version
        known = self._organization.send("GET", "/_apis/connectionData", parameters=parameters).body
        return str(known["authenticatedUser"]["id"])

    def add(self, draft: NoteText) -> Note:
        """Make a thread, which is closed if nobody has to look at it."""
        comment = {"parentCommentId": 0, "content": draft.text, "commentType": "text"}
        thread = {"comments": [comment], "status": _status(draft)}
        made = self._api.send("POST", self._path, thread, parameters=_VERSION).body
        return self._note(made["id"], made["comments"][0]["id"], draft.text)

    def edit(self, note: Note, draft: NoteText) -> None:
        """Change a comment. A thread with the same content keeps the status that a reviewer gave it."""
        path = f"{self._path}/{note.number}"
        self._api.send("PATCH", f"{path}/comments/{note.id}", {"content": draft.text}, parameters=_VERSION)
        if note.text.partition("\n")[0] != draft.text.partition("\n")[0]:
            self._api.send("PATCH", path, {"status": _status(draft)}, parameters=_VERSION)

    def remove(self, note: Note) -> None:
        """Delete a comment."""
        self._api.send("DELETE", f"{self._path}/{note.number}/comments/{note.id}", parameters=_VERSION)

    def _note(self, thread: int, comment: int, text: str) -> Note:
        return Note(str(comment), thread, text, f"{self._page}?discussionId={thread}")


class WorkItems:
    """The open work items of a project."""

    def __init__(self, api: Api, address: str) -> None:
        """Use the work items of the project at an address."""
        self._api = api
        self._address = address
        self._markdown = MarkdownIt("commonmark").enable("table")

    def marked(self, name: str) -> Sequence[Note]:
        """Return the open work items with a tag. A description does not keep a hidden mark."""
        query = _QUERY.replace("TAG", _tag(name))
        parameters = {**_VERSION, "$top": str(_MOST_ITEMS)}
        found = self._api.send("POST", "/_apis/wit/wiql", {"query": query}, parameters=parameters).body["workItems"]
        if not found:
            return []
        parameters = {
            **_VERSION, "ids": ",".join(str(each["id"]) for each in found),
            "fields": "System.State,System.WorkItemType,System.Description", "errorPolicy": "omit",
        }  # fmt: skip
        items = self._api.send("GET", "/_apis/wit/workitems", parameters=parameters).body["value"]
        ended = self._states("Completed", "Removed")
        # An item that the token may not read is null.
        return [self._note(each) for each in items if each and each["fields"]["System.State"] not in ended]

    def add(self, draft: NoteText) -> Note:
        """Make a work item."""
        fields = {"System.Title": draft.title, "System.Description": self._html(draft), "System.Tags": _tag(draft.name)}
        return self._note(self._patch("POST", f"/_apis/wit/workitems/${_TYPE}", fields))

    def edit(self, note: Note, draft: NoteText) -> None:
        """Change the title and the text of a work item."""
        fields = {"System.Title": draft.title, "System.Description": self._html(draft)}
        self._patch("PATCH", f"/_apis/wit/workitems/{note.id}", fields)

    def remove(self, note: Note) -> None:
        """Close a work item: its process says what that is called."""
        (state, *_) = self._states("Completed")
        self._patch("PATCH", f"/_apis/wit/workitems/{note.id}", {"System.State": state})

    def _patch(self, method: str, path: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        patch = [{"op": "add", "path": f"/fields/{field}", "value": value} for field, value in fields.items()]
        item: Mapping[str, Any] = self._api.send(method, path, patch, content_type=_PATCH, parameters=_VERSION).body
        return item

    def _states(self, *categories: str) -> list[str]:
        answer = self._api.send("GET", f"/_apis/wit/workitemtypes/{_TYPE}/states", parameters=_VERSION)
        return [each["name"] for each in answer.body["value"] if each["category"] in categories]

    def _html(self, draft: NoteText) -> str:
        return str(self._markdown.render(draft.text))

    def _note(self, item: Mapping[str, Any]) -> Note:
        text = str(item.get("fields", {}).get("System.Description") or "")
        return Note(str(item["id"]), int(item["id"]), text, f"{self._address}/_workitems/edit/{item['id']}")


def _all(api: Api, path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the items of all pages."""
    token: str | None = ""
    known: set[str] = set()
    while token is not None and token not in known:
        known.add(token)
        parameters = {**_VERSION, "continuationToken": token} if token else _VERSION
        answer = api.send("GET", path, parameters=parameters)
        yield from answer.body["value"]
        token = answer.headers.get("X-MS-ContinuationToken")


def _status(draft: NoteText) -> str:
    return "active" if draft.needs_attention else "closed"


def _tag(name: str) -> str:
    return f"azureml-platform-{name}"


def _explain(project: str, fix: str, status: int, message: str) -> HostError:
    # 203 and 302 bring the page that signs in.
    if status in (203, 302, 401):
        return HostError(
            f"{TITLE} does not accept the token: {message}",
            fix="a job's token is valid for the timeout of the job: run the job again, or make a new access token",
            status=status,
        )
    if status == 403:
        return HostError(f"the token has no permission in project {project}: {message}", fix=fix, status=status)
    if status == 409:
        return ConflictError(f"others change project {project} at the same time: {message}", _AGAIN, status)
    if status in (404, 410):
        return GoneError(
            f"{TITLE} does not find the pull request, comment, work item or branch in project {project}: {message}",
            fix=f"check --repository and --pull-request, and {fix}",
            status=status,
        )
    return HostError(f"{TITLE} refuses the request with status {status}: {message}", status=status)
