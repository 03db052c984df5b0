"""The commands of the Azure CLI that amlite's page about it lists, run by the package azure-cli itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from amlite.testing import LocalAzure, Workspace
from tests import azure_cli
from tests.checkout import ROOT

PAGE = ROOT / "packages" / "amlite" / "docs" / "azure-cli.md"
_ROW = re.compile(r"^\| `(az [^`]+)` \|", re.MULTILINE)
# What a command prints, where its success alone says too little.
PRINTS = {
    "az account show": '"tenantId"',
    "az group exists": "true",
    "az resource list": "Microsoft.KeyVault/vaults",
    "az role assignment list": '"principalType": "ServicePrincipal"',
    "az acr login": '"refreshToken"',
    "az keyvault secret show": '"value": "s3cret"',
    "az storage blob list": '"name": "a.txt"',
    "az storage blob show": '"contentLength": 5',
    "az rest": '"type": "Microsoft.MachineLearningServices/workspaces"',
}
REFUSALS = {
    "az acr build": "This local Azure has no ACR Tasks",
    "az ad sp": "graph.microsoft.com is not served by this local Azure",
    "az keyvault key": "has secrets only",
    "az ml job": "'ml' is misspelled or not recognized",
}


def rows(heading: str) -> list[str]:
    """Return the commands of the table below a heading."""
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return _ROW.findall(section)


@pytest.fixture(scope="module")
def az() -> Path:
    """Return the folder of azure-cli's programs."""
    return azure_cli.installed()


@pytest.fixture(scope="module")
def shell(az: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the environment of commands against an amlite with a workspace."""
    folder = tmp_path_factory.mktemp("az")
    (folder / "files").mkdir()
    (folder / "files" / "a.txt").write_text("hello", "utf-8")
    (folder / "files" / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    with LocalAzure.started(folder / "state") as azure, azure.signed_in():
        workspace = Workspace.create(azure, "mlw-cli")
        token = azure.credential.get_token("https://management.azure.com/.default").token
        environment = azure.environment()
        yield {
            **environment,
            "PATH": f"{az}{os.pathsep}{environment['PATH']}",
            "AZURE_CONFIG_DIR": str(folder / "config"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "GROUP": workspace.resource_group,
            "SCOPE": workspace.id.partition("/providers/")[0],
            "WORKSPACE": workspace.id,
            "ACCOUNT": workspace.account,
            "REGISTRY": next(
                each["name"] for each in azure.resources(workspace.id.partition("/providers/")[0]).values()
                if each["type"] == "Microsoft.ContainerRegistry/registries"
            ),
            "VAULT": "kv-azure-cli",
            "WHO": str(jwt.decode(token, options={"verify_signature": False})["oid"]),
            "FILE": str(folder / "files" / "a.txt"),
            "FOLDER": str(folder / "files"),
        }  # fmt: skip


def run(command: str, shell: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the page, and print it with the end of what it says."""
    done = subprocess.run(["bash", "-c", command], check=False, env=shell, capture_output=True, text=True, timeout=300)
    said = " ".join((done.stdout or done.stderr).split())
    print(f"{command}\n    {done.returncode}: {said[:160]}")
    return done


def test_every_command_of_the_page_works(shell: dict[str, str]) -> None:
    for command in rows("Commands that work"):
        done = run(command, shell)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        wanted = next((text for start, text in PRINTS.items() if command.startswith(start)), "")
        assert wanted in done.stdout, f"{command}\n{done.stdout}"


TASK = """
import os
from azure.ai.ml import MLClient, command
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

client_id = os.environ["DEFAULT_IDENTITY_CLIENT_ID"]
for credential in (DefaultAzureCredential(), ManagedIdentityCredential(client_id=client_id)):
    ml = MLClient(credential, *(os.environ[f"AZUREML_ARM_{name}"] for name in ("SUBSCRIPTION", "RESOURCEGROUP",
                                                                              "WORKSPACE_NAME")))
    print("compute", ml.compute.get("cpu-cluster").name)
inner = ml.jobs.create_or_update(command(command="echo inner", environment="tasks:1", compute="cpu-cluster"))
ml.jobs.stream(inner.name)
assert ml.jobs.get(inner.name).status == "Completed"
print("inner job completed")
"""
CONDA = "name: tasks\ndependencies:\n- python=3.11\n- pip: [azure-ai-ml, azure-identity]\n"


def test_a_job_signs_in_as_its_identity_and_submits_another(shell: dict[str, str], az: Path, tmp_path: Path) -> None:
    from azure.ai.ml import MLClient, command
    from azure.identity import DefaultAzureCredential

    azure, scope = LocalAzure(Path(shell["AMLITE_STATE"])), shell["SCOPE"]
    made = f"{scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tasks"
    identity = azure.put(made, {"location": "westeurope"}, "2023-01-31")
    for role in ("Contributor", "Storage Blob Data Contributor"):
        azure.assign(role, scope, identity["properties"]["principalId"])
    scale = {"minNodeCount": 0, "maxNodeCount": 2}
    compute = {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2", "scaleSettings": scale}}
    assigned = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    body = {"location": "westeurope", "properties": compute, "identity": assigned}
    azure.put(f"{shell['WORKSPACE']}/computes/cpu-cluster", body)
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    azure.put(
        f"{shell['WORKSPACE']}/environments/tasks/versions/1", {"properties": {"image": image, "condaFile": CONDA}}
    )
    (tmp_path / "task.py").write_text(TASK, "utf-8")
    lines = [
        "set -e", "export AZURE_CONFIG_DIR=$PWD/.az",
        f"{az}/az login --identity --client-id $DEFAULT_IDENTITY_CLIENT_ID --query [].user.type",
        f"{az}/az resource list -g {shell['GROUP']} --query [].type",
        f"{az}/az storage container list --account-name {shell['ACCOUNT']} --auth-mode login --query [].name",
        f"{az}/az acr login -n {shell['REGISTRY']} --expose-token --query loginServer",
        "python task.py",
    ]  # fmt: skip
    client = MLClient(DefaultAzureCredential(), shell["ARM_SUBSCRIPTION_ID"], shell["GROUP"], "mlw-cli")
    job = command(command="; ".join(lines), code=str(tmp_path), environment="tasks:1", compute="cpu-cluster")
    name = client.jobs.create_or_update(job).name
    client.jobs.stream(name)
    client.jobs.download(name, download_path=str(tmp_path / "logs"), all=True)
    (log,) = (tmp_path / "logs").rglob("std_log.txt")
    said = log.read_text("utf-8")
    for wanted in ("servicePrincipal", "Microsoft.KeyVault/vaults", ".azurecr.io", "compute cpu-cluster"):
        assert wanted in said
    assert "inner job completed" in said


def test_what_does_not_work_is_refused_with_the_reason(shell: dict[str, str]) -> None:
    sign_in, *_ = rows("Commands that work")
    assert run(sign_in, shell).returncode == 0
    for command in rows("Commands that do not work"):
        done = run(command, shell)
        assert done.returncode != 0, command
        wanted = next(text for start, text in REFUSALS.items() if command.startswith(start))
        assert wanted in done.stderr, f"{command}\n{done.stderr}"
