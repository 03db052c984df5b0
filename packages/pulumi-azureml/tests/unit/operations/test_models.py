"""A model version that a deployment serves is looked up in the preview, in the workspace or the registry it is in."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError, ServiceRequestError

from pulumi_azureml.operations import models, retry
from pulumi_azureml.operations.connection import Registry, Workspace
from pulumi_azureml.operations.kinds import OPERATIONS

WORKSPACE = {"subscription_id": "s", "resource_group": "g", "name": "mlw"}
SHARED = "azureml://registries/mlops/models/delays/versions/7"


def refused(status: int) -> HttpResponseError:
    error = HttpResponseError("(Forbidden) No role.\nCode: Forbidden")
    error.status_code = status
    return error


class Azure:
    """Has one model version in each place, or answers with an error."""

    def __init__(self) -> None:
        self.there: set[tuple[Workspace | Registry, str, str]] = set()
        self.error: AzureError | None = None
        self.asked = 0

    def connect(self, place: Workspace | Registry) -> Any:
        def get(name: str, version: str) -> Any:
            self.asked += 1
            if self.error is not None:
                raise self.error
            if (place, name, version) not in self.there:
                raise ResourceNotFoundError("not found")
            return SimpleNamespace(name=name, version=version, tags={"gate": "better"})

        return SimpleNamespace(models=SimpleNamespace(get=get))


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Azure:
    made = Azure()
    monkeypatch.setattr(models, "connect", made.connect)
    monkeypatch.setattr(retry, "_LOOK_SECONDS", 0)
    return made


def refusal(reference: str | None, **place: Any) -> str | None:
    return models.refusal({"workspace": {**WORKSPACE, **place}, "existing_model": reference})


@pytest.mark.parametrize(
    ("reference", "place"),
    [("azureml:delays:7", Workspace("s", "g", "mlw")), (SHARED, Registry("mlops"))],
)
def test_a_version_that_is_there_is_no_problem(reference: str, place: Any, azure: Azure) -> None:
    azure.there.add((place, "delays", "7"))
    assert refusal(reference) is None


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (
            "azureml:delays:7",
            "workspace 'mlw' has no model 'delays' version 7. Register it there, or serve another version",
        ),
        (
            SHARED,
            "registry 'mlops' has no model 'delays' version 7. Share it with the registry, or serve another version",
        ),
    ],
)
def test_a_version_that_is_not_there_is_refused(reference: str, reason: str, azure: Azure) -> None:
    assert refusal(reference) == reason


def test_a_version_that_may_not_be_read_is_refused_with_azures_reason(azure: Azure) -> None:
    azure.error = refused(403)
    reason = "registry 'mlops' does not let you read model 'delays' version 7: (Forbidden) No role."
    assert refusal(SHARED) == reason


@pytest.mark.parametrize("error", [ServiceRequestError("no route"), refused(503)])
def test_without_an_answer_the_deployment_itself_will_tell(
    error: AzureError, azure: Azure, caplog: pytest.LogCaptureFixture
) -> None:
    azure.error = error
    with caplog.at_level(logging.WARNING):
        assert refusal(SHARED) is None
    assert "model 'delays' of registry 'mlops' could not be looked up" in caplog.text


def test_nothing_is_asked_of_a_workspace_that_is_not_known_yet_or_for_a_model_that_the_plan_makes(azure: Azure) -> None:
    assert refusal("azureml:delays:7", name=None) is None
    assert refusal(None) is None
    assert azure.asked == 0


def online(content: str) -> dict[str, Any]:
    deployment = {"name": "blue", "path": "ml/deploy/blue-deployment.yml", "content_hash": content, "definition": {}}
    return {
        "name": "ep", "workspace": WORKSPACE, "existing_model": SHARED, "definition": {}, "deployment": deployment
    }  # fmt: skip


def batch(content: str) -> dict[str, Any]:
    return {
        "workspace": WORKSPACE, "existing_model": SHARED, "content_hash": content,
        "path": "ml/batch/blue-deployment.yml",
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "props"), [("online_endpoint", online), ("batch_deployment", batch)])
def test_a_deployment_is_refused_by_its_file_and_an_unchanged_one_asks_nothing(
    kind: str, props: Any, azure: Azure
) -> None:
    (reason,) = OPERATIONS[kind].check_inputs(props("a" * 64), props("b" * 64)).values()
    assert reason.endswith("deployment.yml: " + str(refusal(SHARED)))
    asked = azure.asked
    assert OPERATIONS[kind].check_inputs(props("b" * 64), props("b" * 64)) == {}
    assert azure.asked == asked


@pytest.mark.parametrize("reference", ["azureml:delays:7", SHARED])
def test_the_tags_of_a_version_are_read_where_it_is(reference: str, azure: Azure) -> None:
    props = {"workspace": WORKSPACE, "existing_model": reference}
    assert models.deployed_model(props) is None
    azure.there |= {(Workspace("s", "g", "mlw"), "delays", "7"), (Registry("mlops"), "delays", "7")}
    assert models.deployed_model(props) == ("delays", "7", {"gate": "better"})
    assert models.deployed_model({"workspace": WORKSPACE, "existing_model": None}) is None
