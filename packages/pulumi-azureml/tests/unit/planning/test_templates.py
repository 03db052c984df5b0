"""Deployment templates of a registry, and the models and deployments that name them."""

from __future__ import annotations

from typing import Any

import pytest

from azureml_fixtures.planned_project import Project

REGISTRY = "shared"
TEMPLATE = "ml/shared/flights/deployment-template.yml"
MODEL = "ml/shared/flights/model.yml"
DEPLOYMENT = "ml/deploy/blue-deployment.yml"
PLACE = f"azureml://registries/{REGISTRY}"
KEY = "azureml.deploymentTemplateOverride"


@pytest.fixture
def templated(project: Project) -> Project:
    """Return the project with a model, its template and the environment in a registry. A deployment needs no more."""
    project.write("ml/shared/server/environment.yml", "name: server\nimage: docker.io/tensorflow/serving:2.19.0\n")
    project.write(
        TEMPLATE,
        """
        $schema: https://azuremlschemas.azureedge.net/latest/deploymentTemplate.schema.json
        name: serve
        description: Serves on small machines.
        deployment_template_type: Managed
        environment: azureml:server@latest
        environment_variables: {MODEL_NAME: delay}
        model_mount_path: /models
        instance_count: 1
        default_instance_type: Standard_F2s_v2
        allowed_instance_types: [Standard_F2s_v2, Standard_DS3_v2]
        scoring_path: /v1/models/delay:predict
        scoring_port: 8501
        request_settings: {request_timeout_ms: 50000, max_concurrent_requests_per_instance: 2}
        readiness_probe: {path: /v1/models/delay, port: 8501, scheme: HTTP, method: GET, period: 5}
        """,
    )
    project.write(
        MODEL,
        """
        name: delay
        path: weights.bin
        default_deployment_template: {asset_id: azureml:serve@latest}
        allowed_deployment_templates:
          - asset_id: ./deployment-template.yml
        """,
    )
    project.write("ml/shared/flights/weights.bin", "weights")
    project.write(
        DEPLOYMENT,
        """
        name: blue
        endpoint_name: flights
        model: azureml:delay@latest
        instance_type: Standard_DS3_v2
        instance_count: 1
        """,
    )
    return project


def problem(project: Project) -> str:
    found = project.problem(registry=REGISTRY)
    return f"{found.file}:{found.line}: {found.message}; {found.fix}"


def test_references_are_exact_and_a_changed_template_is_another_deployment(templated: Project) -> None:
    plan = templated.load(registry=REGISTRY, check_with_azure=True)
    template, model = plan["deployment_template", "serve"], plan["model", "delay"]
    assert template.reference == f"{PLACE}/deploymenttemplates/serve/versions/{template.version}"
    assert template.definition["environment"] == plan["environment", "server"].reference
    assert model.metadata == {
        "default_deployment_template": {"asset_id": template.reference},
        "allowed_deployment_templates": [{"asset_id": f"{PLACE}/deploymenttemplates/serve/labels/latest"}],
    }
    deployment = plan["online_deployment", "flights/blue"]
    assert deployment.definition["properties"] == {KEY: template.reference}
    templated.replace(TEMPLATE, "8501\n", "8502\n")
    after = templated.load(registry=REGISTRY)
    assert after["deployment_template", "serve"].version != template.version
    assert after["model", "delay"].version == model.version
    assert after["online_deployment", "flights/blue"].version != deployment.version
    templated.replace(TEMPLATE, "Serves on small machines.", "Serves.")
    described = templated.load(registry=REGISTRY)["deployment_template", "serve"]
    assert described.version == after["deployment_template", "serve"].version


