"""MLflow as training code uses it: in a job, unmodified, with the client that Azure ML's environments pin."""

from __future__ import annotations

import json
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.jobs import CLUSTER, CONDA, equip, history, submit, until

REGION = "https://westeurope.api.azureml.ms"
TRAIN = """
import os, pathlib, sys
import mlflow
from mlflow import MlflowClient

model = pathlib.Path("model")
model.mkdir()
(model / "MLmodel").write_text("flavors:\\n  python_function:\\n    loader_module: none\\n")
(model / "weights.txt").write_text("0.5")
with mlflow.start_run() as run:
    assert run.info.run_id == os.environ["AZUREML_RUN_ID"]
    mlflow.log_params({"depth": 3})
    mlflow.log_metric("auc", 0.7, step=1)
    mlflow.log_metric("auc", 0.8, step=2)
    mlflow.set_tag("colour", "red")
    mlflow.log_artifacts("model", "model")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_text("<svg></svg>", "plots/curve.svg")
    client = MlflowClient()
    listed = [entry.path for entry in client.list_artifacts(run.info.run_id, "model")]
    assert listed == ["model/MLmodel", "model/weights.txt"], listed
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "weights", tags={"auc": "0.8"})
    assert version.run_id == run.info.run_id
    found = client.search_model_versions("name='weights'")
    assert [str(each.version) for each in found] == [str(version.version)], found
    here = mlflow.artifacts.download_artifacts(f"models:/weights/{version.version}", dst_path="back")
    assert pathlib.Path(here, "weights.txt").read_text() == "0.5"
    other = mlflow.artifacts.download_artifacts("models:/uploaded/1", dst_path="other")
    assert pathlib.Path(other, "weights.txt").read_text() == "0.25"
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/hello.txt") == "hello"
    assert client.get_model_version("uploaded", "1").tags == {"from": "azure-ai-ml"}
"""


@pytest.fixture(scope="module")
def tracked(amlite: LocalAzure) -> Workspace:
    """Return a workspace with an environment that has MLflow; nothing in it signs in by key."""
    found = Workspace.create(amlite, "tracked", identity=True)
    azure, group = found.azure, found.id.split("/providers/")[0]
    identity = azure.put(
        f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tracker",
        {"location": "westeurope"},
        "2023-01-31",
    )
    equip(found, identity["id"])
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/{found.account}"
    azure.assign("Storage Blob Data Contributor", account, identity["properties"]["principalId"])
    azure.assign("Storage Blob Data Contributor", account, _object_id(azure))
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    azure.put(f"{found.id}/environments/tracking/versions/1", {"properties": {"image": image, "condaFile": CONDA}})
    return found


def _object_id(azure: LocalAzure) -> str:
    token = azure.credential.get_token("https://management.azure.com/.default").token
    return str(jwt.decode(token, options={"verify_signature": False})["oid"])


