"""What the platform's code keeps to: names that mean one thing, and the types that recorded states have."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import pkgutil
from collections import Counter

import pytest

from infra import components
from tests.unit.infra.deployed import deploy
from tests.unit.infra.stack_files import ROOT

# A token is in the state of every stack: another one would replace what it stands for.
COMPONENTS = {
    ("azureml-platform:infra:Access", "access"),
    ("azureml-platform:infra:Access", "workspace-access"),
    ("azureml-platform:infra:Alerts", "alerts"),
    ("azureml-platform:infra:Assets", "assets"),
    ("azureml-platform:infra:ComputeClusters", "compute"),
    ("azureml-platform:infra:ContainerImage", "image-training"),
    ("azureml-platform:infra:ContainerRegistry", "registry"),
    ("azureml-platform:infra:DriftEvents", "drift"),
    ("azureml-platform:infra:Identities", "identity"),
    ("azureml-platform:infra:KeyVault", "vault"),
    ("azureml-platform:infra:Monitoring", "monitoring"),
    ("azureml-platform:infra:ResourceGroup", "platform"),
    ("azureml-platform:infra:Retraining", "retraining"),
    ("azureml-platform:infra:Sharing", "sharing"),
    ("azureml-platform:infra:StorageAccount", "storage"),
    ("azureml-platform:infra:Workspace", "workspace"),
}
ASSETS = {"Component", "DataAsset", "Datastore", "Environment", "OnlineEndpoint", "PipelineJob", "Schedule"}


def test_no_class_name_is_there_twice() -> None:
    folders = [ROOT / "infra", ROOT / "release", ROOT / "packages" / "pulumi-azureml" / "src"]
    names = Counter(
        node.name
        for folder in folders
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert len(names) > 100
    assert [name for name, count in names.items() if count > 1] == []


def test_deployed_stacks_find_their_resources_by_the_same_types_and_names() -> None:
    settings = {
        "sharing": {"registry": "models", "create": True},
        "assets": {"run": ["training"]},
        "monitoring": {"emails": ["ml@contoso.com"], "retrain": {"schedule": "flight-delay-daily"}},
    }
    deployment = deploy("dev", {f"azureml-platform:{key}": json.dumps(value) for key, value in settings.items()})
    made = {(each.type, each.name) for each in deployment.resources if each.type.startswith("azureml-platform:")}
    assert made == COMPONENTS
    assets = {each.type for each in deployment.resources if each.type.startswith("pulumi-python:")}
    assert assets == {f"pulumi-python:dynamic/azureml:{name}" for name in ASSETS}


@pytest.mark.parametrize("module", [each.name for each in pkgutil.iter_modules(components.__path__)])
def test_arguments_of_components_are_named(module: str) -> None:
    found = vars(importlib.import_module(f"infra.components.{module}")).values()
    declared = [each for each in found if dataclasses.is_dataclass(each) and each.__module__.endswith(module)]
    assert declared
    assert [each for each in declared if not all(field.kw_only for field in dataclasses.fields(each))] == []
