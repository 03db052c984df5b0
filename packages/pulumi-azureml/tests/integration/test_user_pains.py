"""Regression tests named after docs/user-pains.md, where no other test is exactly about the pain."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from amlite.testing import FaultKind
from azureml_fixtures.asset_project import Project
from azureml_fixtures.fault_matrix import Case, Matrix, cases, impatient
from pulumi_azureml.operations import connection
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.provider import AzureMLProvider

_KINDS = sorted({case.kind for case in cases()})


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    connection.sign_in_again()
    with impatient():
        yield


@pytest.mark.parametrize("kind", ["batch_endpoint", "online_endpoint"])
def test_pain_01_create_is_an_idempotent_upsert(kind: str, project: Project) -> None:
    props, shell = project.props(kind), AzureMLProvider(kind)
    first = shell.create(props)
    again = shell.create(props)
    assert (again.id, again.outs) == (first.id, first.outs)
    listed = getattr(project.ml, f"{kind}s").list()
    assert [each.name for each in listed].count(props["name"]) == 1


@pytest.mark.parametrize("kind", ["component", "environment"])
def test_pain_03_what_cannot_be_deleted_is_archived_and_not_listed(kind: str, project: Project) -> None:
    project.needs(kind)
    props, operations = project.props(kind), getattr(project.ml, f"{kind}s")
    AzureMLProvider(kind).create(props)
    AzureMLProvider(kind).delete(props["name"], props)
    assert list(operations.list(name=props["name"])) == []
    # Archiving deletes nothing: the assets that use the version still find it.
    assert str(operations.get(props["name"], version=props["version"]).version) == props["version"]


def test_pain_04_what_was_removed_can_be_made_again(project: Project) -> None:
    project.needs("component")
    props, shell = project.props("component"), AzureMLProvider("component")
    shell.create(props)
    shell.delete(props["name"], props)
    shell.create(props)
    assert [str(each.version) for each in project.ml.components.list(name=props["name"])] == [props["version"]]
    project.write("ml/step/src/main.py", f"print('{uuid.uuid4()}')\n")
    shell.create(project.props("component"))
    assert len(list(project.ml.components.list(name=props["name"]))) == 2


def test_pain_06_another_version_than_the_wanted_one_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml.operations import DataOperations

    real = DataOperations.create_or_update

    def renamed(self: DataOperations, data: Any, **options: Any) -> Any:
        written = real(self, data, **options)
        written.version = "2"
        return written

    monkeypatch.setattr(DataOperations, "create_or_update", renamed)
    props = project.props("data")
    with pytest.raises(AssetError, match=f"was written as version 2 instead of {props['version']}"):
        AzureMLProvider("data").create(props)


@pytest.mark.parametrize("kind", _KINDS)
def test_pain_25_a_lost_response_leaves_no_orphan_and_no_double(kind: str, matrix: Matrix) -> None:
    matrix.run(Case(kind, "create", FaultKind.LOST_RESPONSE, "writes"))


@pytest.mark.parametrize("fault", [FaultKind.THROTTLE, FaultKind.CONFLICT])
def test_pain_26_throttling_and_running_operations_are_waited_for(fault: FaultKind, matrix: Matrix) -> None:
    for kind in ("environment", "online_endpoint"):
        outcome = matrix.run(Case(kind, "create", fault, "writes"))
        assert outcome.attempts == 1, outcome.said


def test_pain_31_a_token_that_expires_on_the_way_is_renewed(
    project: Project, add_fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.identity import DefaultAzureCredential

    signed_in: list[object] = []
    real = DefaultAzureCredential.get_token_info

    def noted(self: DefaultAzureCredential, *scopes: str, **options: Any) -> AccessToken:
        if self not in signed_in:
            signed_in.append(self)
        return real(self, *scopes, **options)  # type: ignore[return-value]

    monkeypatch.setattr(DefaultAzureCredential, "get_token_info", noted)
    props = project.props("environment")
    add_fault("PUT */environments/*", FaultKind.EXPIRED)
    AzureMLProvider("environment").create(props)
    assert len(signed_in) == 2
    assert AzureMLProvider("environment").read(props["name"], props).inputs == props
