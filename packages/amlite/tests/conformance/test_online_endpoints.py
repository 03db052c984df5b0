"""Online endpoints as azure-ai-ml drives them, with real model servers behind them."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests
from azure.core.exceptions import HttpResponseError

from amlite_fixtures.scoring import CONDA, Scoring, new_endpoint, servers_busy, servers_of

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment

    from amlite.testing import Workspace


def test_an_endpoint_says_where_it_answers(empty: Scoring) -> None:
    endpoint = empty.ml.online_endpoints.get(empty.name)
    assert endpoint.scoring_uri == f"https://{empty.name}.westeurope.inference.ml.azure.com/score"
    assert endpoint.openapi_uri == f"https://{empty.name}.westeurope.inference.ml.azure.com/swagger.json"
    assert endpoint.auth_mode == "key"
    assert endpoint.identity.type == "system_assigned"
    assert endpoint.identity.principal_id
    assert empty.name in [each.name for each in empty.ml.online_endpoints.list()]


def test_a_deployment_serves_its_model_to_the_real_client(
    shared: Scoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml.constants._endpoint import EndpointInvokeFields

    # The client writes the header that names a deployment into a dictionary that all later calls share.
    monkeypatch.setattr(EndpointInvokeFields, "DEFAULT_HEADER", dict(EndpointInvokeFields.DEFAULT_HEADER))
    shared.set_traffic(blue=100)
    request = tmp_path / "request.json"
    request.write_text('{"value": 21}')
    assert json.loads(shared.ml.online_endpoints.invoke(shared.name, request_file=str(request))) == 42
    named = shared.ml.online_endpoints.invoke(shared.name, request_file=str(request), deployment_name="green")
    assert json.loads(named) == 63
    deployment = shared.ml.online_deployments.get("blue", shared.name)
    assert deployment.provisioning_state == "Succeeded"
    assert deployment.instance_type == "Standard_DS3_v2"


def test_traffic_is_shared_out_exactly(shared: Scoring) -> None:
    shared.set_traffic(blue=70, green=30)
    key, answers = shared.key, []
    for _ in range(20):
        answer = shared.post({"value": 1}, key=key)
        answers.append(answer.headers["azureml-model-deployment"])
        assert answer.json() == {"blue": 2, "green": 3}[answers[-1]]
    assert (answers.count("blue"), answers.count("green")) == (14, 6)


@pytest.mark.parametrize(
    ("shares", "reason"),
    [({"blue": 50}, "sum to 0 or 100"), ({"red": 100}, "no deployment 'red'; there are: blue, green")],
)
def test_traffic_that_azure_refuses_is_refused(shared: Scoring, shares: dict[str, int], reason: str) -> None:
    before = shared.ml.online_endpoints.get(shared.name).traffic
    with pytest.raises(HttpResponseError, match=reason):
        shared.set_traffic(**shares)
    assert shared.ml.online_endpoints.get(shared.name).traffic == before


def test_without_traffic_there_is_nobody_to_answer(shared: Scoring) -> None:
    shared.set_traffic()
    answer = shared.post({"value": 1})
    assert answer.status_code == 404
    assert "no deployment with traffic" in answer.text
    assert shared.post({"value": 1}, "blue").json() == 2


def test_missing_deployments_and_endpoints_are_not_found(shared: Scoring) -> None:
    assert shared.post({"value": 1}, "red").status_code == 404
    answer = requests.post("https://nobody.westeurope.inference.ml.azure.com/score", json={}, timeout=60)
    assert answer.status_code == 404


def test_only_the_endpoints_own_keys_open_it(shared: Scoring) -> None:
    old = shared.key
    assert shared.post({"value": 1}, "blue", key="not-a-key").status_code == 401
    assert requests.post(shared.uri, json={"value": 1}, timeout=60).status_code == 401
    assert shared.post({"value": 1}, "blue", key=shared.ml.online_endpoints.get_keys(shared.name).secondary_key).ok
    shared.ml.online_endpoints.begin_regenerate_keys(shared.name, key_type="primary").result()
    assert shared.key != old
    assert shared.post({"value": 1}, "blue", key=old).status_code == 401
    assert shared.post({"value": 1}, "blue").json() == 2


def test_a_scripts_refusal_and_a_scripts_fault_are_told_apart(shared: Scoring) -> None:
    malformed = shared.post("{not json", "blue")
    assert malformed.status_code == 400
    assert "not JSON" in malformed.json()["error"]
    assert malformed.headers["ms-azureml-model-error-statuscode"] == "400"
    fault = shared.post({"wrong": 1}, "blue")
    assert fault.status_code == 424
    assert fault.headers["ms-azureml-model-error-statuscode"] == "500"
    assert fault.headers["azureml-model-deployment"] == "blue"


def test_a_request_that_takes_too_long_ends(shared: Scoring) -> None:
    answer = shared.post({"value": 1, "sleep": 3}, "blue")
    assert answer.status_code == 408


def test_scripts_see_their_variables_and_act_as_the_endpoint(shared: Scoring) -> None:
    assert shared.post({"variable": "GREETING"}, "blue").json() == "hello"
    assert shared.post({"variable": "AZURE_CLIENT_SECRET"}, "blue").json() == {}  # how the server writes None
    assert shared.post({"variable": "IDENTITY_ENDPOINT"}, "blue").json().startswith("https://")


def test_logs_are_those_of_the_server(shared: Scoring) -> None:
    assert "scoring begins" in shared.ml.online_deployments.get_logs("blue", shared.name, lines=500)
    storage = shared.ml.online_deployments.get_logs("blue", shared.name, lines=50, container_type="storage-initializer")
    assert "downloading model times-2" in storage


def test_a_failing_script_fails_the_deployment_with_its_log(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment]
) -> None:
    script = "def init():\n    raise RuntimeError('the weights are missing')\n\ndef run(data):\n    return 1\n"
    with pytest.raises(HttpResponseError, match="the weights are missing") as raised:
        empty.ml.online_deployments.begin_create_or_update(make_deployment(empty.name, "broken", score=script)).result()
    assert "ResourceNotReady" in str(raised.value)
    assert empty.ml.online_deployments.get("broken", empty.name).provisioning_state == "Failed"
    assert "the weights are missing" in empty.ml.online_deployments.get_logs("broken", empty.name, lines=100)
    answer = empty.post({"value": 1}, "broken")
    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-reason"] == "model_not_ready"


def test_a_deployment_with_traffic_is_not_deleted_and_one_without_ends_its_server(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment], azureml_workspace: Workspace
) -> None:
    deployments = empty.ml.online_deployments
    deployments.begin_create_or_update(make_deployment(empty.name, "leaving")).result()
    empty.set_traffic(leaving=100)
    with pytest.raises(HttpResponseError, match="100 % of the endpoint's traffic"):
        deployments.begin_delete("leaving", empty.name).result()
    empty.set_traffic()
    assert servers_of(azureml_workspace, "leaving")
    late: list[requests.Response] = []
    key = empty.key
    asking = threading.Thread(target=lambda: late.append(empty.post({"value": 4, "sleep": 2}, "leaving", key=key)))
    asking.start()
    while not servers_busy(azureml_workspace, "leaving"):
        assert asking.is_alive()
    deployments.begin_delete("leaving", empty.name).result()
    asking.join()
    assert late[0].json() == 8
    assert not servers_of(azureml_workspace, "leaving")
    assert empty.post({"value": 1}, "leaving").status_code == 404


def test_a_changed_deployment_is_replaced_while_it_serves(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment], azureml_workspace: Workspace
) -> None:
    deployments = empty.ml.online_deployments
    deployments.begin_create_or_update(make_deployment(empty.name, "changing", 2)).result()
    deployments.begin_create_or_update(make_deployment(empty.name, "changing", 5)).result()
    assert empty.post({"value": 1}, "changing").json() == 5
    serving = {process.pid for process in servers_of(azureml_workspace, "changing")}
    tagged = deployments.get("changing", empty.name)
    tagged.tags = {"reviewed": "yes"}
    assert deployments.begin_create_or_update(tagged).result().tags == {"reviewed": "yes"}
    assert {process.pid for process in servers_of(azureml_workspace, "changing")} == serving
    larger = make_deployment(empty.name, "changing", 5)
    larger.instance_type = "Standard_DS4_v2"
    with pytest.raises(HttpResponseError, match="instanceType: cannot be changed"):
        deployments.begin_create_or_update(larger).result()


def test_servers_come_back_after_a_kill_and_after_a_restart(shared: Scoring, azureml_workspace: Workspace) -> None:
    killed = servers_of(azureml_workspace, "green")
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended with the one before it
            process.send_signal(signal.SIGKILL)
    # A request that arrives before they have ended is in flight, and fails as in Azure.
    assert psutil.wait_procs(killed, timeout=30)[1] == []
    assert shared.post({"value": 1}, "green").json() == 3
    azureml_workspace.azure.restart()
    assert not servers_of(azureml_workspace, "green")
    assert shared.post({"value": 1}, "green").json() == 3


def test_a_server_whose_liveness_probe_fails_is_started_again(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment], azureml_workspace: Workspace
) -> None:
    from azure.ai.ml.entities import ProbeSettings

    probe = ProbeSettings(initial_delay=1, period=1, timeout=1, failure_threshold=1)
    empty.ml.online_deployments.begin_create_or_update(
        make_deployment(empty.name, "hanging", liveness_probe=probe)
    ).result()
    hanging = servers_of(azureml_workspace, "hanging")
    for process in hanging:
        process.suspend()
    psutil.wait_procs(hanging, timeout=60)
    assert not any(process.is_running() for process in hanging)
    assert empty.post({"value": 1}, "hanging").json() == 2
    assert "Liveness probe failed 1 times" in "".join(
        path.read_text()
        for path in (azureml_workspace.azure.state / "logs").glob(f"serving-{empty.name}-hanging-*.log")
    )


def test_tokens_open_endpoints_that_take_them(
    ml_client: MLClient,
    make_deployment: Callable[..., ManagedOnlineDeployment],
    azureml_workspace: Workspace,
    tmp_path: Path,
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"value": 2}')
    for mode in ("aml_token", "aad_token"):
        scoring = new_endpoint(ml_client, mode)
        ml_client.online_deployments.begin_create_or_update(make_deployment(scoring.name, "only")).result()
        scoring.set_traffic(only=100)
        assert json.loads(ml_client.online_endpoints.invoke(scoring.name, request_file=str(request))) == 4
        assert scoring.post({"value": 2}, key="forged").status_code == 401
        if mode == "aad_token":
            reader = azureml_workspace.azure.application(("Reader", azureml_workspace.id))
            token = reader.get_token("https://ml.azure.com/.default").token
            assert scoring.post({"value": 2}, key=token).status_code == 403
        ml_client.online_endpoints.begin_delete(scoring.name).result()


def test_an_identity_without_roles_cannot_read_the_model(
    ml_client: MLClient, make_deployment: Callable[..., ManagedOnlineDeployment], azureml_workspace: Workspace
) -> None:
    from azure.ai.ml.entities import IdentityConfiguration, ManagedIdentityConfiguration

    group = azureml_workspace.id.partition("/providers/")[0]
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/scorer"
    made = azureml_workspace.azure.put(identity, {"location": "westeurope"}, "2023-01-31")
    acting = IdentityConfiguration(
        type="user_assigned", user_assigned_identities=[ManagedIdentityConfiguration(resource_id=identity)]
    )
    scoring = new_endpoint(ml_client, identity=acting)
    with pytest.raises(HttpResponseError, match="Storage Blob Data Reader"):
        ml_client.online_deployments.begin_create_or_update(make_deployment(scoring.name, "early")).result()
    storage = f"{group}/providers/Microsoft.Storage/storageAccounts/{azureml_workspace.account}"
    definition = "/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    subscription = group.partition("/resourceGroups/")[0]
    properties = {
        "principalId": made["properties"]["principalId"],
        "principalType": "ServicePrincipal",
        "roleDefinitionId": f"{subscription}{definition}",
    }
    path = f"{storage}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    azureml_workspace.azure.put(path, {"properties": properties}, "2022-04-01")
    ml_client.online_deployments.begin_create_or_update(make_deployment(scoring.name, "early")).result()
    scoring.set_traffic(early=100)
    assert scoring.post({"value": 1}).json() == 2
    assert ml_client.online_endpoints.get(scoring.name).identity.type == "user_assigned"
    ml_client.online_endpoints.begin_delete(scoring.name).result()


@pytest.mark.usefixtures("shared")  # by then the conda file's environment has been built
def test_a_build_context_is_served_from_the_packages_it_names(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment], tmp_path: Path
) -> None:
    from azure.ai.ml.entities import BuildContext, Environment

    (tmp_path / "Dockerfile").write_text("FROM mcr.microsoft.com/azureml/base\nRUN conda install python=3.11\n")
    pins = "".join(f"{pin}  # as in the conda file\n" for pin in ("pip", *CONDA["dependencies"][-1]["pip"]))
    (tmp_path / "requirements.txt").write_text(pins)
    deployment = make_deployment(empty.name, "context")
    deployment.environment = Environment(name="context", version="1", build=BuildContext(path=str(tmp_path)))
    empty.ml.online_deployments.begin_create_or_update(deployment).result()
    assert empty.post({"value": 3}, "context").json() == 6
    preparation = empty.ml.online_deployments.get_logs(
        "context", empty.name, lines=50, container_type="storage-initializer"
    )
    assert "building" not in preparation  # it has the same packages, hence is the same


def test_names_and_environments_that_azure_refuses_are_refused(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment], azureml_workspace: Workspace
) -> None:
    from azure.ai.ml.entities import Environment

    path = f"{azureml_workspace.id}/onlineEndpoints/1-begins-with-a-digit"
    answer = azureml_workspace.azure.arm("PUT", path, {"location": "westeurope", "properties": {"authMode": "Key"}})
    assert answer.status_code == 400
    assert "begin with a letter" in answer.text
    refused = make_deployment(empty.name, "refused")
    conda = {"name": "conda", "dependencies": ["python=3.11", "py-opencv=4.10"]}
    refused.environment = Environment(image="mcr.microsoft.com/azureml/base", conda_file=conda)
    with pytest.raises(HttpResponseError, match=r"py-opencv\. Move them under 'pip:'"):
        empty.ml.online_deployments.begin_create_or_update(refused).result()


RAW = """
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request):
    if request.args.get("status"):
        return AMLResponse({"error": "refused"}, int(request.args["status"]), json_str=True)
    size = len(request.get_data())
    return {"method": request.method, "image": request.args.get("image"), "type": request.content_type, "size": size}
