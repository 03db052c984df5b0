"""Deployment templates by the real client: made in a registry, kept from changing, and deployed by models."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from amlite.testing import LocalAzure, Workspace
from amlite.tools import docker_engine
from amlite_fixtures.azure import REGISTRY, REGISTRY_ID, registry_client
from amlite_fixtures.scoring import Scoring

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import DeploymentTemplate, ManagedOnlineDeployment

PLACE = f"azureml://registries/{REGISTRY}"
BASE = f"https://westeurope.api.azureml.ms/genericasset/v2.0{REGISTRY_ID}"
OVERRIDE = "azureml.deploymentTemplateOverride"
SERVER = """
import json, os, pathlib
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthy" else 404)
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        place = pathlib.Path(os.environ["AZUREML_MODEL_DIR"])
        factor = json.loads((place / "weights" / "factor.json").read_text())
        answer = {"path": self.path, "answer": body["value"] * factor, "greeting": os.environ["GREETING"]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**answer, "mount": str(place).startswith("/models")}).encode())

HTTPServer(("127.0.0.1", 8501), Handler).serve_forever()
"""
DOCKERFILE = 'FROM python:3.11-slim\nCOPY server.py /server.py\nUSER 1000\nCMD ["python3", "/server.py"]\n'


@pytest.fixture(scope="module")
def environment(registry: MLClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an environment of the registry whose container is a model server."""
    from azure.ai.ml.entities import BuildContext, Environment

    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    (context / "server.py").write_text(SERVER, "utf-8")
    registry.environments.create_or_update(Environment(name="server", version="1", build=BuildContext(path=context)))
    return f"{PLACE}/environments/server/versions/1"


@pytest.fixture
def make(registry: MLClient, environment: str) -> Callable[..., DeploymentTemplate]:
    """Return a function that creates a template, by default of the container above."""

    def create(name: str, version: str = "1", **settings: Any) -> DeploymentTemplate:
        whole = {"environment": environment, **settings}
        made: DeploymentTemplate = registry.deployment_templates.create_or_update(
            template(name, version=version, **whole)
        )
        return made

    return create


@pytest.fixture
def name() -> str:
    return f"template-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def factor(registry: MLClient, tmp_path: Path, name: str) -> Callable[..., str]:
    """Return a function that registers a model, a factor of 7, and returns its reference."""

    def made(version: str = "1", **templates: Any) -> str:
        from azure.ai.ml.entities import Model

        weights = tmp_path / "weights"
        weights.mkdir(exist_ok=True)
        (weights / "factor.json").write_text("7", "utf-8")
        registry.models.create_or_update(
            Model(name=f"of-{name}", version=version, path=str(weights), type="custom_model", **templates)
        )
        return f"{PLACE}/models/of-{name}/versions/{version}"

    return made


def template(name: str, environment: str, version: str = "1", **settings: Any) -> DeploymentTemplate:
    from azure.ai.ml.entities import DeploymentTemplate
    from azure.ai.ml.entities._deployment.deployment_template_settings import OnlineRequestSettings, ProbeSettings

    probe: dict[str, Any] = {"path": "/healthy", "port": 8501, "scheme": "HTTP", "method": "GET"}
    timing: dict[str, Any] = {
        "initial_delay": 1,
        "period": 1,
        "timeout": 2,
        "failure_threshold": 60,
        "success_threshold": 1,
    }
    given: dict[str, Any] = {
        "environment": environment,
        "deployment_template_type": "Managed",
        "environment_variables": {"GREETING": "hello"},
        "model_mount_path": "/models",
        "instance_count": 1,
        "default_instance_type": "Standard_F2s_v2",
        "allowed_instance_types": ["Standard_F2s_v2", "Standard_DS3_v2"],
        "scoring_path": "/predict",
        "scoring_port": 8501,
        "request_settings": OnlineRequestSettings(request_timeout_ms=30000, max_concurrent_requests_per_instance=2),
        "liveness_probe": ProbeSettings(**probe, **timing),
        "readiness_probe": ProbeSettings(**probe, **timing),
    }
    return DeploymentTemplate(name=name, version=version, **{**given, **settings})