def test_a_deployment_may_name_another_template(templated: Project) -> None:
    other = f"{PLACE}/deploymenttemplates/other/versions/3"
    templated.edit(DEPLOYMENT, properties={KEY: other, "mine": "1"})
    plan = templated.load(registry=REGISTRY)
    deployment = plan["online_deployment", "flights/blue"]
    assert deployment.definition["properties"] == {KEY: other, "mine": "1"}
    assert [(each.kind, each.text) for each in deployment.outside] == [("deployment_template", other)]
    templated.edit(DEPLOYMENT, properties={KEY: "azureml:serve@latest"})
    plan = templated.load(registry=REGISTRY)
    serve = plan["deployment_template", "serve"]
    assert plan["online_deployment", "flights/blue"].definition["properties"] == {KEY: serve.reference}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"deployment_template_type": "Kubernetes"}, "cannot be 'Kubernetes'; write `Managed`"),
        ({"deployment_template_type": None}, "'deployment_template_type' is missing or empty"),
        ({"default_instance_type": "small"}, "'small' is not an instance type"),
        ({"allowed_instance_types": ["Standard_DS3_v2", "big"]}, "'big' is not an instance type"),
        ({"instance_count": 0}, "instance_count is 0; use 1 or more"),
        ({"scoring_port": 70000}, "scoring_port is 70000; use 1 to 65535"),
        ({"request_settings": {"request_timeout_ms": 1500}}, "use a multiple of 1000"),
        ({"readiness_probe": {"port": 0}}, "'readiness_probe.port' cannot be 0"),
        ({"environment": "azureml:other:1"}, "no file of a shared asset defines environment 'other'"),
        ({"environment": f"{PLACE}/environments/server/labels/latest"}, "is not the version of an asset in a registry"),
        ({"environment": "azureml:training"}, "is shared, and environment training, which it uses, is not"),
        ({"scoring_route": "/"}, "unknown key 'scoring_route'"),
    ],
)
def test_a_preview_names_the_file_and_the_field_of_a_template(
    templated: Project, changes: dict[str, Any], said: str
) -> None:
    templated.edit(TEMPLATE, **changes)
    found = problem(templated)
    assert found.startswith(f"{TEMPLATE}:")
    assert said in found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"environment": "azureml:serving"}, "'environment' is what deployment template serve says"),
        ({"request_settings": {"request_timeout_ms": 1000}}, "'request_settings' is what deployment template serve"),
        ({"instance_type": "Standard_DS4_v2"}, "does not allow 'Standard_DS4_v2'; use one of"),
        ({"properties": {KEY: "azureml:absent:1"}}, "no file of a shared asset defines deployment template 'absent'"),
    ],
)
def test_a_preview_names_what_a_template_does_not_let_a_deployment_have(
    templated: Project, changes: dict[str, Any], said: str
) -> None:
    templated.edit(DEPLOYMENT, **changes)
    found = problem(templated)
    assert found.startswith(f"{DEPLOYMENT}:")
    assert said in found


@pytest.mark.parametrize(
    ("asset_id", "said"),
    [
        ("azureml:server", "unknown deployment template 'server'"),
        (f"{PLACE}/deploymenttemplates/serve/labels/latest", "is not the version of an asset in a registry"),
        ("../server/environment.yml", "is an environment, not a deployment template"),
    ],
)
def test_a_preview_names_a_template_that_a_model_cannot_have(templated: Project, asset_id: str, said: str) -> None:
    templated.edit(MODEL, default_deployment_template={"asset_id": asset_id}, allowed_deployment_templates=[])
    found = problem(templated)
    assert found.startswith(f"{MODEL}:")
    assert said in found


def test_a_model_of_the_workspace_has_no_templates(templated: Project) -> None:
    (templated.root / MODEL).rename(templated.root / "ml/model.yml")
    (templated.root / "ml/shared/flights/weights.bin").rename(templated.root / "ml/weights.bin")
    assert "ml/model.yml" in problem(templated)
    assert "only a model in a registry has deployment templates" in problem(templated)


def test_a_template_is_in_a_registry_or_left_to_az_ml(templated: Project) -> None:
    text = (templated.root / TEMPLATE).read_text("utf-8").replace("name: serve", "name: elsewhere")
    templated.write("ml/serving/deployment-template.yml", text)
    assert "deployment templates are in registries only; move it below `ml/shared/`" in problem(templated)
    (templated.root / "ml/serving/deployment-template.yml").unlink()
    templated.write("ml/serving/small.yml", text.partition("\n")[2])
    (left,) = templated.load(registry=REGISTRY).left
    assert (left.path, left.what) == ("ml/serving/small.yml", "a deployment template")
    assert left.why == "it belongs to a registry, whose assets are in `ml/shared/`"
