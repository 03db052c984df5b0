"""A small project with one asset of each kind, for tests of the provider."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pulumi_azureml.operations.connection import Registry, connect
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import Asset, CatalogueSettings, load_catalogue
from pulumi_azureml.resources.kinds import RESOURCES
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Props = dict[str, Any]
OWNER, STRANGER = "azureml-platform/test", "azureml-platform/other"


def workspace_of(ml: MLClient, owner: str, *, adopt: bool = False) -> WorkspaceArgs:
    """Return the workspace that a client is of, as resources take it."""
    return WorkspaceArgs(
        subscription_id=ml.subscription_id,
        resource_group=ml.resource_group_name,
        name=str(ml.workspace_name),
        owner=owner,
        adopt=adopt,
    )


class Project:
    """A project with one asset of each kind in a folder that is the working directory, and its planned inputs."""

    def __init__(self, root: Path, ml: MLClient, tag: str) -> None:
        self.root = root
        self.ml = ml
        self.tag = tag
        self.endpoint_name: Callable[[str], str] = str  # the rule for names in Azure
        self.registry: str | None = None  # what is below `ml/shared/` is in it
        self.write("Pulumi.yaml", "name: azureml-platform\nruntime: python\n")
        self.write(".gitignore", "*.tmp\n__pycache__/\n")
        self.write("ml/environment/environment.yml", {"name": f"env-{tag}", "image": "python:3.11"})
        component: Props = {"name": f"step_{tag}", "type": "command", "command": "python main.py", "code": "./src"}
        self.write("ml/step/component.yml", {**component, "environment": f"azureml:env-{tag}@latest"})
        self.write("ml/step/src/main.py", f"print('{tag}')\n")
        self.write("ml/data/data.yml", {"name": f"data-{tag}", "type": "uri_folder", "path": "./files"})
        self.write("ml/data/files/rows.csv", f"a,b\n1,{tag}\n")
        self.write("ml/model/model.yml", {"name": f"model-{tag}", "type": "custom_model", "path": "./weights"})
        self.write("ml/model/weights/weights.json", f'"{tag}"')
        step = {"component": f"azureml:step_{tag}@latest", "compute": "azureml:cpu"}
        self.write("pipelines/steps.yml", {"type": "pipeline", "jobs": {"step": step}})
        trigger: Props = {"type": "cron", "expression": "0 5 * * *", "time_zone": "UTC"}
        self.write(
            "pipelines/schedules/daily.yml",
            {"name": f"daily-{tag}", "trigger": trigger, "create_job": "../steps.yml"},
        )
        self.write("ml/deploy/endpoint.yml", {"name": f"ep-{tag}", "auth_mode": "key"})

    def add_datastore(self) -> None:
        """Add a datastore, which what the engine's tests list does not have."""
        store: Props = {"name": f"store_{self.tag}", "type": "azure_data_lake_gen2", "account_name": "stlake"}
        self.write("ml/store/datastore.yml", {**store, "filesystem": "lake"})

    def add_batch(self) -> None:
        """Add a batch endpoint and its deployment of the model."""
        name = f"batch-{self.tag}"
        self.write("ml/batch/endpoint.yml", {"name": name, "auth_mode": "aad_token"})
        deployment: Props = {"name": "scores", "endpoint_name": name, "type": "model", "compute": "azureml:cpu"}
        deployment |= {"model": f"azureml:model-{self.tag}@latest", "environment": f"azureml:env-{self.tag}@latest"}
        deployment |= {"code_configuration": {"code": "./src", "scoring_script": "score.py"}}
        self.write("ml/batch/scores-deployment.yml", {**deployment, "settings": {"mini_batch_size": 5}})
        self.write("ml/batch/src/score.py", "def init(): ...\n\n\ndef run(batch):\n    return batch\n")

    def add_template(self, registry: str) -> None:
        """Add a deployment template of a registry, which has the environment."""
        self.registry = registry
        environment = f"azureml://registries/{registry}/environments/env-{self.tag}/versions/1"
        template: Props = {"name": f"template-{self.tag}", "environment": environment}
        template |= {"deployment_template_type": "Managed", "instance_count": 1, "scoring_path": "/score"}
        template |= {"default_instance_type": "Standard_DS3_v2", "scoring_port": 5001}
        probe = {"period": 10, "timeout": 2, "failure_threshold": 30, "success_threshold": 1, "path": "/", "port": 5001}
        template |= {"readiness_probe": probe, "request_settings": {"request_timeout_ms": 90000}}
        self.write("ml/shared/template/deployment-template.yml", template)

    def write(self, path: str, content: str | Props) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")

    def edit(self, path: str, **changes: Any) -> None:
        self.write(path, {**yaml.safe_load((self.root / path).read_text("utf-8")), **changes})

    def change(self, kind: str) -> None:
        """Give an asset other content: another file, or another value where it has none. `take_back` undoes it."""
        files = {
            "batch_deployment": "ml/batch/src/score.py",
            "component": "ml/step/src/main.py",
            "data": "ml/data/files/rows.csv",
            "model": "ml/model/weights/weights.json",
        }
        path = self.root / files.get(kind, self.asset(kind).path)
        self._before = path, path.read_text("utf-8")
        if kind in files:
            path.write_text(path.read_text("utf-8") + "\n", "utf-8")
        elif kind == "schedule":
            self.edit(self.asset(kind).path, trigger={"type": "cron", "expression": "0 6 * * *"})
        elif kind == "environment":
            self.edit(self.asset(kind).path, image="python:3.12")
        elif kind == "deployment_template":
            self.edit(self.asset(kind).path, scoring_path="/predict")
        elif kind == "datastore":
            self.edit(self.asset(kind).path, filesystem="other")
        else:
            self.edit(self.asset(kind).path, properties={"changed": "yes"})

    def take_back(self) -> None:
        """Undo the last `change`."""
        path, text = self._before
        path.write_text(text, "utf-8")

    def edit_metadata(self, kind: str, **changes: Any) -> None:
        self.edit(self.asset(kind).path, **changes)

    def asset(self, kind: str) -> Asset:
        settings = CatalogueSettings(
            frozenset({"cpu"}),
            cache_folder=None,
            check_with_azure=False,
            endpoint_name=self.endpoint_name,
            registry=self.registry,
        )
        (asset,) = load_catalogue(self.root, settings).of(kind)
        return asset

    def props(self, kind: str, owner: str = OWNER, *, adopt: bool = False) -> Props:
        """The inputs that the program gives the resource, as the engine hands them over."""
        asset = self.asset(kind)
        if asset.registry is not None:
            return Planned.of(asset, RegistryArgs(name=asset.registry, owner=owner, adopt=adopt)).props()
        props = Planned.of(asset, workspace_of(self.ml, owner, adopt=adopt)).props()
        if kind == "online_endpoint":
            props |= {"rollout": {"steps": [100], "bake_seconds": 0}, "traffic": {}}
        if kind == "batch_deployment":
            props |= {"is_default": True}
        if kind == "pipeline_job":
            props |= {"timeout_minutes": 5}
        return props

    def needs(self, kind: str) -> None:
        """Make what an asset of the kind refers to."""
        if kind == "pipeline_job":  # which really runs, in an image that is there
            self.write("ml/environment/conda.yml", {"name": "plain", "dependencies": ["python=3.11"]})
            image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
            self.edit("ml/environment/environment.yml", image=image, conda_file="./conda.yml")
        if kind == "deployment_template":
            from azure.ai.ml.entities import Environment

            environment = Environment(name=f"env-{self.tag}", version="1", image="python:3.11")
            connect(Registry(str(self.registry))).environments.create_or_update(environment)
        for each in self.asset(kind).depends_on:
            self.needs(each.kind)
            if each.kind in RESOURCES and RESOURCES[each.kind].is_needed:
                OPERATIONS[each.kind].upsert(self.ml, self.props(each.kind))