def reference(name: str, version: str = "1") -> dict[str, str]:
    return {"asset_id": f"{PLACE}/deploymenttemplates/{name}/versions/{version}"}


def deployment(endpoint: str, model: str, name: str = "blue", **settings: Any) -> ManagedOnlineDeployment:
    from azure.ai.ml.entities import ManagedOnlineDeployment

    given: dict[str, Any] = {"instance_type": "Standard_DS3_v2", "instance_count": 1, **settings}
    return ManagedOnlineDeployment(name=name, endpoint_name=endpoint, model=model, **given)


def test_a_template_is_made_read_listed_and_archived(
    registry: MLClient, make: Callable[..., DeploymentTemplate], environment: str, name: str
) -> None:
    from azure.ai.ml.entities import AcceleratorMap

    templates = registry.deployment_templates
    accelerators = [
        AcceleratorMap(accelerator_type="A100_80GB", number_of_accelerators_per_model_instance=1, default=True)
    ]
    made = make(name, display_name="Half", tags={"team": "models", "old": "yes"}, accelerator_maps=accelerators)
    assert made.id == f"{PLACE}/deploymenttemplates/{name}/versions/1"
    found = templates.get(name, "1")
    assert (found.environment, found.scoring_path, found.scoring_port) == (environment, "/predict", 8501)
    assert (found.default_instance_type, found.instance_count) == ("Standard_F2s_v2", 1)
    assert found.allowed_instance_types == ["Standard_F2s_v2", "Standard_DS3_v2"]
    assert found.environment_variables == {"GREETING": "hello"}
    assert (found.model_mount_path, found.display_name, found.deployment_template_type) == (
        "/models",
        "Half",
        "Managed",
    )
    assert found.request_settings.request_timeout_ms == 30000
    assert (found.readiness_probe.path, found.readiness_probe.period, found.readiness_probe.scheme) == (
        "/healthy", 1, "HTTP",
    )  # fmt: skip
    assert found.accelerator_maps == accelerators
    assert found.creation_context.created_by
    make(name, "2", tags={"team": "others"})
    assert templates.get(name, label="latest").version == "2"
    assert [each.version for each in templates.list(name=name)] == ["1", "2"]
    assert [each.version for each in templates.list(name=name, count=1)] == ["1"]
    assert [each.version for each in templates.list(name=name, tags="old,team=models")] == ["1"]
    assert templates.archive(name, "2").stage == "Archived"
    assert templates.get(name).version == "1"
    assert [each.version for each in templates.list(name=name, list_view_type="ArchivedOnly")] == ["2"]
    assert [each.version for each in templates.list(name=name, list_view_type="All", stage="Archived")] == ["2"]
    assert templates.restore(name, "2").stage == "Development"
    assert templates.get(name).version == "2"


def test_only_tags_and_description_of_a_template_change(
    registry: MLClient, make: Callable[..., DeploymentTemplate], name: str
) -> None:
    make(name)
    changed = make(name, tags={"a": "1"}, description="new")
    assert (changed.tags, changed.description) == ({"a": "1"}, "new")
    with pytest.raises(HttpResponseError, match="differs in scoringPath") as refused:
        make(name, scoring_path="/other")
    assert refused.value.status_code == 409
    assert registry.deployment_templates.get(name, "1").scoring_path == "/predict"


