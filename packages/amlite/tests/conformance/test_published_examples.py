"""Microsoft's published request examples, as the samples of its JavaScript client carry them.

They are fetched from the npm registry into the cache, not kept here: every body must pass the published models, and
those of resources that need nothing else are sent to amlite.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from amlite.core.runtime import cache_folder
from amlite.services.machinelearning.published.validation import validate
from amlite.testing import Workspace
from amlite.tools import node
from amlite_fixtures.azure import Json

PACKAGE = "@azure/arm-machinelearning@2.1.1"
MODELS = {
    "batchDeployments": "BatchDeployment",
    "batchEndpoints": "BatchEndpoint",
    "codeContainers": "CodeContainer",
    "codeVersions": "CodeVersion",
    "componentContainers": "ComponentContainer",
    "componentVersions": "ComponentVersion",
    "computeOperations": "ComputeResource",
    "dataContainers": "DataContainer",
    "dataVersions": "DataVersionBase",
    "datastores": "Datastore",
    "environmentContainers": "EnvironmentContainer",
    "environmentVersions": "EnvironmentVersion",
    "jobs": "JobBase",
    "modelContainers": "ModelContainer",
    "modelVersions": "ModelVersion",
    "onlineDeployments": "OnlineDeployment",
    "onlineEndpoints": "OnlineEndpoint",
    "schedules": "Schedule",
}
# Group -> where such a body can be PUT as it stands; the others name things that do not exist here.
PLACES = {
    "codeContainers": "codes/{name}",
    "codeVersions": "codes/{name}/versions/1",
    "componentContainers": "components/{name}",
    "dataContainers": "data/{name}",
    "dataVersions": "data/{name}/versions/1",
    "datastores": "datastores/{name}",
    "environmentContainers": "environments/{name}",
    "modelContainers": "models/{name}",
    "modelVersions": "models/{name}/versions/1",
}
Example = tuple[str, Json]


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Return (group, body) of every PUT in Microsoft's samples."""
    program = asyncio.run(node.TOOL.ensure())
    folder = cache_folder() / "published-examples" / PACKAGE.rpartition("@")[2]
    if not folder.is_dir():
        _fetch(program, folder)
    script = Path(__file__).with_name("samples.js")
    done = subprocess.run([program, script, folder], capture_output=True, text=True, check=True)
    calls: list[tuple[str, str, list[Any]]] = [json.loads(line) for line in done.stdout.splitlines()]
    # The body is the first object among the arguments; options may follow it.
    return [(group, next(given for given in arguments if isinstance(given, dict))) for group, _, arguments in calls]


def _fetch(program: str, folder: Path) -> None:
    npm = node.npm(program)
    making = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    making.mkdir(parents=True)
    subprocess.run([*npm, "pack", "--silent", "--pack-destination", making, PACKAGE], check=True, capture_output=True)
    with tarfile.open(next(making.glob("*.tgz"))) as archive:
        archive.extractall(making, filter="data")
    (making / "package" / "dist-esm" / "samples-dev").rename(folder)
    shutil.rmtree(making)


def test_every_example_passes_the_published_models(examples: list[Example]) -> None:
    seen = set()
    for group, body in examples:
        if group in MODELS:
            validate(MODELS[group], body)
            seen.add(group)
    assert seen == set(MODELS)


def test_every_example_that_stands_alone_is_accepted(azureml_workspace: Workspace, examples: list[Example]) -> None:
    sent = set()
    for number, (group, body) in enumerate(examples):
        if group in PLACES:
            path = f"{azureml_workspace.id}/{PLACES[group].format(name=f'example{number}')}"
            answer = azureml_workspace.azure.arm("PUT", path, body)
            assert answer.status_code == 201, f"{group}: {answer.text}"
            sent.add(group)
    assert sent == set(PLACES)


def test_every_example_of_a_cluster_is_accepted(azureml_workspace: Workspace, examples: list[Example]) -> None:
    clusters = [
        body for group, body in examples
        if group == "computeOperations" and body["properties"]["computeType"] == "AmlCompute"
        and "vmSize" in body["properties"].get("properties", {})
        and "identity" not in body
    ]  # fmt: skip
    assert clusters
    for number, body in enumerate(clusters):
        answer = azureml_workspace.azure.arm("PUT", f"{azureml_workspace.id}/computes/example-{number}", body)
        assert answer.status_code == 201, answer.text


def test_workspace_examples_are_accepted_with_parts_that_exist(
    azureml_workspace: Workspace, examples: list[Example]
) -> None:
    envelope = ("identity", "kind", "location", "sku", "tags")
    own = azureml_workspace.azure.arm("GET", azureml_workspace.id).json()["properties"]
    parts = {name: own[name] for name in ("storageAccount", "keyVault", "applicationInsights")}
    bodies = [body for group, body in examples if group == "workspaces"]
    assert bodies
    for number, flat in enumerate(bodies):
        # The JavaScript client flattens this one body's properties.
        properties = {name: value for name, value in flat.items() if name not in envelope}
        absent = ("containerRegistry", "encryption", "sharedPrivateLinkResources", "primaryUserAssignedIdentity")
        kept = {name: value for name, value in properties.items() if name not in absent}
        body = {"location": flat["location"], "properties": {**kept, **parts}}
        path = azureml_workspace.id.rpartition("/")[0] + f"/example-{number}"
        validate("Workspace", {**body, "properties": properties, "identity": flat.get("identity")})
        answer = azureml_workspace.azure.arm("PUT", path, body)
        assert answer.status_code == 202, answer.text
        azureml_workspace.azure.finish(answer)
