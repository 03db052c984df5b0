"""What an attacker would try at amlite's hosts: other forms of a blob's address, and hostile requests to each route."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import SUBSCRIPTION, Json
from fuzzing.campaign import Campaign
from fuzzing.world import create

pytestmark = pytest.mark.attack
STORAGE = "https://storage.azure.com/.default"
VERSION = "2023-11-03"
# A part of the requests of `make attack`, so that the suite stays fast.
REQUESTS = 150
SEED = 20


def test_no_request_to_any_route_breaks_amlite(tmp_path: Path) -> None:
    """No answer is an internal error, each comes, and what was written can be read, also after a restart."""
    with LocalAzure.started(tmp_path / "state") as azure:
        report = Campaign(azure, create(azure)).run(REQUESTS, SEED)
    assert report.failures == [], report.table()
    assert report.requests > REQUESTS


@pytest.mark.parametrize("character", ["%0a", "%01"])
def test_a_control_character_in_a_path_is_refused(amlite: LocalAzure, character: str) -> None:
    answer = amlite.session.get(f"https://management.azure.com/subscriptions/a{character}b")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidUri")


class Thief:
    """An application that may write one container, and not read the other one."""

    def __init__(self, azure: LocalAzure, workspace: Workspace) -> None:
        self.azure, self.account = azure, workspace.account
        self.host = f"https://{self.account}.blob.core.windows.net"
        account_id = f"{workspace.layout.group_id}/providers/Microsoft.Storage/storageAccounts/{self.account}"
        name = uuid.uuid4().hex[:8]
        self.mine, self.other = f"mine-{name}", f"other-{name}"
        for container in (self.mine, self.other):
            azure.put(f"{account_id}/blobServices/default/containers/{container}", {"properties": {}}, "2024-01-01")
        scope = f"{account_id}/blobServices/default/containers"
        owner = azure.application(("Storage Blob Data Contributor", account_id))
        assert self.send("PUT", f"/{self.other}/secret", owner, b"SECRET").status_code == 201
        self.credential = azure.application(("Storage Blob Data Contributor", f"{scope}/{self.mine}"))

    def send(self, method: str, path: str, credential: object, body: bytes = b"", **headers: str) -> requests.Response:
        given = {"x-ms-version": VERSION, **headers}
        if method == "PUT" and not headers and "comp=block" not in path:
            given["x-ms-blob-type"] = "BlockBlob"
        given["Authorization"] = f"Bearer {credential.get_token(STORAGE).token}"  # type: ignore[attr-defined]
        request = requests.Request(method, f"{self.host}/", headers=given, data=body)
        prepared = self.azure.session.prepare_request(request)
        prepared.url = f"{self.host}{path}"  # as it is written, without what a client makes of it
        return self.azure.session.send(prepared, timeout=30)

    def copied(self, source: str) -> str:
        """Return what a copy from an address brings into the thief's own container."""
        self.send("PUT", f"/{self.mine}/stolen", self.credential, **{"x-ms-copy-source": source})
        return self.send("GET", f"/{self.mine}/stolen", self.credential).text


@pytest.fixture(scope="module")
def thief(amlite: LocalAzure, azureml_workspace: Workspace) -> Thief:
    return Thief(amlite, azureml_workspace)


@pytest.mark.parametrize(
    "source",
    [
        "https://{account}.blob.core.windows.net/{other}/secret",
        "http://{account}.blob.core.windows.net/{other}/secret",
        "https://{account}.blob.core.windows.net:443/{other}/secret",
        "https://{account}.blob.core.windows.net./{other}/secret",
        "https://a@{account}.blob.core.windows.net/{other}/secret",
        "https://127.0.0.1/{account}/{other}/secret",
        "https://{account}.blob.core.windows.net/{other}/secret?sig=x",
        "https://{account}.blob.core.windows.net/{other}/secret?skoid=a&sig=x",
        "https://{account}.blob.core.windows.net/{mine}/../{other}/secret",
        "https://{account}.blob.core.windows.net/{mine}/%2e%2e/{other}/secret",
        "https://{account}.blob.core.windows.net//{other}/secret",
        "/{account}/{other}/secret",
    ],
)
def test_no_form_of_a_copys_source_gives_what_the_roles_do_not(thief: Thief, source: str) -> None:
    address = source.format(account=thief.account, other=thief.other, mine=thief.mine)
    assert "SECRET" not in thief.copied(address)


