"""Why the models of a preview's rollouts were accepted: from the tags of their versions."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from release.planned import PlannedResource
from release.preview import gate

ENDPOINT = "pulumi-python:dynamic/azureml:OnlineEndpoint"
# As ml/register writes them.
TAGS = {
    "data": "azureml:flights:1", "data_sha256": "1" * 64, "holdout_start": "2013-10-01", "git_sha": "unknown",
    "gate": "ROC AUC 0.7071 beats 0.6997", "roc_auc": "0.7071", "log_loss": "nan", "pipeline_job": "neat_cassava",
}  # fmt: skip


def serving(before: str | None, after: str | None) -> PlannedResource:
    place = {"subscription_id": "s", "resource_group": "g", "name": "w"}

    def inputs(model: str | None) -> dict[str, Any]:
        return {"workspace": place, "existing_model": model}

    return PlannedResource(ENDPOINT, "endpoint-flights", inputs(before), inputs(after))


@pytest.fixture
def tags(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the tags that Azure has for every model."""
    found = dict(TAGS)

    def read(props: Any) -> Any:
        name, _, version = props["existing_model"].removeprefix("azureml:").partition(":")
        return name, version, found

    monkeypatch.setattr(gate, "deployed_model", read)
    return found


def test_a_promoted_model_shows_why_it_was_accepted_and_where_the_report_is(tags: dict[str, str]) -> None:
    found = gate.part([serving("azureml:delays:2", "azureml:delays:3"), serving(None, "azureml:delays:3")])
    assert found is not None
    (result,) = found
    workspace = "/subscriptions/s/resourcegroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    assert result.model_dump() == {
        "model": "delays:3",
        "deploy_flag": True,
        "reason": "ROC AUC 0.7071 beats 0.6997",
        "metrics": {"roc_auc": 0.7071},
        "report": f"https://ml.azure.com/runs/neat_cassava?wsid={workspace}",
    }


def test_the_report_of_a_shared_model_is_in_the_workspace_that_trained_it(tags: dict[str, str]) -> None:
    tags["shared_from_workspace"] = "/subscriptions/dev"
    found = gate.part([serving(None, "azureml:delays:3")])
    assert found is not None
    assert found[0].report == "https://ml.azure.com/runs/neat_cassava?wsid=/subscriptions/dev"


def test_a_model_without_a_gate_is_left_out(tags: dict[str, str]) -> None:
    del tags["gate"]
    assert gate.part([serving(None, "azureml:delays:3")]) == []


@pytest.mark.parametrize(
    "resource",
    [
        serving("azureml:delays:3", "azureml:delays:3"),
        serving("azureml:delays:3", None),
        PlannedResource(ENDPOINT, "endpoint-flights", {"existing_model": "azureml:delays:3"}, None),
    ],
)
def test_what_serves_no_other_model_asks_nothing(monkeypatch: pytest.MonkeyPatch, resource: PlannedResource) -> None:
    monkeypatch.setattr(gate, "deployed_model", None)
    assert gate.part([resource]) == []


def test_a_version_that_cannot_be_read_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_props: Any) -> Any:
        raise HttpResponseError("(AuthorizationFailed)")

    monkeypatch.setattr(gate, "deployed_model", refuse)
    assert gate.part([serving(None, "azureml:delays:3")]) is None