def test_a_job_tracks_and_registers_by_mlflow(tracked: Workspace, tmp_path: Path) -> None:
    from azure.ai.ml import command
    from azure.ai.ml.entities import Model

    client = tracked.client()
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "weights.txt").write_text("0.25", "utf-8")
    uploaded = Model(name="uploaded", version="1", path=str(tmp_path / "upload"), tags={"from": "azure-ai-ml"})
    client.models.create_or_update(uploaded)
    code = tmp_path / "code"
    code.mkdir()
    (code / "train.py").write_text(TRAIN, "utf-8")
    job = command(
        command="python train.py", code=str(code), environment="tracking:1", compute=CLUSTER, experiment_name="weights",
        tags={"team": "blue", "colour": "none"},
    )  # fmt: skip
    name = client.jobs.create_or_update(job).name
    assert until(client, name).status == "Completed", history(client, name).error

    version = client.models.get("weights", version="1")
    assert (version.type, version.tags, version.job_name) == ("mlflow_model", {"auc": "0.8"}, name)
    client.models.download("weights", version="1", download_path=str(tmp_path / "down"))
    assert (tmp_path / "down/weights/model/weights.txt").read_text("utf-8") == "0.5"
    client.jobs.download(name, download_path=str(tmp_path), all=True)
    assert (tmp_path / "artifacts/notes/hello.txt").read_text("utf-8") == "hello"

    # Run history, MLflow and ARM show the same tags of a run.
    assert client.jobs.get(name).tags == {"team": "blue", "colour": "red"}
    (listed,) = client.jobs.list(tag="colour=red")
    assert (listed.name, listed.tags["team"]) == (name, "blue")
    run = ask(tracked, "GET", "runs/get", run_id=name)["run"]
    kept = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert (kept["team"], kept["colour"]) == ("blue", "red")
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", name)
    assert [metric["value"] for metric in run["data"]["metrics"]] == [0.8]
    seen = [
        metric["value"]
        for metric in ask(tracked, "GET", "metrics/get-history", run_id=name, metric_key="auc")["metrics"]
    ]
    assert seen == [0.7, 0.8]
    shown = region(tracked, "GET", f"/history/v1.0{tracked.id}/runs/{name}").json()
    assert (shown["metrics"], shown["parameters"], shown["tags"]["colour"]) == ({"auc": 0.8}, {"depth": "3"}, "red")

    # The job's link says how to open its page and nothing of the job. The page is a file of the user alone.
    link = client.jobs.get(name).services["Studio"].endpoint
    said = requests.get(link, timeout=60).text
    assert f"amlite open {name}" in said
    assert "weights" not in said
    page = Path(tracked.azure.command("open", link, "--print").strip())
    assert page.stat().st_mode & 0o777 == 0o600
    content = page.read_text("utf-8")
    for part in ("Completed", "<th>auc</th><td>0.8</td>", "<th>depth</th><td>3</td>", "notes/hello.txt"):
        assert part in content
    assert 'src="data:image/svg+xml;base64,' in content

    # Azure keeps the place in the datastore of a model that is registered from a job's output.
    output = Model(name="from-job", version="1", path=f"azureml://jobs/{name}/outputs/artifacts/notes")
    registered = client.models.create_or_update(output)
    assert registered.job_name == name
    assert registered.path.endswith(f"/datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{name}/notes")
    client.models.download("from-job", version="1", download_path=str(tmp_path / "down"))
    assert (tmp_path / "down/from-job/notes/hello.txt").read_text("utf-8") == "hello"
    assert client.models.create_or_update(output).path == registered.path


# What a job tries with its own token: a name, a method, a path below the region's host, and a body.
ATTACK = """
import json, os, ssl, sys, urllib.error, urllib.request

region, scope, run = (os.environ[f"AZUREML_{name}"] for name in ("SERVICE_ENDPOINT", "WORKSPACE_SCOPE", "RUN_ID"))
other, neighbour, foreign = sys.argv[1:]
mlflow = f"/mlflow/v2.0{scope}/api/2.0/mlflow"

def send(method, path, body=None):
    headers = {"Authorization": "Bearer " + os.environ["AZUREML_RUN_TOKEN"], "Content-Type": "application/json"}
    request = urllib.request.Request(region + path, json.dumps(body).encode() if body else None, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}

def upload(origin, container, path="a.txt"):
    status, answer = send("POST", f"/artifact/v2.0{scope}/artifacts/{origin}/{container}/batch/metadata",
                          {"paths": [{"path": path}]})
    if status != 200 or answer["errors"]:
        return answer["errors"][path]["error"]["message"] if status == 200 else status
    put = urllib.request.Request(answer["artifactContentInformation"][path]["contentUri"], b"x",
                                 {"x-ms-blob-type": "BlockBlob"}, method="PUT")
    with urllib.request.urlopen(put) as done:
        return done.status

child = send("POST", f"{mlflow}/runs/create", {"experiment_id": os.environ["AZUREML_EXPERIMENT_ID"]})[1]
child = child["run"]["info"]["run_id"]
print(json.dumps({
    "own run": upload("ExperimentRun", f"dcid.{run}"),
    "own run again": upload("ExperimentRun", f"dcid.{run}").replace(run, "RUN"),
    "a run that it made": upload("ExperimentRun", f"dcid.{child}"),
    "another run": upload("ExperimentRun", f"dcid.{other}"),
    "another run by its experiment": send("POST", f"/history/v1.0{scope}/experiments/tests/runs/{other}/artifacts/"
                                          "batch/metadata", {"paths": [{"path": "a.txt"}]})[0],
    "a registered model": upload("Models", "precious:1", "model/weights.txt"),
    "an upload": upload("LocalUpload", "precious"),
    "dots": upload("ExperimentRun", f"dcid.{run}", "b/./../a"),
    "the token of another run": send("GET", f"/history/v1.0{scope}/experiments/tests/runs/{other}/token")[0],
    "its own token": send("GET", f"/history/v1.0{scope}/experiments/tests/runs/{run}/token")[0],
    "another workspace": send("GET", f"/history/v1.0{neighbour}/runs/{run}")[0],
    "a model": send("POST", f"{mlflow}/registered-models/create", {"name": "foreign"})[0],
    "files of its submitter": send("POST", f"{mlflow}/model-versions/create",
                                   {"name": "foreign", "source": foreign})[0],
    "a webhook": send("POST", f"{mlflow}/webhooks", {"name": "w", "url": "https://example.com", "events": []})[0],
    "a webhook by dots": send("POST", f"{mlflow}/runs/%2e%2e/webhooks", {"name": "w"})[0],
}))
"""


