"""What deployments collect: Microsoft's own package in a scoring script, and requests and responses.

Sources: "Collect production data from models for real-time inferencing" (paths, records, settings), the model
`DataCollector`, and the package azureml-ai-monitoring.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError

from amlite.testing import Workspace
from amlite_fixtures.azure import GROUP_ID
from amlite_fixtures.scoring import CONDA, Collected, Scoring

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment

CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
SCORE = """
import json
import pandas as pd
from azureml.ai.monitoring import Collector
from azureml.ai.monitoring.context import BasicCorrelationContext

def init():
    global inputs, outputs
    inputs = Collector(name="model_inputs")
    outputs = Collector(name="model_outputs")

def run(raw_data):
    request = json.loads(raw_data)
    frame = pd.DataFrame(request["data"])
    context = inputs.collect(frame, BasicCorrelationContext(id=request["id"]))
    outputs.collect(pd.DataFrame({"sum": frame.sum(axis=1)}), context)
    return frame.sum(axis=1).tolist()
"""


@pytest.fixture(scope="module")
def client(identity_workspace: Workspace) -> MLClient:
    return identity_workspace.client()


@pytest.fixture(scope="module")
def collecting(client: MLClient, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ManagedOnlineDeployment]:
    """Return a function that makes a deployment whose script collects what it scores."""
    from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment

    code = tmp_path_factory.mktemp("collecting")
    (code / "score.py").write_text(SCORE)
    packages = {"pip": [*CONDA["dependencies"][2]["pip"], "azureml-ai-monitoring==1.0.0"]}
    conda = {"name": "collecting", **CONDA, "dependencies": ["python=3.11", "pip", packages]}
    environment = client.environments.create_or_update(
        Environment(name="collecting", version="1", image="mcr.microsoft.com/azureml/base", conda_file=conda)
    )

    def make(endpoint: str, name: str, **settings: Any) -> ManagedOnlineDeployment:
        return ManagedOnlineDeployment(
            name=name,
            endpoint_name=endpoint,
            environment=f"azureml:{environment.name}:{environment.version}",
            code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
            instance_type="Standard_DS3_v2",
            instance_count=1,
            **settings,
        )

    return make


@pytest.fixture
def endpoint(client: MLClient) -> Any:
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    name = f"ep-{uuid.uuid4().hex[:12]}"
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name)).result()
    yield Scoring(client, name)
    client.online_endpoints.begin_delete(name).result()


def collections(*names: str, **settings: Any) -> Any:
    from azure.ai.ml.entities import DataCollector, DeploymentCollection

    return DataCollector(collections={name: DeploymentCollection(enabled="true") for name in names}, **settings)


def assign(workspace: Workspace, principal: str, container: str) -> None:
    """Let an identity write to a container, as Microsoft's page asks."""
    scope = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{workspace.account}"
    scope += f"/blobServices/default/containers/{container}"
    role = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"
    properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}
    workspace.azure.put(role, {"properties": properties}, "2022-04-01")


