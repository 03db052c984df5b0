from __future__ import annotations

from typing import Any, cast

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.services.serving import custom, templates

PLACE = "azureml://registries/shared"
NOBODY = cast("Platform", None)  # nothing is looked up


def template(**changes: Any) -> Document:
    content: dict[str, Any] = {
        "environmentId": f"{PLACE}/environments/server/versions/1",
        "environmentVariables": {"LEVEL": "info", "HOME": "/tmp"},
        "allowedEnvironmentVariableOverrides": ["LEVEL"],
        "defaultInstanceType": "Standard_F2s_v2",
        "instanceCount": 3,
        "scoringPath": "/predict",
        "scoringPort": 8501,
        "readinessProbe": {"path": "/ready"},
    }
    return Document(f"{PLACE}/deploymenttemplates/half/versions/1", "", {"properties": {**content, **changes}}, "", 1)


def filled(*, is_new: bool = True, **properties: Any) -> dict[str, Any]:
    return templates.filled(template(), {"properties": properties}, is_new=is_new)


def test_a_deployment_gets_what_its_template_sets_and_keeps_what_it_may() -> None:
    found = filled()
    assert (found["sku"], found["properties"]["instanceType"]) == (
        {"name": "Default", "capacity": 3},
        "Standard_F2s_v2",
    )
    own = filled(instanceType="Standard_DS3_v2", environmentVariables={"LEVEL": "debug", "MORE": "1"})
    assert own["properties"]["instanceType"] == "Standard_DS3_v2"
    assert own["properties"]["environmentVariables"] == {"LEVEL": "debug", "HOME": "/tmp", "MORE": "1"}
    assert "instanceType" not in filled(is_new=False)["properties"]  # an existing deployment has its own
    with pytest.raises(AzureError, match=r"environmentVariables\.HOME: the deployment template"):
        filled(environmentVariables={"HOME": "/root"})


def test_the_routes_of_a_template_are_those_of_its_probes_its_environment_or_the_root() -> None:
    routes = {"livenessRoute": {"path": "/live", "port": 1}, "readinessRoute": {"path": "/other", "port": 1}}
    given = filled()["properties"]["template"]
    found = custom.of({"image": "tf/serving", "inferenceConfig": routes}, given)
    assert found is not None
    assert (found.port, found.scoring, found.readiness, found.liveness) == (8501, "/predict", "/ready", "/live")
    bare = custom.of({"image": "tf/serving"}, given)
    assert bare is not None
    assert bare.liveness == "/"


@pytest.mark.parametrize(("model", "is_managed"), [("azureml:mine:1", True), (f"{PLACE}/models/m/versions/1", False)])
def test_only_a_managed_deployment_of_a_shared_model_has_a_template(model: str, *, is_managed: bool) -> None:
    override = {templates.OVERRIDE: f"{PLACE}/deploymenttemplates/half/versions/1"}
    with pytest.raises(AzureError, match="only a managed deployment of a model in a registry"):
        templates.find(NOBODY, "", {"model": model, "properties": override}, is_managed=is_managed)
    assert templates.find(NOBODY, "", {"model": "azureml:mine:1"}, is_managed=is_managed) is None