@pytest.mark.parametrize(
    "path",
    ["/{other}/secret", "//{other}/secret", "/{mine}/../{other}/secret", "/{mine}/%2e%2e/{other}/secret",
     "/{mine}%2f..%2f{other}/secret", "/{mine}/..%5c{other}%5csecret"],
)  # fmt: skip
def test_no_form_of_a_path_reads_another_container(thief: Thief, path: str) -> None:
    answer = thief.send("GET", path.format(other=thief.other, mine=thief.mine), thief.credential)
    assert answer.status_code >= 400
    assert "SECRET" not in answer.text


def test_a_batch_holds_nothing_but_deletions_and_tiers(thief: Thief) -> None:
    part = (
        "--batch_1\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
        f"PUT /{thief.mine}/stolen HTTP/1.1\r\nx-ms-blob-type: BlockBlob\r\nContent-Length: 0\r\n"
        f"x-ms-copy-source: {thief.host}/{thief.other}/secret\r\n\r\n\r\n--batch_1--\r\n"
    )
    kind = "multipart/mixed; boundary=batch_1"
    answer = thief.send("POST", "/?comp=batch", thief.credential, part.encode(), **{"Content-Type": kind})
    assert "HTTP/1.1 400" in answer.text
    assert "SECRET" not in thief.send("GET", f"/{thief.mine}/stolen", thief.credential).text


@pytest.mark.parametrize("query", ["?comp=list&comp=metadata", "?restype=container&comp=list&c%6fmp=acl"])
def test_a_parameter_that_is_there_twice_is_refused(thief: Thief, query: str) -> None:
    answer = thief.send("PUT", f"/{thief.mine}{query}", thief.credential)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "InvalidQueryParameterValue")


def test_the_clock_stays_where_dates_exist(amlite: LocalAzure) -> None:
    before = amlite.now()
    for seconds in (float("inf"), float("nan"), 1e300, -1, True):
        with pytest.raises(OSError, match="400"):
            amlite.advance(seconds)
    assert (amlite.now() - before).total_seconds() < 600


def test_a_letter_that_looks_like_another_one_gives_no_rights(amlite: LocalAzure) -> None:
    """A pattern without case takes a long s for an s. The path would be of a route, and name nothing to check."""
    nobody = amlite.application()
    answer = amlite.arm("GET", f"{SUBSCRIPTION}/resourceGroups".replace("/s", "/\u017f", 1), credential=nobody)
    assert answer.status_code == 404


@pytest.mark.parametrize("grant", ["client_credentials", "password"])
def test_a_secret_of_any_letters_is_wrong(amlite: LocalAzure, grant: str) -> None:
    application, user = amlite.application(), amlite.user()
    form = {
        "grant_type": grant, "client_id": application._client_id, "client_secret": "\u00e9",
        "username": user.name, "password": "\u00e9", "scope": "https://management.azure.com/.default",
    }  # fmt: skip
    answer = amlite.session.post("https://login.microsoftonline.com/common/oauth2/v2.0/token", data=form)
    assert answer.status_code in (400, 401), answer.text


def test_a_signature_of_any_letters_is_wrong(thief: Thief) -> None:
    signed = "sv=1&sr=c&sp=r&st=1&se=9&skoid=1&sktid=1&skt=1&ske=9&sks=b&skv=1&sig=%C3%A9"
    assert thief.azure.session.get(f"{thief.host}/{thief.other}/secret?{signed}").status_code == 403


def test_a_small_request_makes_amlite_read_no_large_blob(thief: Thief, azureml_workspace: Workspace) -> None:
    """A block that is listed many times is a blob of many times its size, and a blob of pages needs no content."""
    azure, block = thief.azure, base64.b64encode(b"1").decode()
    folder = f"/{thief.mine}/model"
    thief.send("PUT", f"{folder}/MLmodel?comp=block&blockid={block}", thief.credential, b"x" * (4 << 20))
    listed = f"<BlockList>{f'<Latest>{block}</Latest>' * 5}</BlockList>".encode()
    assert thief.send("PUT", f"{folder}/MLmodel?comp=blocklist", thief.credential, listed).status_code == 201
    token = azure.credential.get_token("https://ml.azure.com/.default").token
    base = f"https://westeurope.api.azureml.ms/mlflow/v1.0{azureml_workspace.id}/api/2.0/mlflow"

    def ask(what: str, body: dict[str, str]) -> requests.Response:
        return azure.session.post(f"{base}/{what}/create", json=body, headers={"Authorization": f"Bearer {token}"})

    name = f"m{uuid.uuid4().hex[:8]}"
    ask("registered-models", {"name": name})
    answer = ask("model-versions", {"name": name, "source": f"{thief.host}{folder}"})
    assert answer.status_code == 400
    assert "larger than the 16 MB" in answer.text

    pages = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": str(1 << 42)}
    assert thief.send("PUT", f"{folder}/pages", thief.credential, **pages).status_code == 201
    environment = {"properties": {"build": {"contextUri": f"{thief.host}{folder}/"}}}
    path = f"{azureml_workspace.id}/environments/e{name}/versions/1"
    assert azure.arm("PUT", path, environment).status_code == 201
    command = {"jobType": "Command", "command": "true", "environmentId": path}
    job = f"{azureml_workspace.id}/jobs/{name}"
    assert azure.arm("PUT", job, {"properties": command}).status_code == 201
    events.until(lambda: azure.arm("GET", job).json()["properties"]["status"] == "Failed")
    shown = azure.resources(azureml_workspace.id)[job]
    assert "Nothing of it was downloaded." in json.dumps(shown), shown


def test_an_address_with_its_host_is_refused(thief: Thief) -> None:
    """It would become a part of the address of the process that answers."""
    host = thief.host.removeprefix("https://")
    proxy = urlsplit(thief.azure.session.proxies["https"])
    login = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    token = thief.credential.get_token(STORAGE).token
    with socket.create_connection((str(proxy.hostname), proxy.port or 0), timeout=30) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nProxy-Authorization: Basic {login}\r\n\r\n".encode())
        plain.recv(1000)
        trusted = ssl.create_default_context(cafile=str(thief.azure.session.verify))
        with trusted.wrap_socket(plain, server_hostname=host) as near:
            asked = f"GET {thief.host}/{thief.mine}/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
            near.sendall(asked.encode())
            assert near.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("kind", ["Command", "Pipeline", "a node"])
def test_an_input_of_a_job_names_no_other_job(azureml_workspace: Workspace, kind: str) -> None:
    """Only amlite notes the job that an input comes from. A client that wrote it would read that job's output."""
    uri = "azureml://datastores/workspaceblobstore/paths/x"
    taken = {"x": {"jobInputType": "uri_file", "uri": uri, "step": "somebodys"}}
    node = {"type": "command", "componentId": "azureml:missing:1", "inputs": taken if kind == "a node" else {}}
    properties = {
        "Command": {"jobType": "Command", "command": "true", "environmentId": "azureml:missing:1", "inputs": taken},
        "Pipeline": {"jobType": "Pipeline", "inputs": taken, "jobs": {"n": node}},
        "a node": {"jobType": "Pipeline", "jobs": {"n": node}},
    }[kind]
    path = f"{azureml_workspace.id}/jobs/taken-{uuid.uuid4().hex[:8]}"
    answer = azureml_workspace.azure.arm("PUT", path, {"properties": properties})
    assert answer.status_code in (400, 404), answer.text
    assert "somebodys" not in answer.text


PLACES = ["../../x", "evil.com/", "nowhere", "west\teurope", "x" * 300]


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_what_is_no_region_becomes_no_part_of_an_address(azureml_workspace: Workspace, place: str) -> None:
    azure, group = azureml_workspace.azure, azureml_workspace.layout.group_id
    name = uuid.uuid4().hex[:8]
    ml = f"{group}/providers/Microsoft.MachineLearningServices"
    own = {"location": "westeurope", "identity": {"type": "SystemAssigned"}}
    pools = [{"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_DS2_v2"}]
    cluster = {"dnsPrefix": "c", "oidcIssuerProfile": {"enabled": True}, "agentPoolProfiles": pools}
    asked = [
        (f"{SUBSCRIPTION}/resourceGroups/rg-{name}", {"location": place}),
        (f"{azureml_workspace.id}/onlineEndpoints/e{name}",
         {**own, "location": place, "properties": {"authMode": "Key"}}),
        (f"{group}/providers/Microsoft.ContainerService/managedClusters/c{name}",
         {**own, "location": place, "properties": cluster}),
        (f"{ml}/registries/r{name}",
         {**own, "properties": {"regionDetails": [{"location": "westeurope"}, {"location": place}]}}),
        (f"{azureml_workspace.id}/computes/c{name}",
         {"properties": {"computeType": "AmlCompute", "computeLocation": place,
                         "properties": {"vmSize": "Standard_DS2_v2", "scaleSettings": {"maxNodeCount": 1}}}}),
        (f"{azureml_workspace.id}/computes/d{name}",
         {"location": place, "properties": {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS2_v2"}}}),
    ]  # fmt: skip
    for path, body in asked:
        answer = azure.arm("PUT", path, body)
        assert (answer.status_code, answer.json()["error"]["code"].startswith("LocationNotAvailable")) == (400, True)
        assert azure.arm("GET", path).status_code == 404


@pytest.mark.parametrize("place", ["West Europe", "global", "NorthEurope"])
def test_a_region_in_any_form_and_global_are_places(azureml_workspace: Workspace, place: str) -> None:
    path = f"{azureml_workspace.layout.group_id}/providers/Microsoft.Insights/actionGroups/g{uuid.uuid4().hex[:8]}"
    azureml_workspace.azure.put(path, {"location": place, "properties": {"groupShortName": "ops"}}, "2023-01-01")


COMPUTES: Json = {
    "AmlCompute": {
        "vmSize": "Standard_DS3_v2",
        "userAccountCredentials": {"adminUserName": "a", "adminUserPassword": ""},
    },
    "Databricks": {"databricksAccessToken": "", "workspaceUrl": "https://a"},
    "VirtualMachine": {"sshPort": 22, "administratorAccount": {"username": "a", "password": "", "privateKeyData": ""}},
    "HDInsight": {"sshPort": 22, "administratorAccount": {"username": "a", "password": "", "privateKeyData": ""}},
    "AKS": {"sslConfiguration": {"status": "Enabled", "cert": "", "key": ""}},
    "Kubernetes": {"relayConnectionString": "", "serviceBusConnectionString": ""},
}


@pytest.mark.parametrize("kind", COMPUTES)
def test_who_reads_a_compute_gets_no_secret_of_it(azureml_workspace: Workspace, kind: str) -> None:
    """The published models call these fields secret: no response of Azure has them."""
    azure, path = azureml_workspace.azure, f"{azureml_workspace.id}/computes/keeps-secrets"
    cluster = f"{azureml_workspace.layout.group_id}/providers/Microsoft.Kubernetes/connectedClusters/c"
    given = json.loads(json.dumps(COMPUTES[kind]).replace('""', '"SECRET"'))
    properties = {"computeType": kind, "resourceId": cluster, "properties": given}
    made = azure.arm("PUT", path, {"location": "westeurope", "properties": properties})
    assert made.status_code == 201
    azure.finish(made)
    answers = [made, azure.arm("GET", path), azure.arm("GET", path.rpartition("/")[0])]
    azure.remove(path)
    assert all("SECRET" not in answer.text for answer in answers)