def _blob_of_the_submitter(tracked: Workspace) -> str:
    """Return the address of a blob in another account, which the submitter of jobs may read."""
    azure, name = tracked.azure, f"st{uuid.uuid4().hex[:12]}"
    account = f"{tracked.layout.group_id}/providers/Microsoft.Storage/storageAccounts/{name}"
    body = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}
    azure.put(account, body, "2023-01-01")
    azure.put(f"{account}/blobServices/default/containers/secrets", {"properties": {}}, "2023-01-01")
    azure.assign("Storage Blob Data Contributor", account, _object_id(azure))
    token = azure.credential.get_token("https://storage.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03", "x-ms-blob-type": "BlockBlob"}
    address = f"https://{name}.blob.core.windows.net/secrets/secret"
    assert azure.session.put(address, data=b"SECRET", headers=headers).status_code == 201
    return address


@pytest.mark.attack
def test_a_jobs_token_writes_its_own_artifacts_once_and_nothing_else(tracked: Workspace) -> None:
    """Azure's token of a run is valid for one workspace, and an artifact that exists is a conflict.

    Source: the claims `role` and `scope` of AZUREML_RUN_TOKEN, and lightly-train issue 256.
    """
    client = tracked.client()
    uri = "azureml://datastores/workspaceblobstore/paths/precious"
    tracked.azure.put(f"{tracked.id}/models/precious/versions/1", {"properties": {"modelUri": uri}})
    other = submit(client, "true")
    until(client, other)
    foreign = _blob_of_the_submitter(tracked)
    arguments = f"{other} {tracked.id}-neighbour {foreign}"
    name = submit(client, f"cat > attack.py <<'END'\n{ATTACK}\nEND\npython attack.py {arguments}")
    assert until(client, name).status == "Completed", history(client, name).error
    log = (
        tracked.azure.state / "jobs" / tracked.resource_group / tracked.name / name / "user_logs/std_log.txt"
    ).read_text()
    assert json.loads(log) == {
        "own run": 201,
        "own run again": "Resource Conflict: ArtifactId ExperimentRun/dcid.RUN/a.txt already exists.",
        "a run that it made": 201,
        "another run": 403,
        "another run by its experiment": 403,
        "a registered model": 400,
        "an upload": 403,
        "dots": 400,
        "the token of another run": 403,
        "its own token": 200,
        "another workspace": 403,
        "a model": 200,
        "files of its submitter": 403,
        "a webhook": 404,
        "a webhook by dots": 404,
    }


@pytest.mark.attack
@pytest.mark.parametrize(
    ("header", "endpoint", "secret"),
    [
        ("X-IDENTITY-HEADER", "$IDENTITY_ENDPOINT?client_id", "$IDENTITY_HEADER"),
        ("secret", "$MSI_ENDPOINT?clientid", "$MSI_SECRET"),
    ],
)
def test_a_job_signs_in_as_its_identity_only_while_it_runs(
    tracked: Workspace, header: str, endpoint: str, secret: str
) -> None:
    """Who reads its log, where programs print their variables, would be the identity for ever.

    azure-identity uses the first names, azureml-dataprep asks for the others.
    """
    client = tracked.client()
    line = (
        f"curl --silent --output /dev/null --write-out '%{{http_code}}' --header \"{header}: {secret}\" "
        f'"{endpoint}=$DEFAULT_IDENTITY_CLIENT_ID&resource=https://management.azure.com"; echo " {secret}"'
    )
    name = submit(client, line)
    assert until(client, name).status == "Completed"
    log = tracked.azure.state / "jobs" / tracked.resource_group / tracked.name / name / "user_logs/std_log.txt"
    status, printed = log.read_text().split()
    assert status == "200"
    address = "https://identity.amlite.internal/msi/token?resource=https://management.azure.com"
    assert tracked.azure.session.get(address, headers={header: printed}).status_code == 401