"""


def test_a_raw_script_gets_the_method_the_query_and_the_body_as_they_were_sent(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment]
) -> None:
    """Source: azureml_inference_server_http/api/aml_request.py, and the routes of its server (GET and POST /score)."""
    empty.ml.online_deployments.begin_create_or_update(make_deployment(empty.name, "raw", score=RAW)).result()
    headers = {"Authorization": f"Bearer {empty.key}", "azureml-model-deployment": "raw"}
    uri, image = empty.uri, "https://example.com/a b.png?size=1&x=ü"
    got = requests.get(uri, {"image": image}, headers=headers, timeout=30)
    assert (got.status_code, got.json()) == (200, {"method": "GET", "image": image, "type": None, "size": 0})
    picture = bytes(range(256))
    posted = requests.post(uri, picture, headers={**headers, "Content-Type": "image/png"}, timeout=30)
    assert posted.json() == {"method": "POST", "image": None, "type": "image/png", "size": len(picture)}
    refused = requests.get(uri, {"status": "415"}, headers=headers, timeout=30)
    assert (refused.headers["ms-azureml-model-error-statuscode"], refused.json()) == ("415", {"error": "refused"})
    assert requests.get(uri, {"image": image}, timeout=30).status_code == 401
    empty.ml.online_deployments.begin_delete("raw", empty.name).result()
