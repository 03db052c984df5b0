"""A running amlite, for tests."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential
from requests import Response, Session

from amlite import SUBSCRIPTION_ID, TENANT_ID, environment
from amlite.control.client import ask
from amlite.core import runtime
from amlite.core.access import ROLES
from amlite.core.store import DATABASE, Store

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

Json = dict[str, Any]
ARM = "https://management.azure.com"
ML_API_VERSION = "2024-04-01"
_POLL_SECONDS = 0.1


class LocalAzureError(AssertionError):
    """Raised if a command or request of the test fails. The message contains amlite's response."""


@dataclass(frozen=True)
class UserCredential:
    """Signs in as a user with a user name and a password."""

    session: Session
    name: str
    password: str
    object_id: str

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        """Return a token. This is the method that azure-core calls on credentials."""
        form = {"grant_type": "password", "username": self.name, "password": self.password, "scope": " ".join(scopes)}
        answer = self.session.post(f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token", data=form)
        if answer.status_code != 200:
            raise LocalAzureError(answer.text)
        return AccessToken(answer.json()["access_token"], int(time.time()) + int(answer.json()["expires_in"]))


class LocalAzure:
    """A running amlite: its commands, its clock, faults, and plain requests to Azure Resource Manager.

    Its requests reach amlite in any environment. Other clients reach amlite inside `signed_in`.
    """

    def __init__(self, state: Path) -> None:
        """Take the state folder of a running amlite.

        Raises:
            LocalAzureError: no amlite is running with this state folder.
        """
        running = runtime.read(state)
        if running is None:
            raise LocalAzureError(f"amlite does not run on {state}")
        self.state = state
        self.session = Session()
        """HTTP through amlite's proxy, without a token."""
        self.session.trust_env = False
        self.session.proxies = {"https": running.environment["HTTPS_PROXY"]}
        self.session.verify = str(running.authority)
        self.credential = self._credential(
            running.environment["AZURE_CLIENT_ID"], running.environment["AZURE_CLIENT_SECRET"]
        )
        """The credential of the application that owns the subscription."""

    @classmethod
    @contextmanager
    def started(cls, state: Path) -> Iterator[LocalAzure]:
        """Start amlite with a state folder, and stop it at the end."""
        _run(state, "start")
        try:
            azure = cls(state)
            with azure.session:
                yield azure
        finally:
            _run(state, "stop")

    def environment(self, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment that `amlite run` gives a command, for processes that a test starts.

        Args:
            inherited: the environment to extend. The default is that of this process.
        """
        return environment.over(os.environ if inherited is None else inherited, self._running())

    @contextmanager
    def signed_in(self) -> Iterator[None]:
        """Give this process the environment that `amlite run` gives a command, and restore it at the end."""
        wanted = self.environment()
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            yield

    def command(self, *arguments: str) -> str:
        """Run `amlite ARGUMENTS…` on this amlite and return what it prints.

        Raises:
            LocalAzureError: the command failed.
        """
        return _run(self.state, *arguments)

    def restart(self) -> None:
        """Stop amlite and start it again with the same state."""
        self.command("stop")
        self.command("start")

    def now(self) -> dt.datetime:
        """Return the time by amlite's clock."""
        return dt.datetime.fromisoformat(self._ask("GET", "/status")["now"])

    def advance(self, seconds: float) -> None:
        """Move amlite's clock forward: schedules fire, and waits end."""
        self._ask("POST", "/clock", {"seconds": seconds})

    def add_fault(self, match: str, kind: str, **options: Any) -> None:
        """Make requests fail, as `amlite fault add` does. The `options` are times, rate, seconds and after."""
        self._ask("POST", "/faults", {"match": match, "kind": str(kind), **options})

    def faults(self) -> list[Json]:
        """Return every fault that was added. Its `met` is the number of requests that it has affected."""
        return list(self._ask("GET", "/faults")["value"])

    def clear_faults(self) -> None:
        """Remove every fault."""
        self._ask("DELETE", "/faults")

    def requests(self, text: str = "") -> list[Json]:
        """Return amlite's records of the requests so far. With `text`, only those that contain it."""
        lines = (self.state / "logs" / "requests.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if text in line]

    def resources(self, below: str) -> dict[str, Json]:
        """Return the body of every resource below another one, such as a workspace, by its ARM id.

        This reads amlite's state, so it includes archived versions, and no fault affects it.
        """
        store = Store(self.state / DATABASE)
        try:
            return {document.id: {"type": document.type, **document.body} for document in store.below(below)}
        finally:
            store.close()

    def arm(
        self, method: str, path: str, body: Json | None = None, version: str = ML_API_VERSION, query: str = "",
        credential: TokenCredential | None = None,
    ) -> Response:  # fmt: skip
        """Send one request to Azure Resource Manager. `path` is a resource's id."""
        return self.session.request(
            method, f"{ARM}{path}?api-version={version}{query}", json=body, headers=self._authorization(credential)
        )

    def put(self, path: str, body: Json, version: str = ML_API_VERSION) -> Json:
        """Create or update a resource, wait until the operation ends, and return the resource.

        Raises:
            LocalAzureError: the request was refused, or the operation failed.
        """
        self._succeed(self.arm("PUT", path, body, version), (200, 201, 202))
        return dict(self.arm("GET", path, version=version).json())

    def remove(self, path: str, version: str = ML_API_VERSION) -> None:
        """Delete a resource and wait until it is gone.

        Raises:
            LocalAzureError: the request was refused, or the operation failed.
        """
        self._succeed(self.arm("DELETE", path, version=version), (200, 202, 204))

    def finish(self, answer: Response) -> Json:
        """Wait for the long-running operation of a response. Return its record, or {} if there is none."""
        address = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        while address is not None:
            polled = self.session.get(address, headers=self._authorization(None))
            record: Json = polled.json() if polled.content else {}
            if polled.status_code != 202 and record.get("status", "Succeeded") not in ("InProgress", "Creating"):
                if polled.status_code >= 300:
                    raise LocalAzureError(polled.text)
                return record
            time.sleep(float(polled.headers.get("retry-after-ms", _POLL_SECONDS * 1000)) / 1000)
        return {}

    def application(self, *roles: tuple[str, str]) -> ClientSecretCredential:
        """Return the credential of a new application with built-in roles, each as (name, scope)."""
        made = self._ask("POST", "/applications")
        for role, scope in roles:
            self.assign(role, scope, made["objectId"])
        return self._credential(made["clientId"], made["secret"])

    def user(self, *roles: tuple[str, str]) -> UserCredential:
        """Return the credential of a new user with built-in roles, each as (name, scope)."""
        made = self._ask("POST", "/users")
        for role, scope in roles:
            self.assign(role, scope, made["objectId"], "User")
        return UserCredential(self.session, made["userName"], made["password"], made["objectId"])

    def ci_job(
        self, kind: str, subject: str, *, issuer: str | None = None, seconds: int | None = None
    ) -> dict[str, str]:
        """Start a continuous integration job, and return the variables with which it requests ID tokens.

        Args:
            kind: `github` or `azureDevOps`.
            subject: the `sub` claim of the tokens, such as `repo:contoso/flights:environment:dev`.
            issuer: the `iss` claim. The default depends on `kind`.
            seconds: the lifetime of a token by amlite's clock. The default depends on `kind`.
        """
        body = {"kind": kind, "subject": subject, "issuer": issuer, "seconds": seconds}
        return dict(self._ask("POST", "/ci-jobs", body)["environment"])

    @contextmanager
    def brief_tokens(self) -> Iterator[None]:
        """Make access tokens appear to expire immediately, so that clients sign in again before each request.

        Clients cache tokens by the machine's clock, which `advance` does not move.
        """
        self._ask("POST", "/token-lifetime", {"seconds": 0})
        try:
            yield
        finally:
            self._ask("POST", "/token-lifetime", {"seconds": 3600})

    def assign(self, role: str, scope: str, object_id: str, kind: str = "ServicePrincipal") -> None:
        """Assign a built-in role (by its name) at a scope (an ARM id) to a principal of a kind.

        Raises:
            LocalAzureError: amlite does not know the role, or rejected the assignment.
        """
        definition = next((found.id for found in ROLES.values() if found.name == role), None)
        if definition is None:
            raise LocalAzureError(f"amlite has no role '{role}'; it has: {', '.join(r.name for r in ROLES.values())}")
        properties = {
            "principalId": object_id,
            "principalType": kind,
            "roleDefinitionId": f"/subscriptions/{SUBSCRIPTION_ID}"
            f"/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        }
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        self._succeed(self.arm("PUT", path, {"properties": properties}, "2022-04-01"), (201,))

    def _running(self) -> runtime.Runtime:
        running = runtime.read(self.state)
        if running is None:
            raise LocalAzureError(f"amlite does not run on {self.state}")
        return running

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        return ask(self._running(), method, path, body)

    def _credential(self, client_id: str, secret: str) -> ClientSecretCredential:
        return ClientSecretCredential(
            TENANT_ID, client_id, secret, proxies=self.session.proxies, connection_verify=self.session.verify
        )

    def _authorization(self, credential: TokenCredential | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {(credential or self.credential).get_token(f'{ARM}/.default').token}"}

    def _succeed(self, answer: Response, expected: tuple[int, ...]) -> None:
        if answer.status_code not in expected:
            raise LocalAzureError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
        record = self.finish(answer)
        if record.get("status") in ("Failed", "Canceled"):
            raise LocalAzureError(f"{answer.request.method} {answer.url}: {json.dumps(record)}")


def _run(state: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "amlite.cli", *arguments],
        check=False, env={**os.environ, runtime.VARIABLE: str(state)}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise LocalAzureError(f"amlite {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout
