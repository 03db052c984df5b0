"""A real amlite in a process of its own, and the unmodified Azure clients against it.

For the whole session, this process has the environment that `amlite run` gives a command: `MLClient` with
`DefaultAzureCredential` and plain `requests` reach amlite by Azure's own host names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.control.client import ask
from amlite.core import runtime
from amlite.core.access import ROLES
from amlite.core.faults import Kind
from amlite.core.store import Store
from azureml_fixtures.asset_project import Project
from azureml_fixtures.fault_matrix import Matrix
from pulumi_azureml.kinds import MANAGED
from pulumi_azureml.operations import connection
from tests.integration.scoring import empty, make_deployment, make_model, serving_environment, shared

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential

ROOT = Path(__file__).resolve().parents[2]
ARM = "https://management.azure.com"
GROUP = "conformance"
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP_ID = f"{SUBSCRIPTION}/resourceGroups/{GROUP}"
ML_VERSION = "2024-04-01"
REGISTRY = "shared-assets"
REGISTRY_ID = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/registries/{REGISTRY}"
Json = dict[str, Any]
__all__ = ["empty", "make_deployment", "make_model", "serving_environment", "shared"]  # fixtures


@dataclass
class LocalAzure:
    """A running amlite, and plain ARM requests to it by its deploying application."""

    state: Path
    credential: TokenCredential
    session: requests.Session = field(default_factory=requests.Session)

    def command(self, *arguments: str) -> str:
        """Run `amlite …` on this state folder and return its output."""
        environment = {**os.environ, runtime.VARIABLE: str(self.state)}
        done = subprocess.run(
            [sys.executable, "-m", "amlite.cli", *arguments],
            check=False,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def restart(self) -> None:
        """Stop amlite and start it again on the same state."""
        self.command("stop")
        self.command("start")

    def advance(self, seconds: float) -> None:
        """Move amlite's clock forward."""
        self._ask("POST", "/clock", {"seconds": seconds})

    def add_fault(self, match: str, kind: Kind, **more: Any) -> None:
        """Do what `amlite fault add` does; `more` are its other options."""
        self._ask("POST", "/faults", {"match": match, "kind": str(kind), **more})

    def clear_faults(self) -> None:
        """Do what `amlite fault clear` does, without the seconds that a command takes to start."""
        self._ask("DELETE", "/faults")

    def _ask(self, method: str, path: str, body: Json | None = None) -> None:
        running = runtime.read(self.state)
        assert running is not None
        ask(running, method, path, body)

    def arm(
        self, method: str, path: str, body: Json | None = None, version: str = ML_VERSION, query: str = "",
        credential: TokenCredential | None = None,
    ) -> requests.Response:  # fmt: skip
        """Send one request to management.azure.com."""
        token = (credential or self.credential).get_token(f"{ARM}/.default").token
        return self.session.request(
            method, f"{ARM}{path}?api-version={version}{query}", json=body, headers={"Authorization": f"Bearer {token}"}
        )

    def put(self, path: str, body: Json, version: str = ML_VERSION) -> Json:
        """PUT a resource, wait until it is there, and return it; any failure fails the test."""
        answer = self.arm("PUT", path, body, version)
        assert answer.status_code in (200, 201, 202), answer.text
        self._succeed(answer)
        return dict(self.arm("GET", path, version=version).json())

    def remove(self, path: str, version: str = ML_VERSION) -> None:
        """DELETE a resource and wait until it is gone."""
        answer = self.arm("DELETE", path, version=version)
        assert answer.status_code in (200, 202, 204), answer.text
        self._succeed(answer)

    def finish(self, answer: requests.Response) -> Json:
        """Poll a long-running operation to its end and return its record ({} when there is none)."""
        address = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        while address is not None:
            token = self.credential.get_token(f"{ARM}/.default").token
            polled = self.session.get(address, headers={"Authorization": f"Bearer {token}"})
            record: Json = polled.json() if polled.content else {}
            if polled.status_code != 202 and record.get("status", "Succeeded") not in ("InProgress", "Creating"):
                assert polled.status_code < 300, polled.text
                return record
            time.sleep(int(polled.headers.get("retry-after-ms", "100")) / 1000)
        return {}

    def _succeed(self, answer: requests.Response) -> None:
        record = self.finish(answer)
        assert record.get("status") not in ("Failed", "Canceled"), record

    def application(self, *roles: tuple[str, str]) -> TokenCredential:
        """Return the credential of a new application with built-in roles, each (name, scope)."""
        from azure.identity import ClientSecretCredential

        client_id, object_id, secret = str(uuid.uuid4()), str(uuid.uuid4()), uuid.uuid4().hex
        store = Store(self.state / "amlite.db")
        body = {"clientId": client_id, "objectId": object_id, "secret": secret}
        store.put(f"entra/applications/{client_id}", "entra/applications", body)
        store.close()
        for role, scope in roles:
            self.assign(role, scope, object_id)
        return ClientSecretCredential(TENANT_ID, client_id, secret)

    def assign(self, role: str, scope: str, object_id: str) -> None:
        """Assign a built-in role (by its name) to a principal."""
        definition = next(found.id for found in ROLES.values() if found.name == role)
        properties = {
            "principalId": object_id,
            "principalType": "ServicePrincipal",
            "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        }
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        assert self.arm("PUT", path, {"properties": properties}, "2022-04-01").status_code == 201

    def requests(self, text: str = "") -> list[Json]:
        """Return amlite's record of the requests whose line holds `text`."""
        lines = (self.state / "logs" / "requests.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if text in line]


@dataclass(frozen=True)
class Workspace:
    """A workspace with everything it hangs on; `identity` says whether its datastores sign in by identity."""

    azure: LocalAzure
    name: str
    account: str
    id: str
    identity: bool

    def client(self, credential: TokenCredential | None = None) -> MLClient:
        """Return the real azure-ai-ml client, as a user would make it."""
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        return MLClient(
            credential or DefaultAzureCredential(), SUBSCRIPTION_ID, GROUP, self.name, show_progress=False,
            enable_telemetry=False,
        )  # fmt: skip


@pytest.fixture(scope="session")
def local_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """Start amlite for the session, and give this process the environment that `amlite run` gives."""
    state = tmp_path_factory.mktemp("amlite")
    environment = {**os.environ, runtime.VARIABLE: str(state)}
    subprocess.run([sys.executable, "-m", "amlite.cli", "start"], cwd=ROOT, env=environment, check=True)
    running = runtime.read(state)
    assert running is not None
    from azure.identity import DefaultAzureCredential

    bundle = running.environment["SSL_CERT_FILE"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            # Each new connection reads the authorities it trusts: of the machine's hundreds none is needed here.
            patch.setenv(name, str(running.authority) if value == bundle else value)
        connection.sign_in_again()  # another test's cloud is not this one
        azure = LocalAzure(state, DefaultAzureCredential())
        azure.put(GROUP_ID, {"location": "westeurope"}, "2021-04-01")
        try:
            yield azure
        finally:
            connection.sign_in_again()
            azure.session.close()
            azure.command("stop")


@pytest.fixture(scope="session")
def make_workspace(local_azure: LocalAzure) -> Callable[..., Workspace]:
    """Return a function that makes a workspace by plain ARM requests, with a storage account and vault of its own."""

    def make(name: str, *, identity: bool = False, region: str = "westeurope") -> Workspace:
        account = f"st{uuid.uuid4().hex[:16]}"
        providers = f"{GROUP_ID}/providers"
        ids = {
            "storageAccount": f"{providers}/Microsoft.Storage/storageAccounts/{account}",
            "keyVault": f"{providers}/Microsoft.KeyVault/vaults/kv-{uuid.uuid4().hex[:12]}",
            "applicationInsights": f"{providers}/Microsoft.Insights/components/ai-{name}",
        }
        local_azure.put(
            ids["storageAccount"],
            {
                "location": region,
                "kind": "StorageV2",
                "sku": {"name": "Standard_LRS"},
                "properties": {"allowSharedKeyAccess": not identity},
            },
            "2024-01-01",
        )
        vault = {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
        local_azure.put(ids["keyVault"], {"location": region, "properties": vault}, "2023-07-01")
        insights = {"location": region, "kind": "web", "properties": {"Application_Type": "web"}}
        local_azure.put(ids["applicationInsights"], insights, "2020-02-02")
        workspace_id = f"{providers}/Microsoft.MachineLearningServices/workspaces/{name}"
        properties: Json = {**ids, **({"systemDatastoresAuthMode": "identity"} if identity else {})}
        body = {"location": region, "identity": {"type": "SystemAssigned"}, "properties": properties}
        local_azure.put(workspace_id, body)
        return Workspace(local_azure, name, account, workspace_id, identity)

    return make


@pytest.fixture(scope="session")
def workspace(make_workspace: Callable[..., Workspace]) -> Workspace:
    """Return a workspace whose datastores sign in by account key, shared by the session."""
    return make_workspace("shared")


@pytest.fixture(scope="session")
def identity_workspace(make_workspace: Callable[..., Workspace]) -> Workspace:
    """Return a workspace whose datastores sign in by identity, on an account that refuses keys."""
    return make_workspace("identity", identity=True)


@pytest.fixture(scope="session")
def ml_client(workspace: Workspace) -> MLClient:
    """Return the real client of the shared workspace."""
    return workspace.client()


def registry_client(name: str = REGISTRY, credential: TokenCredential | None = None) -> MLClient:
    """Return the real client of a registry, as a user would make it."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    return MLClient(
        credential or DefaultAzureCredential(), registry_name=name, show_progress=False, enable_telemetry=False
    )


@pytest.fixture(scope="session")
def registry(ml_client: MLClient) -> MLClient:
    """Return the client of a registry that the session shares, made by the real client."""
    from azure.ai.ml.entities import Registry, RegistryRegionDetails

    regions = [RegistryRegionDetails(location="westeurope")]
    ml_client.registries.begin_create(
        Registry(name=REGISTRY, location="westeurope", tags={"team": "platform"}, replication_locations=regions)
    ).result()
    return registry_client()


@pytest.fixture(scope="session")
def cluster(workspace: Workspace) -> None:
    """Give the shared workspace the cluster `cpu`."""
    path = f"{workspace.id}/computes/cpu"
    scale = {"minNodeCount": 0, "maxNodeCount": 1}
    properties = {"vmSize": "Standard_DS3_v2", "scaleSettings": scale}
    body = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": properties}}
    workspace.azure.put(path, body)


@pytest.fixture
def add_fault(local_azure: LocalAzure) -> Iterator[Callable[..., None]]:
    """Return `LocalAzure.add_fault`; no fault outlives its test."""
    yield local_azure.add_fault
    local_azure.clear_faults()


@pytest.fixture(scope="module")
def matrix(workspace: Workspace, cluster: None) -> Matrix:
    """Return what does faults to the kinds of resources, in the shared workspace."""
    return Matrix(workspace.azure.state, workspace.client(), workspace.id)


@pytest.fixture
def project(
    tmp_path: Path, workspace: Workspace, ml_client: MLClient, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Return a small project of assets in a folder of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path, ml_client, uuid.uuid4().hex[:8])
    made.add_datastore()
    made.add_batch()
    yield made
    paths = {"schedule": "schedules/daily", "endpoint": "onlineEndpoints/ep", "batch_endpoint": "batchEndpoints/batch"}
    for kind, path in paths.items():
        # Asked for first: planning the project again for what most tests never made takes longer.
        if workspace.azure.arm("GET", f"{workspace.id}/{path}-{made.tag}").status_code == 200:
            MANAGED[kind].remove(ml_client, made.props(kind))
