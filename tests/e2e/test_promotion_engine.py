"""A model of one workspace serves in another one by configuration alone: shared, promoted, rolled out and scored."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from amlite.testing import LocalAzure, Workspace
from azureml_fixtures.engine import GROUP, STACK, EngineProject, Make, serve
from infra.outputs import StackOutputs
from pulumi_azureml.operations import ScoringTarget, score
from release import cli, stack
from release import project as project_paths
from release.promotion import command

REGISTRY = "engine-models"
SCORE = """
import json, os
from pathlib import Path

def init():
    global factor
    factor = json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "weights" / "factor.json").read_text())

def run(raw_data):
    return [json.loads(raw_data)["value"] * factor, os.environ.get("LEVEL")]
"""


def trained(azure: LocalAzure, folder: Path) -> StackOutputs:
    """Make the workspace of the stack `dev` with a model that it serves, and a registry. Return its outputs."""
    from azure.ai.ml.entities import Model, Registry, RegistryRegionDetails

    workspace = Workspace.create(azure, "engine-dev", resource_group=GROUP)
    ml = workspace.client()
    (folder / "weights").mkdir()
    (folder / "weights" / "factor.json").write_text("2")
    ml.models.create_or_update(Model(name="delays", version="3", path=str(folder / "weights"), type="custom_model"))
    regions = [RegistryRegionDetails(location="westeurope")]
    ml.registries.begin_create(Registry(name=REGISTRY, location="westeurope", replication_locations=regions)).result()
    return StackOutputs.model_construct(
        subscription_id=workspace.subscription_id, resource_group=GROUP, workspace=workspace.name,
        workspace_id=workspace.id, registry=None, endpoints={}, models={},
    )  # fmt: skip


def endpoint_identity(azure: LocalAzure) -> str:
    """Make the identity of the endpoints of the stack `test`, which may read its workspace's blobs."""
    group = f"/subscriptions/{Workspace.create(azure, 'engine', resource_group=GROUP).subscription_id}"
    path = f"{group}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/serving"
    made = azure.put(path, {"location": "westeurope"}, "2023-01-31")
    object_id = str(made["properties"]["principalId"])
    azure.assign("Storage Blob Data Reader", f"{group}/resourceGroups/{GROUP}", object_id)
    registry = f"{group}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices/registries/{REGISTRY}"
    azure.assign("AzureML Registry User", registry, object_id)
    return path


def read_models_from_the_configuration(project: EngineProject, identity: str) -> None:
    """Let the program take the endpoints' models from the stack file, as the platform does, and override a value."""
    program = (project.root / "__main__.py").read_text("utf-8")
    program = re.sub(
        "^chosen = .*$", 'chosen = pulumi.Config().get_object("models") or {}', program, flags=re.MULTILINE
    )
    values = 'azureml.DeploymentOverrides(environment_variables={"LEVEL": "debug"})'
    endpoint = f'azureml.EndpointOverrides(deployments={{"blue": {values}}})'
    program = program.replace(
        "models=models,", f'models=models, overrides=azureml.Overrides(endpoints={{"ep-{project.tag}": {endpoint}}}),'
    )
    program = program.replace("workspace=workspace)", f'workspace=workspace, endpoint_identity="{identity}")')
    project.write("__main__.py", program)


def promote(*options: str, expect: int = 0) -> str:
    done = CliRunner().invoke(cli.main, ["promote", "--from", "dev", "--to", STACK, *options])
    assert done.exit_code == expect, done.output
    return done.output


def test_a_model_goes_from_one_environment_to_the_next(
    make: Make, signed_in: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make()
    endpoint = f"ep-{project.tag}"
    dev = trained(signed_in, tmp_path)
    dev.models[endpoint] = SimpleNamespace(name="delays", version="3", registry=None)  # type: ignore[assignment]
    dev.endpoints[endpoint] = SimpleNamespace()  # type: ignore[assignment]
    serve(project)
    project.edit("ml/deploy/blue-deployment.yml", model="azureml:delays@latest")
    project.write("ml/deploy/score/score.py", SCORE)
    read_models_from_the_configuration(project, endpoint_identity(signed_in))
    for name in ("PATH", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, project.environment[name])
    monkeypatch.setattr(project_paths, "ROOT", project.root)

    def opened(name: str, **options: bool) -> Any:
        return SimpleNamespace(deployed=lambda: dev) if name == "dev" else stack.PulumiStack(name, **options)

    monkeypatch.setattr(command, "PulumiStack", opened)
    assert "stack 'test' uses no registry" in promote(expect=1)
    project.pulumi("config", "set", "--path", "azureml-platform:sharing.registry", REGISTRY, "--stack", STACK)
    assert f"fix: release share --stack dev model delays 3 --registry {REGISTRY}" in promote(expect=1)
    assert f"Roll it out with: pulumi up --stack {STACK}" in promote("--share")
    assert f"Pulumi.{STACK}.yaml already has delays version 3 of registry {REGISTRY}" in promote()
    file = yaml.safe_load((project.root / f"Pulumi.{STACK}.yaml").read_text("utf-8"))
    model = {"name": "delays", "version": 3, "registry": REGISTRY}
    assert file["config"]["azureml-platform:models"] == {endpoint: model}

    project.pulumi("config", "set", "--path", f"azureml-platform:models.{endpoint}.version", "4", "--stack", STACK)
    refused = project.preview(expect=1)
    assert f"ml/deploy/blue-deployment.yml: registry '{REGISTRY}' has no model 'delays' version 4" in refused
    promote()
    shown = project.preview(0, "--diff")
    assert 'set_by: "overrides.endpoints' in shown
    project.up()
    assert score(ScoringTarget.of(project.ml, endpoint), {"value": 21}) == [42, "debug"]
    assert "delays" not in [each.name for each in project.ml.models.list()]
