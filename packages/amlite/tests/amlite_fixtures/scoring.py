"""Online endpoints with real model servers, shared by the tests of what is served."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
from azure.storage.blob import ContainerClient

from amlite_fixtures.azure import GROUP_ID

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment

    from amlite.testing import Workspace

CONDA: dict[str, Any] = {
    "channels": ["conda-forge"],
    "dependencies": ["python=3.11", "pip", {"pip": ["azureml-inference-server-http==1.5.1"]}],
}
SCORE = """
import json, os, time
from pathlib import Path
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    global factor
    print("scoring begins")
    factor = json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "weights" / "factor.json").read_text())

def run(raw_data):
    try:
        request = json.loads(raw_data)
    except ValueError as error:
        return AMLResponse({"error": f"not JSON: {error}"}, 400, json_str=True)
    if "sleep" in request:
        time.sleep(request["sleep"])
    if "burn" in request:
        end = time.process_time() + request["burn"]
        while time.process_time() < end:
            pass
    if "variable" in request:
        return os.environ.get(request["variable"])
    return request["value"] * factor
"""


@dataclass
class Scoring:
    """An endpoint, and plain HTTP requests to it."""

    ml: MLClient
    name: str

    @property
    def uri(self) -> str:
        return str(self.ml.online_endpoints.get(self.name).scoring_uri)

    @property
    def key(self) -> str:
        return str(self.ml.online_endpoints.get_keys(self.name).primary_key)

    def post(self, body: Any, deployment: str | None = None, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        if deployment:
            headers["azureml-model-deployment"] = deployment
        data = body if isinstance(body, str) else json.dumps(body)
        return requests.post(self.uri, data=data, headers=headers, timeout=60)

    def set_traffic(self, **shares: int) -> None:
        endpoint = self.ml.online_endpoints.get(self.name)
        endpoint.traffic = shares
        self.ml.online_endpoints.begin_create_or_update(endpoint).result()


class Collected:
    """The data that an endpoint's deployments collected, read as a consumer does."""

    def __init__(self, workspace: Workspace) -> None:
        found = workspace.azure.arm("GET", workspace.id).json()
        self.container = f"azureml-blobstore-{found['properties']['workspaceId']}"
        account = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{workspace.account}"
        reader = workspace.azure.application(("Storage Blob Data Reader", account))
        url = f"https://{workspace.account}.blob.core.windows.net"
        self.client = ContainerClient(url, self.container, credential=reader)

    def records(self, path: str, expected: int) -> dict[str, list[Any]]:
        """Return the records below a path by the names of their files, when there are as many as expected."""
        deadline = time.monotonic() + 30
        while True:
            names = [name for name in self.client.list_blob_names(name_starts_with=path) if name.endswith(".jsonl")]
            found = {name: self._lines(name) for name in names}
            if sum(map(len, found.values())) >= expected or time.monotonic() > deadline:
                assert sum(map(len, found.values())) == expected
                return found
            time.sleep(0.1)

    def _lines(self, name: str) -> list[Any]:
        return [json.loads(line) for line in self.client.download_blob(name).readall().splitlines()]


@pytest.fixture(scope="session")
def serving_environment(ml_client: MLClient) -> str:
    from azure.ai.ml.entities import Environment

    conda = {"name": "scoring", **CONDA}
    made = ml_client.environments.create_or_update(
        Environment(name="scoring", version="1", image="mcr.microsoft.com/azureml/base", conda_file=conda)
    )
    return f"azureml:{made.name}:{made.version}"


@pytest.fixture(scope="session")
def make_model(ml_client: MLClient, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """Return a function that registers a model, a folder `weights` that holds a factor."""

    def make(factor: int) -> str:
        from azure.ai.ml.entities import Model

        folder = tmp_path_factory.mktemp("model") / "weights"
        folder.mkdir()
        (folder / "factor.json").write_text(str(factor))
        made = ml_client.models.create_or_update(Model(name=f"times-{factor}", path=str(folder), type="custom_model"))
        return f"azureml:{made.name}:{made.version}"

    return make


@pytest.fixture(scope="session")
def make_deployment(
    serving_environment: str, make_model: Callable[[int], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., ManagedOnlineDeployment]:
    """Return a function that makes a deployment's entity."""

    def make(endpoint: str, name: str, factor: int = 2, score: str = SCORE, **settings: Any) -> ManagedOnlineDeployment:
        from azure.ai.ml.entities import CodeConfiguration, ManagedOnlineDeployment

        code = tmp_path_factory.mktemp("code")
        (code / "score.py").write_text(score)
        settings = {"instance_type": "Standard_DS3_v2", "instance_count": 1, **settings}
        return ManagedOnlineDeployment(
            name=name,
            endpoint_name=endpoint,
            model=make_model(factor),
            environment=serving_environment,
            code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
            **settings,
        )

    return make


def new_endpoint(ml: MLClient, auth_mode: str = "key", **settings: Any) -> Scoring:
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    name = f"ep-{uuid.uuid4().hex[:12]}"
    ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name=name, auth_mode=auth_mode, **settings)
    ).result()
    return Scoring(ml, name)


@pytest.fixture
def empty(ml_client: MLClient) -> Iterator[Scoring]:
    """Return an endpoint without deployments, for one test."""
    scoring = new_endpoint(ml_client)
    yield scoring
    ml_client.online_endpoints.begin_delete(scoring.name).result()


@pytest.fixture(scope="session")
def shared(ml_client: MLClient, make_deployment: Callable[..., ManagedOnlineDeployment]) -> Iterator[Scoring]:
    """Return an endpoint whose deployments blue (times 2) and green (times 3) stay for the session."""
    from azure.ai.ml.entities import OnlineRequestSettings

    scoring = new_endpoint(ml_client)
    settings = OnlineRequestSettings(request_timeout_ms=1500, max_concurrent_requests_per_instance=2)
    blue = make_deployment(
        scoring.name, "blue", 2, environment_variables={"GREETING": "hello"}, request_settings=settings
    )
    ml_client.online_deployments.begin_create_or_update(blue).result()
    ml_client.online_deployments.begin_create_or_update(make_deployment(scoring.name, "green", 3)).result()
    yield scoring
    ml_client.online_endpoints.begin_delete(scoring.name).result()


def servers_of(workspace: Workspace, deployment: str) -> list[psutil.Process]:
    """Return amlite's processes that serve a deployment, their number and names as the process table has them."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(workspace.azure.state) in line and f"-{deployment}-" in line and "--entry_script" in line:
            found.append(process)
    return found


_CONNECTED = "03"
"""The state of a socket with a client, in the kernel's table."""


def servers_busy(workspace: Workspace, deployment: str) -> bool:
    """Whether a request is in a deployment's server: a connection to it is open."""
    parts = {part for process in servers_of(workspace, deployment) for part in process.cmdline()}
    sockets = {part for part in parts if part.endswith("/http.sock")}
    lines = [line.split() for line in Path("/proc/net/unix").read_text("utf-8").splitlines()]
    return any(line[-1] in sockets and line[5] == _CONNECTED for line in lines)