def test_a_deleted_template_is_never_given_out_again(
    registry: MLClient, make: Callable[..., DeploymentTemplate], name: str
) -> None:
    make(name)
    registry.deployment_templates.delete(name, "1")
    with pytest.raises(ResourceNotFoundError, match="Deployment template"):
        registry.deployment_templates.get(name, "1")
    with pytest.raises(HttpResponseError, match="was deleted"):
        make(name)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"environment": "azureml:server:1"}, "is not a version of an environment in a registry"),
        ({"environment": f"{PLACE}/environments/server/versions/9"}, "'server:9' was not found in registry"),
        ({"deployment_template_type": "Kubernetes"}, "is not one of Managed"),
        ({"deployment_template_type": None}, "deploymentTemplateType field is required"),
        ({"instance_count": 0}, "instanceCount: must be at least 1"),
        ({"default_instance_type": None}, "defaultInstanceType field is required"),
        ({"scoring_port": 70000}, "scoringPort: 70000 is not a port"),
        ({"scoring_path": None}, "scoringPath field is required"),
        ({"code_configuration": {"code": "x"}}, "has no field codeConfiguration"),
    ],
)
def test_what_no_model_could_be_deployed_with_is_refused(
    make: Callable[..., DeploymentTemplate], name: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(HttpResponseError, match=said) as refused:
        make(name, **settings)
    assert refused.value.status_code == 400


def test_roles_on_the_registry_decide_about_templates(
    make: Callable[..., DeploymentTemplate], amlite: LocalAzure, environment: str, name: str
) -> None:
    make(name)
    reader = registry_client(credential=amlite.application(("Reader", REGISTRY_ID)))
    assert reader.deployment_templates.get(name, "1").scoring_port == 8501
    for change in (reader.deployment_templates.archive, reader.deployment_templates.delete):
        with pytest.raises(HttpResponseError, match="registries/assets/") as refused:
            change(name, "1")
        assert refused.value.status_code == 403
    user = registry_client(credential=amlite.application(("AzureML Registry User", REGISTRY_ID)))
    assert user.deployment_templates.create_or_update(template(name, environment, "2")).version == "2"


def test_the_requests_of_microsofts_articles(
    registry: MLClient, amlite: LocalAzure, environment: str, name: str
) -> None:
    """The path without the type of the asset, and the flag `isArchived`."""
    token = amlite.credential.get_token("https://management.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    body: dict[str, Any] = {
        "name": name,
        "version": "1",
        "type": "deploymenttemplates",
        "deploymentTemplateType": "Managed",
        "environmentId": environment,
        "instanceCount": 1,
        "defaultInstanceType": "Standard_DS3_v2",
        "scoringPath": "/score",
        "scoringPort": 5001,
        "livenessProbe": {"initialDelay": "PT300S"},
    }
    post = f"{BASE}/{name}/versions/1"
    assert (
        amlite.session.post(post, json=body, headers=headers).json()["result"]["assetId"].endswith(f"{name}/versions/1")
    )
    assert amlite.session.post(post, json={**body, "type": "models"}, headers=headers).status_code == 400
    stored = amlite.session.get(f"{BASE}/deploymenttemplates/{name}/versions/1", headers=headers).json()
    assert amlite.session.post(post, json={**stored, "isArchived": True}, headers=headers).status_code == 200
    assert list(registry.deployment_templates.list(name=name)) == []
    assert registry.deployment_templates.restore(name, "1").liveness_probe.initial_delay == 300


def test_a_model_of_a_registry_names_templates_that_exist(
    registry: MLClient,
    ml_client: MLClient,
    make: Callable[..., DeploymentTemplate],
    factor: Callable[..., str],
    name: str,
    tmp_path: Path,
) -> None:
    from azure.ai.ml.entities import Model

    with pytest.raises(HttpResponseError, match=r"defaultDeploymentTemplate\.assetId: Deployment template"):
        factor(default_deployment_template=reference(name))
    make(name)
    make(name, "2")
    latest = {"asset_id": f"{PLACE}/deploymenttemplates/{name}/labels/latest"}
    with pytest.raises(HttpResponseError, match="must name a version"):
        factor(default_deployment_template=latest)
    factor(default_deployment_template=reference(name), allowed_deployment_templates=[latest, reference(name)])
    model = registry.models.get(f"of-{name}", "1")
    assert model.default_deployment_template.asset_id == reference(name)["asset_id"]
    assert [each.asset_id for each in model.allowed_deployment_templates] == [
        *latest.values(),
        *reference(name).values(),
    ]
    model.default_deployment_template.asset_id = reference(name, "2")["asset_id"]
    changed = registry.models.create_or_update(model)
    assert changed.default_deployment_template.asset_id == reference(name, "2")["asset_id"]
    default: Any = reference(name)
    own = Model(name=name, version="1", path=str(tmp_path / "weights"), default_deployment_template=default)
    with pytest.raises(HttpResponseError, match="only a model of a registry"):
        ml_client.models.create_or_update(own)


def test_a_deployment_is_refused_what_its_template_forbids(
    empty: Scoring, make: Callable[..., DeploymentTemplate], factor: Callable[..., str], environment: str, name: str
) -> None:
    from azure.ai.ml.entities import OnlineRequestSettings

    make(name)
    make(name, "2", environment_variables={}, readiness_probe=None)
    model = factor(default_deployment_template=reference(name))
    elsewhere = reference("absent")["asset_id"]
    for settings, said in (
        ({"instance_type": "Standard_DS4_v2"}, "isn't allowed for this deployment template"),
        ({"environment": environment}, "properties.environmentId: the model is deployed by"),
        ({"request_settings": OnlineRequestSettings(request_timeout_ms=1000)}, "properties.requestSettings: the model"),
        ({"environment_variables": {"GREETING": "bye"}}, "environmentVariables.GREETING: the deployment template"),
        ({"properties": {OVERRIDE: elsewhere}}, "'absent:1' was not found"),
        ({"properties": {OVERRIDE: "azureml:mine:1"}}, "is not of the form azureml://registries"),
    ):
        with pytest.raises(HttpResponseError, match=said) as refused:
            empty.ml.online_deployments.begin_create_or_update(deployment(empty.name, model, **settings)).result()
        assert refused.value.status_code == 400


def test_what_this_local_azure_cannot_serve_by_a_template_is_refused(
    registry: MLClient, empty: Scoring, make: Callable[..., DeploymentTemplate], factor: Callable[..., str], name: str
) -> None:
    from azure.ai.ml.entities import Environment
    from azure.ai.ml.entities._deployment.deployment_template_settings import ProbeSettings

    plain: dict[str, Any] = {"name": "plain", "dependencies": ["python=3.11"]}
    conda = registry.environments.create_or_update(Environment(name=name, version="1", image="x/y", conda_file=plain))
    for version, settings, said in (
        ("1", {"environment": conda.id}, "has a conda file"),
        ("2", {"liveness_probe": ProbeSettings(port=9000, path="/")}, "at one port"),
        ("3", {"readiness_probe": ProbeSettings(scheme="HTTPS")}, "by HTTP GET only"),
    ):
        make(name, version, **settings)
        model = factor(version, default_deployment_template=reference(name, version))
        with pytest.raises(HttpResponseError, match=said):
            empty.ml.online_deployments.begin_create_or_update(deployment(empty.name, model)).result()


def test_a_deployment_serves_as_its_template_says(
    empty: Scoring,
    make: Callable[..., DeploymentTemplate],
    factor: Callable[..., str],
    azureml_workspace: Workspace,
    name: str,
) -> None:
    if docker_engine.TOOL.find() is None:
        pytest.skip("no Docker engine here")
    make(name)
    make(name, "2", environment_variables={"GREETING": "moin"}, scoring_path="/other")
    model = factor(default_deployment_template=reference(name))
    deployments = empty.ml.online_deployments
    with pytest.raises(HttpResponseError, match="AzureML Registry User"):
        deployments.begin_create_or_update(deployment(empty.name, model)).result()
    identity = empty.ml.online_endpoints.get(empty.name).identity.principal_id
    azureml_workspace.azure.assign("AzureML Registry User", REGISTRY_ID, identity)
    deployments.begin_create_or_update(deployment(empty.name, model)).result()
    served = json.loads(empty.post({"value": 6}, "blue").text)
    assert served == {"path": "/predict", "answer": 42, "greeting": "hello", "mount": True}
    # Azure shows the deployment as it was written.
    shown = deployments.get("blue", empty.name)
    assert (shown.environment, shown.model_mount_path, shown.liveness_probe) == (None, None, None)
    override = {OVERRIDE: reference(name, "2")["asset_id"]}
    other = deployment(empty.name, model, "green", instance_type="Standard_F2s_v2", properties=override)
    deployments.begin_create_or_update(other).result()
    assert json.loads(empty.post({"value": 6}, "green").text) == {**served, "path": "/other", "greeting": "moin"}
    # A deployment can be read, scaled and written again.
    shown.instance_count = 2
    assert deployments.begin_create_or_update(shown).result().instance_count == 2
    assert json.loads(empty.post({"value": 1}, "blue").text)["answer"] == 7
