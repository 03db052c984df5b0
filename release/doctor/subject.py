"""The stack to examine: its files, and Azure's answers about its subscription. Everything is read when needed.

Other parts of the release read the outputs of the platform. Before the first update there are none, so the doctor
reads the settings.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jwt
from azure.core.exceptions import HttpResponseError

from infra import naming
from infra.plan import plan
from infra.settings.configuration import Configuration, parse
from infra.settings.stack import Settings
from pulumi_azureml import Catalogue
from pulumi_azureml.operations import credential
from release import stack_file
from release.doctor.azure import SCOPE, Arm

_GROUPS_VERSION = "2021-04-01"
_PERMISSIONS_VERSION = "2022-04-01"
_NOT_FOUND, _FORBIDDEN = 404, 403
_ENCRYPTED = object()


@dataclass(frozen=True)
class Account:
    """The signed-in identity, from the claims of its token for Azure Resource Manager."""

    tenant_id: str
    object_id: str
    client_id: str
    name: str


class Permissions:
    """What the roles of the account permit at a scope."""

    def __init__(self, scope: str, rows: list[dict[str, Any]]) -> None:
        """Take the answer of Azure's list of permissions: one row for each role."""
        self.scope = scope
        self._rows = rows

    def allows(self, action: str, *, data: bool = False) -> bool:
        """Whether a role grants an action, or a data action."""
        granted, taken = ("dataActions", "notDataActions") if data else ("actions", "notActions")
        return any(_matches(row.get(granted), action) and not _matches(row.get(taken), action) for row in self._rows)


class Subject:
    """A stack, its files and its subscription."""

    def __init__(self, stack: str, root: Path, folder: Path, environment: Mapping[str, str]) -> None:
        """Read nothing yet.

        Args:
            stack: Name of the stack.
            root: Folder of the program, ml/ and pipelines/.
            folder: Folder with Pulumi.yaml and the stack files.
            environment: Variables of the process.
        """
        self.stack = stack
        self.root = root
        self.folder = folder
        self.environment = environment

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """The stack file. It is read without Pulumi, because the backend may be the problem. Raises ReleaseError."""
        return stack_file.read(self.folder / f"Pulumi.{self.stack}.yaml")

    @functools.cached_property
    def configuration(self) -> Configuration:
        """The stack's configuration. Raises ConfigurationError, whose message has each mistake."""
        values = self.document.get("config") or {}
        readable = {key: _readable(value) for key, value in values.items()}
        known = {key: _as_pulumi_passes(value) for key, value in readable.items() if value is not _ENCRYPTED}
        return parse(known, self.stack, frozenset(key for key, value in values.items() if readable[key] != value))

    @property
    def settings(self) -> Settings:
        """The settings of the platform."""
        return self.configuration.settings

    @functools.cached_property
    def names(self) -> naming.Names:
        """The names of the stack's resources."""
        return naming.names(self.settings.naming, self.stack)

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The planned assets. Raises PlanError, whose message has each mistake in a file."""
        return plan(self.root, self.configuration, self.names)

    @functools.cached_property
    def arm(self) -> Arm:
        """Azure Resource Manager."""
        return Arm(credential())

    @functools.cached_property
    def account(self) -> Account:
        """The signed-in identity. Raises azure.core's ClientAuthenticationError if nobody is signed in."""
        claims = jwt.decode(credential().get_token(SCOPE).token, options={"verify_signature": False})
        client = str(claims.get("appid") or claims.get("azp") or "")
        name = str(claims.get("upn") or claims.get("unique_name") or claims.get("name") or client)
        return Account(str(claims.get("tid", "")).lower(), str(claims.get("oid", "")), client, name)

    @property
    def subscription(self) -> str:
        """The ARM id of the subscription."""
        return f"/subscriptions/{self.configuration.cloud.subscription_id}"

    @property
    def group(self) -> str:
        """The ARM id of the resource group."""
        return f"{self.subscription}/resourceGroups/{self.names.resource_group}"

    @functools.cached_property
    def deployed(self) -> bool:
        """Whether the resource group exists, so that this is not the first update."""
        try:
            self.arm.get(self.group, _GROUPS_VERSION)
        except HttpResponseError as error:
            if error.status_code in (_NOT_FOUND, _FORBIDDEN):
                return False
            raise
        return True

    @functools.cached_property
    def permissions(self) -> Permissions:
        """What the account may do in the resource group, or in the subscription if there is no group yet."""
        scope = self.group if self.deployed else self.subscription
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        return Permissions(scope, self.arm.rows(path, _PERMISSIONS_VERSION))

    def pins(self) -> Iterator[tuple[str, str]]:
        """Yield the packages that the project pins, with their versions."""
        # An example shares the one of the repository.
        file = next(each for parent in (self.root, *self.root.parents) if (each := parent / "pyproject.toml").is_file())
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        for dependency in project["dependencies"]:
            name, pinned, version = dependency.partition("==")
            if pinned:
                yield name.strip(), version.strip()


def _readable(value: Any) -> Any:
    """Return a value without the encrypted ones in it: to decrypt them needs the backend, which may be the problem."""
    match value:
        case {"secure": str(), **others} if not others:
            return _ENCRYPTED
        case dict():
            return {key: kept for key, each in value.items() if (kept := _readable(each)) is not _ENCRYPTED}
        case list():
            return [kept for each in value if (kept := _readable(each)) is not _ENCRYPTED]
    return value


def _as_pulumi_passes(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=_as_go_prints)


def _as_go_prints(day: date) -> str:
    """Return what Pulumi makes of a date or time without quotes."""
    return f"{day:%Y-%m-%d %H:%M:%S} +0000 UTC"


def _matches(patterns: list[str] | None, action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns or ())