def test_a_script_collects_its_data_frames_and_the_gateway_requests_and_responses(
    identity_workspace: Workspace, client: MLClient, endpoint: Scoring, collecting: Callable[..., Any]
) -> None:
    """How-to-collect-production-data: the path, the record's fields, the registered asset, and the identity."""
    from azure.ai.ml.entities import RequestLogging

    wanted = collections(
        "model_inputs", "model_outputs", "request", "response",
        request_logging=RequestLogging(capture_headers=["x-tenant"]),
    )  # fmt: skip
    client.online_deployments.begin_create_or_update(collecting(endpoint.name, "blue", data_collector=wanted)).result()
    kept = client.online_deployments.get("blue", endpoint.name).data_collector
    assert (kept.rolling_rate, kept.collections["model_inputs"].enabled) == ("Hour", "true")
    asset = client.data.get(f"{endpoint.name}-blue-model_inputs", "1")
    assert asset.path.endswith(f"/paths/modelDataCollector/{endpoint.name}/blue/model_inputs")
    collected = Collected(identity_workspace)

    def post(name: str) -> requests.Response:
        body = {"id": name, "data": [{"a": 1, "b": 2}, {"a": 3, "b": 4.5}]}
        headers = {"Authorization": f"Bearer {endpoint.key}", "X-Tenant": "north", "azureml-model-deployment": "blue"}
        return requests.post(endpoint.uri, json=body, headers=headers, timeout=60)

    assert post("lost").json() == [3, 7.5]
    for _ in range(100):
        log = client.online_deployments.get_logs("blue", endpoint.name, lines=100)
        if log.count("dropped") >= 4:
            break
        time.sleep(0.1)
    assert "may not write" in log
    assert "'Storage Blob Data Contributor' on the container" in log
    principal = client.online_endpoints.get(endpoint.name).identity.principal_id
    assign(identity_workspace, principal, collected.container)
    assert post("first").json() == [3, 7.5]

    base = f"modelDataCollector/{endpoint.name}/blue"
    ((name, (inputs,)),) = collected.records(f"{base}/model_inputs/", 1).items()
    assert re.fullmatch(rf"{base}/model_inputs/\d{{4}}/\d\d/\d\d/\d\d/[0-9a-f-]{{36}}\.jsonl", name)
    assert inputs["data"] == [{"a": 1, "b": 2.0}, {"a": 3, "b": 4.5}]
    source = f"{identity_workspace.id}/onlineEndpoints/{endpoint.name}/deployments/blue"
    assert inputs["source"].lower() == source.lower()
    assert {key: inputs[key] for key in ("specversion", "type", "datacontenttype", "correlationid", "xrequestid")} == {
        "specversion": "1.0",
        "type": "azureml.inference.model_inputs",
        "datacontenttype": "application/json",
        "correlationid": "first",
        "xrequestid": "first",
    }
    assert (inputs["modelversion"], inputs["agent"]) == ("default", "azureml-ai-monitoring/1.0.0")
    assert inputs["collectdatatype"].endswith("DataFrame")  # the class, whose module differs between pandas versions
    assert re.fullmatch(r"bytes 0-\d+/\d+", inputs["contentrange"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", inputs["time"])
    ((outputs,),) = collected.records(f"{base}/model_outputs/", 1).values()
    assert (outputs["data"], outputs["correlationid"]) == ([{"sum": 3.0}, {"sum": 7.5}], "first")
    ((request,),) = collected.records(f"{base}/request/", 1).values()
    ((response,),) = collected.records(f"{base}/response/", 1).values()
    assert (request["method"], request["path"], request["data"]["id"]) == ("POST", "/score", "first")
    assert request["xtenant"] == "north"
    assert (response["type"], response["data"]) == ("azureml.inference.response", [3, 7.5])
    assert response["xrequestid"] == request["xrequestid"]


def test_a_changed_collector_takes_effect_and_a_place_of_ones_own_is_used(
    identity_workspace: Workspace, client: MLClient, endpoint: Scoring, collecting: Callable[..., Any]
) -> None:
    """The page's `data` property, `rolling_rate` and `sampling_rate`; a collection that is off is not written."""
    from azure.ai.ml.entities import DataAsset, DataCollector, DeploymentCollection

    path = f"azureml://datastores/workspaceblobstore/paths/collected/{endpoint.name}"
    own = DataAsset(name=f"{endpoint.name}-inputs", path=f"{path}/inputs", version="3")  # type: ignore[arg-type]
    wanted = DataCollector(
        collections={
            "model_inputs": DeploymentCollection(enabled="true", data=own),
            "model_outputs": DeploymentCollection(enabled="true"),
            "response": DeploymentCollection(enabled="false"),
        },
        rolling_rate="day",
    )
    client.online_deployments.begin_create_or_update(collecting(endpoint.name, "green", data_collector=wanted)).result()
    collected = Collected(identity_workspace)
    principal = client.online_endpoints.get(endpoint.name).identity.principal_id
    assign(identity_workspace, principal, collected.container)
    assert endpoint.post({"id": "one", "data": [{"a": 1}]}, "green").ok
    ((name, (record,)),) = collected.records(f"collected/{endpoint.name}/inputs/", 1).items()
    assert re.fullmatch(r"collected/[\w-]+/inputs/\d{4}/\d\d/\d\d/[0-9a-f-]{36}\.jsonl", name)
    assert record["correlationid"] == "one"
    changed = collections("model_inputs", "model_outputs", sampling_rate=0.0, rolling_rate="minute")
    deployment = collecting(endpoint.name, "green", data_collector=changed)
    client.online_deployments.begin_create_or_update(deployment).result()
    assert endpoint.post({"id": "two", "data": [{"a": 1}]}, "green").ok
    collected.records(f"modelDataCollector/{endpoint.name}/green/", 1)  # the outputs of before


@pytest.mark.parametrize(
    ("collector", "reason"),
    [
        ({"collections": {"a": {"dataCollectionMode": "Enabled", "samplingRate": 1.5}}}, "1.5 is not between 0 and 1"),
        ({"collections": {"a": {"dataCollectionMode": "Maybe"}}}, "dataCollectionMode"),
        ({"collections": {"a": {}}, "rollingRate": "Week"}, "rollingRate"),
        ({"rollingRate": "Day"}, "The collections field is required"),
        ({"collections": {f"c{number}": {} for number in range(6)}}, "at most 5 collections, not 6"),
        ({"collections": {"a/../b": {}}}, "a collection's name"),
        ({"collections": {"a": {"dataCollectionMode": "Enabled", "dataId": "azureml:none:1"}}}, "'none:1' was not"),
        ({"collections": {"a": {"dataCollectionMode": "Enabled", "clientId": "x"}}}, "no identity with the client id"),
    ],
)
def test_a_collector_that_azure_refuses_is_refused(
    identity_workspace: Workspace, client: MLClient, endpoint: Scoring, collector: Any, reason: str
) -> None:
    """The models `DataCollector` and `Collection`, and "as many as five" collections of a script."""
    path = f"{identity_workspace.id}/onlineEndpoints/{endpoint.name}/deployments/bad"
    properties = {"endpointComputeType": "Managed", "dataCollector": collector}
    answer = identity_workspace.azure.arm("PUT", path, {"location": "westeurope", "properties": properties})
    assert answer.status_code in (400, 404), answer.text
    assert reason in answer.text
    with pytest.raises(HttpResponseError):
        client.online_deployments.get("bad", endpoint.name)