@pytest.mark.attack
@pytest.mark.filterwarnings("ignore:Use list.search:DeprecationWarning")  # of the credential's own use of MSAL
def test_a_job_with_the_identity_of_its_user_signs_in_on_behalf_of_the_user_only_while_it_runs(
    tracked: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the credential of azure-ai-ml that training code uses for it."""
    from azure.ai.ml.entities import UserIdentityConfiguration
    from azure.ai.ml.identity import AzureMLOnBehalfOfCredential, CredentialUnavailableError
    from azure.core.exceptions import ClientAuthenticationError

    client = tracked.client()
    line = 'echo "$OBO_ENDPOINT"; sleep 600'
    name = submit(client, line, identity=UserIdentityConfiguration())
    folder = tracked.azure.state / "jobs" / tracked.resource_group / tracked.name
    log = folder / name / "user_logs/std_log.txt"
    until(client, name, "Running")
    while not (log.exists() and log.read_text().endswith("\n")):
        time.sleep(0.1)
    monkeypatch.setenv("OBO_ENDPOINT", log.read_text().strip())
    token = AzureMLOnBehalfOfCredential().get_token("https://management.azure.com/.default").token
    assert jwt.decode(token, options={"verify_signature": False})["oid"] == _object_id(tracked.azure)
    secret = log.read_text().strip().rpartition("=")[2]
    assert not any(secret in json.dumps(request) for request in tracked.azure.requests("/obo/token"))
    client.jobs.begin_cancel(name).result()
    with pytest.raises(ClientAuthenticationError):
        AzureMLOnBehalfOfCredential().get_token("https://management.azure.com/.default")

    name = submit(client, 'echo "[$OBO_ENDPOINT]"')
    assert until(client, name).status == "Completed"
    assert (folder / name / "user_logs/std_log.txt").read_text() == "[]\n"
    monkeypatch.delenv("OBO_ENDPOINT")
    with pytest.raises(CredentialUnavailableError):
        AzureMLOnBehalfOfCredential().get_token("https://management.azure.com/.default")


def test_experiments_have_names_and_searchable_runs(tracked: Workspace) -> None:
    made = ask(tracked, "POST", "experiments/create", name="by-hand")["experiment_id"]
    run = ask(tracked, "POST", "runs/create", experiment_id=made, start_time=1, run_name="mine")["run"]["info"]
    assert run["artifact_uri"].startswith("azureml://westeurope.api.azureml.ms/mlflow/v2.0/subscriptions/")
    assert run["artifact_uri"].endswith(f"/experiments/by-hand/runs/{run['run_id']}/artifacts")
    found = ask(tracked, "POST", "runs/search", experiment_ids=[made])["runs"]
    assert [each["info"]["run_id"] for each in found] == [run["run_id"]]
    # MLflow prints this link when the run ends. The page is like that of a job.
    ask(tracked, "POST", "runs/log-metric", run_id=run["run_id"], key="auc", value=0.5, timestamp=1)
    link = f"https://westeurope.api.azureml.ms/mlflow/v2.0{tracked.id}/#/experiments/{made}/runs/{run['run_id']}"
    page = Path(tracked.azure.command("open", link, "--print").strip()).read_text("utf-8")
    for part in ("<h1>mine</h1>", "<td>by-hand</td>", "<th>auc</th><td>0.5</td>"):
        assert part in page
    again = region(tracked, "POST", f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/experiments/create", {"name": "by-hand"})
    assert again.json()["error_code"] == "RESOURCE_ALREADY_EXISTS"


@pytest.mark.attack
def test_the_token_of_a_run_ends_with_it(tracked: Workspace) -> None:
    """It may be in the log, and with the same name, another job would be of somebody else."""
    client = tracked.client()
    name = submit(client, "echo $AZUREML_RUN_TOKEN")
    assert until(client, name).status == "Completed"
    log = tracked.azure.state / "jobs" / tracked.resource_group / tracked.name / name / "user_logs/std_log.txt"
    path = f"{REGION}/history/v1.0{tracked.id}/experiments/tests/runs/{name}/token"
    headers = {"Authorization": f"Bearer {log.read_text().strip()}"}
    assert tracked.azure.session.get(path, headers=headers).status_code == 403
    client.jobs.begin_delete(name).result()
    again = {"jobType": "Command", "command": "sleep 100", "environmentId": "azureml:plain:1", "computeId": CLUSTER}
    refused = tracked.azure.arm("PUT", f"{tracked.id}/jobs/{name}", {"properties": again})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "UserError")


@pytest.mark.attack
@pytest.mark.parametrize("api", ["model-versions/delete", "registered-models/delete"])
def test_who_may_not_delete_models_does_not_by_mlflow(tracked: Workspace, api: str) -> None:
    azure, role = tracked.azure, str(uuid.uuid4())
    subscription = "/".join(tracked.id.split("/")[:3])
    models = "Microsoft.MachineLearningServices/workspaces/models"
    actions = [f"{models}/read", f"{models}/write", f"{models}/versions/read", f"{models}/versions/write"]
    properties = {"roleName": role, "permissions": [{"actions": actions}], "assignableScopes": [subscription]}
    definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    azure.put(definition, {"properties": properties}, "2022-04-01")
    writer = azure.application()
    token = writer.get_token("https://ml.azure.com/.default").token
    who = jwt.decode(token, options={"verify_signature": False})["oid"]
    assignment = f"{tracked.id}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    azure.put(assignment, {"properties": {"roleDefinitionId": definition, "principalId": who}}, "2022-04-01")
    version = f"{tracked.id}/models/kept/versions/1"
    azure.put(version, {"properties": {"modelUri": "azureml://datastores/workspaceblobstore/paths/kept"}})
    answer = azure.session.delete(
        f"{REGION}/mlflow/v2.0{tracked.id}/api/2.0/mlflow/{api}",
        json={"name": "kept", "version": "1"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 403
    assert azure.arm("GET", version).status_code == 200


@pytest.mark.attack
@pytest.mark.parametrize(
    "wrong", [{"tags": [5]}, {"tags": [{}]}, {"tags": {"a": "b"}}, {"name": {}}, {"max_results": "x"}, {"source": [1]}]
)
def test_a_request_to_the_registry_has_the_known_types(tracked: Workspace, wrong: dict[str, Any]) -> None:
    path = f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/registered-models/create"
    assert region(tracked, "POST", path, {"name": f"typed-{uuid.uuid4().hex[:8]}", **wrong}).status_code == 400


@pytest.mark.parametrize("alias", ["best=1,champion", "latest", "V2", "a b", "a" * 256])
def test_an_alias_is_one_that_mlflow_accepts(tracked: Workspace, alias: str) -> None:
    azure = tracked.azure
    azure.put(
        f"{tracked.id}/models/named/versions/1",
        {"properties": {"modelUri": "azureml://datastores/workspaceblobstore/paths/named"}},
    )
    path = f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/registered-models/alias"
    assert region(tracked, "POST", path, {"name": "named", "alias": alias, "version": "1"}).status_code == 400


@pytest.mark.attack
@pytest.mark.parametrize("detour", ["x/mlflow", "MLFLOW", "experiments/mlflow"])
def test_no_detour_reaches_what_another_route_answers(tracked: Workspace, detour: str) -> None:
    """MLflow itself would take the place of an experiment's artifacts from the request."""
    body = {"name": f"by-{uuid.uuid4().hex[:8]}", "artifact_location": "file:///tmp/artifacts"}
    path = f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/{detour}/experiments/create"
    assert region(tracked, "POST", path, body).status_code == 404


@pytest.mark.parametrize("path", ["logged-models", "logged-models/search", "logged-models/m-1/artifacts/directories"])
def test_logged_models_of_mlflow_3_are_not_found(tracked: Workspace, path: str) -> None:
    """Azure answers 404 without a body: azure-sdk-for-python issues 44896 and 43661."""
    answer = region(tracked, "POST", f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/{path}", {"experiment_id": "0"})
    assert (answer.status_code, answer.text) == (404, "")


def test_models_of_azure_ml_are_mlflow_models_and_keep_their_tags(tracked: Workspace) -> None:
    uri = "azureml://datastores/workspaceblobstore/paths/somewhere"
    version = {"modelUri": uri, "modelType": "mlflow_model", "tags": {"a": "1"}}
    tracked.azure.put(f"{tracked.id}/models/both/versions/7", {"properties": version})
    assert ask(tracked, "GET", "model-versions/get", name="both", version="7")["model_version"]["tags"] == [
        {"key": "a", "value": "1"}
    ]
    ask(tracked, "POST", "model-versions/set-tag", name="both", version="7", key="b", value="2")
    ask(tracked, "POST", "registered-models/alias", name="both", alias="champion", version="7")
    assert tracked.client().models.get("both", version="7").tags == {"a": "1", "b": "2"}
    found = ask(tracked, "GET", "registered-models/search", filter="name LIKE 'bot%'")["registered_models"]
    assert [(model["name"], model["aliases"]) for model in found] == [("both", [{"alias": "champion", "version": "7"}])]
    by_tag = ask(tracked, "GET", "model-versions/search", filter="name='both' AND tags.b = '2'")["model_versions"]
    assert [each["version"] for each in by_tag] == ["7"]
    missing = region(tracked, "GET", f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/registered-models/get?name=none")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_tracking_asks_for_a_token_and_a_role(tracked: Workspace) -> None:
    path = f"/mlflow/v2.0{tracked.id}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert requests.get(f"{REGION}{path}", timeout=60).status_code == 401
    stranger = tracked.azure.application()
    token = stranger.get_token("https://management.azure.com/.default").token
    refused = requests.get(f"{REGION}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "AuthorizationFailed"


def region(workspace: Workspace, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
    """Send one request to the service's regional host."""
    token = workspace.azure.credential.get_token("https://management.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    return workspace.azure.session.request(method, f"{REGION}{path}", json=body, headers=headers, timeout=120)


def ask(workspace: Workspace, method: str, api: str, **values: Any) -> dict[str, Any]:
    """Call MLflow's REST API and return its answer."""
    path = f"/mlflow/v2.0{workspace.id}/api/2.0/mlflow/{api}"
    query = "?" + urllib.parse.urlencode(values) if method == "GET" else ""
    answer = region(workspace, method, path + query, values if method != "GET" else None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_data_plane_describes_a_datastore_as_azureml_dataprep_reads_it(tracked: Workspace) -> None:
    """The models of `azureml._restclient` in azureml-core. azureml-fsspec and mltable ask for them."""
    path = f"/datastore/v1.0{tracked.id}/datastores/workspaceblobstore"
    found = region(tracked, "GET", path).json()
    section = found["azureStorageSection"]
    assert (found["name"], found["dataStoreType"], found["isDefault"]) == ("workspaceblobstore", "AzureBlob", True)
    assert section["containerName"].startswith("azureml-blobstore-")
    assert section["credentialType"] == "None"
    assert "accountKey" not in section
    assert region(tracked, "GET", f"/datastore/v1.0{tracked.id}/default").json() == found
    assert region(tracked, "GET", f"{path}-none").status_code == 404


def test_data_plane_describes_a_version_of_data_as_mltable_reads_it(tracked: Workspace) -> None:
    uri = f"azureml:/{tracked.id}/datastores/workspaceblobstore/paths/rows/".replace("/providers/", "/")
    given = {"dataType": "mltable", "dataUri": uri, "tags": {"of": "rows"}}
    tracked.azure.put(f"{tracked.id}/data/rows/versions/7", {"properties": given})
    path = f"/data/v1.0{tracked.id}/dataversion/rows/versions"
    found = region(tracked, "GET", f"{path}/7").json()
    version = found["dataVersion"]
    assert found["isV2"] is True
    assert (version["dataContainerName"], version["versionId"], version["dataType"]) == ("rows", "7", "MLTable")
    assert (version["dataUri"], version["mutableProps"]["tags"]) == (uri, {"of": "rows"})
    assert region(tracked, "GET", f"{path}/8").status_code == 404


def test_data_plane_gives_the_key_of_a_datastore_that_has_one(azureml_workspace: Workspace) -> None:
    path = f"/datastore/v1.0{azureml_workspace.id}/datastores/workspaceblobstore"
    section = region(azureml_workspace, "GET", path).json()["azureStorageSection"]
    assert (section["credentialType"], section["credential"]) == ("AccountKey", section["accountKey"])
    assert section["accountKey"]
