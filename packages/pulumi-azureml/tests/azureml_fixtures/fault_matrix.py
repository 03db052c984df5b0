"""Every fault of a cloud, done to every kind of resource: what is left must be what a quiet run leaves.

Resources are made and deleted by the provider that the engine calls. A first attempt may fail, with a message; the
second has to converge, because the fault has passed by then.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from amlite.services.machinelearning.references import registry_uri
from amlite.testing import FaultKind, LocalAzure
from amlite_fixtures.azure import REGISTRY
from azureml_fixtures.asset_project import Project, Props
from pulumi_azureml import provider
from pulumi_azureml.operations import connection, jobs, ownership, retry
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.provider import AzureMLProvider

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_AT_WRITES = tuple(kind for kind in FaultKind if kind is not FaultKind.EVENTUAL)
_AT_READS = tuple(
    kind for kind in FaultKind if kind not in (FaultKind.LRO_FAIL, FaultKind.LRO_SLOW, FaultKind.CONFLICT)
)
# Methods that change something, and those that do not.
_METHODS = {"writes": "[!GH]*", "reads": "[GH]*"}
_TIMES = 2
_SECONDS = {FaultKind.TIMEOUT: 0.1, FaultKind.SLOW: 0.1, FaultKind.LRO_SLOW: 0.3}
_SHORT_SECONDS = 0.02
# A job takes some seconds: fewer looks at it leave it the processor.
_SHORT_JOB_SECONDS = 0.3
# Azure itself makes an anonymous component for each provisioning, which is nobody's.
_MAKES_PARTS = frozenset({"batch_deployment"})
_ATTEMPTS = 2


@dataclass(frozen=True)
class Case:
    """A kind of resource, what is done with it, and what happens to two of its requests after the first `after`."""

    kind: str
    action: str  # create or delete
    fault: FaultKind
    side: str  # writes or reads
    after: int = 0

    def __str__(self) -> str:
        return f"{self.kind}-{self.action}-{self.fault}-{self.side}"


@dataclass(frozen=True)
class Outcome:
    """How a case went: attempts until it converged, what the first said if it failed, how often the fault was met."""

    attempts: int
    said: str
    met: int


def cases() -> list[Case]:
    """Return the whole matrix."""
    return [
        Case(kind, action, fault, side)
        for kind in sorted(OPERATIONS)
        for action in ("create", "delete")
        for side, faults in (("writes", _AT_WRITES), ("reads", _AT_READS))
        for fault in faults
    ]


def diagonal(every: int) -> list[Case]:
    """Return a part of it in which each kind and each fault is, and each pair of action and side."""
    # The step does not divide a kind's number of cases, so that each kind starts at another place.
    return cases()[::every]


@contextmanager
def impatient() -> Iterator[None]:
    """Shorten every wait of the clients and of the provider, so that only their number is as it is."""
    from azure.core.pipeline.transport import HttpTransport

    real = HttpTransport.sleep

    def briefly(self: Any, seconds: float) -> None:
        real(self, min(seconds, _SHORT_SECONDS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpTransport, "sleep", briefly)
        patch.setattr(retry, "_LOOK_SECONDS", _SHORT_SECONDS)
        patch.setattr(retry, "_POLL_SECONDS", _SHORT_SECONDS)
        patch.setattr(jobs, "_POLL_SECONDS", (_SHORT_JOB_SECONDS, _SHORT_JOB_SECONDS))
        patch.setattr(provider, "persistently", partial(retry.persistently, sleep=lambda _seconds: None))
        yield


class Matrix:
    """Runs cases in a workspace of a local Azure that has a cluster `cpu` and the registry `REGISTRY`."""

    def __init__(self, azure: LocalAzure, ml: MLClient, workspace_id: str) -> None:
        """Take the local Azure, a client of the workspace and its ARM id."""
        connection.sign_in_again()  # this process may still be signed in to another local Azure
        self._azure = azure
        self._ml = ml
        self._workspace_id = workspace_id
        self._quiet: dict[tuple[str, str], Counter[tuple[str, bool, bool]]] = {}

    def run(self, case: Case) -> Outcome:
        """Run one case; AssertionError says what is wrong with what it left."""
        key = case.kind, case.action
        if key not in self._quiet:
            self._quiet[key], _ = self._left(case, quiet=True)
        left, outcome = self._left(case, quiet=False)
        assert outcome.met, f"{case}: no request met the fault"
        quiet = self._quiet[key]
        if case.kind in _MAKES_PARTS:
            quiet, left = (Counter({what: each[what] for what in each if what[1]}) for each in (quiet, left))
        # Content that is there already, of an earlier case, is not kept a second time: there may be less of it.
        wrong = (left - quiet) + Counter({what: quiet[what] - left[what] for what in quiet if what[1]})
        assert not +wrong, f"{case}: left {left} instead of {quiet}; {outcome}"
        return outcome

    def _left(self, case: Case, *, quiet: bool) -> tuple[Counter[tuple[str, bool, bool]], Outcome]:
        home = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                project = Project(Path(folder), self._ml, uuid.uuid4().hex[:8])
                _widen(project, case.kind)
                project.needs(case.kind)
                return self._try(case, project, quiet)
            finally:
                self._azure.clear_faults()
                os.chdir(home)

    def _try(self, case: Case, project: Project, quiet: bool) -> tuple[Counter[tuple[str, bool, bool]], Outcome]:
        owner = f"azureml-platform/{project.tag}"
        props = project.props(case.kind, owner)
        place = registry_uri(REGISTRY) if "registry" in props else self._workspace_id
        before = set(self._azure.resources(place))
        shell = AzureMLProvider(case.kind)
        if case.action == "delete":
            shell.create(props)
        if not quiet:
            _add_fault(self._azure, case)
        outcome = self._attempt(case, shell, props)
        if case.action == "create":
            read = shell.read(props["name"], props)
            # As the engine sees it: what others changed since would show here.
            assert read.inputs == props, f"{case}: read back as {read.inputs}"
        resources = self._azure.resources(place)
        made = (resources[each] for each in set(resources) - before)
        left = Counter(_described(each, owner) for each in made if not _is_failed_job(each))
        shell.delete(props["name"], {**props, "resource_id": ""})
        return left, outcome

    def _attempt(self, case: Case, shell: AzureMLProvider, props: Props) -> Outcome:
        from azure.core.exceptions import AzureError

        said, met = "", 0
        for number in range(1, _ATTEMPTS + 1):
            try:
                if case.action == "create":
                    shell.create(props)
                else:
                    shell.delete(props["name"], props)
            except (AssetError, AzureError) as error:
                if number == _ATTEMPTS or not str(error).strip():
                    raise AssertionError(f"{case}: attempt {number} said: {error}") from error
                said = f"{type(error).__name__}: {error}"
            met += sum(rule["met"] for rule in self._azure.faults())
            self._azure.clear_faults()
            if not said or number > 1:
                break
        return Outcome(number, said, met)


def _add_fault(azure: LocalAzure, case: Case) -> None:
    match = f"{_METHODS[case.side]} *MachineLearningServices*"
    azure.add_fault(match, case.fault, times=_TIMES, seconds=_SECONDS.get(case.fault), after=case.after)


def _described(resource: Props, owner: str) -> tuple[str, bool, bool]:
    """Return a resource's type, whether this run made it, and whether it is archived."""
    properties = resource.get("properties") or {}
    tags = {**(resource.get("tags") or {}), **(properties.get("tags") or {})}
    return resource["type"], ownership.is_ours(tags, owner), bool(properties.get("isArchived"))


def _is_failed_job(resource: Props) -> bool:
    """Whether it is a failed job, which stays beside the job of the next attempt as a record."""
    return resource["type"].endswith("/jobs") and resource["properties"]["status"] == "Failed"


def _widen(project: Project, kind: str) -> None:
    """Add to the project what only some tests need."""
    if kind.startswith("batch"):
        project.add_batch()
    if kind == "datastore":
        project.add_datastore()
    if kind == "deployment_template":
        project.add_template(REGISTRY)
