"""The Pulumi CLI in a CI job: it opens its state in blob storage by the job's ID token, without a secret."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace

BIN = Path(__file__).resolve().parents[2] / ".venv" / "bin"
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-ci-state"
ISSUER = "https://token.actions.githubusercontent.com"


@pytest.fixture
def state(amlite: LocalAzure) -> str:
    """A storage account with the container `pulumi`. Return its resource id."""
    Workspace.create(amlite, "mlw-ci-state", resource_group="rg-ci-state")
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stcistate"
    amlite.put(
        account,
        {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}},
        "2023-05-01",
    )
    keys = amlite.arm("POST", f"{account}/listKeys", version="2023-05-01").json()["keys"]
    with BlobServiceClient("https://stcistate.blob.core.windows.net", credential=keys[0]["value"]) as service:
        service.create_container("pulumi")
    return account


def identity(amlite: LocalAzure, environment: str, role: str, scope: str) -> dict[str, str]:
    """Make an identity that trusts a deployment environment and has a role. Return the variables of a job in it."""
    subject = f"repo:contoso/flights:environment:{environment}"
    path = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{environment}"
    made = amlite.put(path, {"location": "westeurope"}, "2023-01-31")["properties"]
    trust = {"issuer": ISSUER, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    amlite.put(f"{path}/federatedIdentityCredentials/github", {"properties": trust}, "2023-01-31")
    amlite.assign(role, scope, made["principalId"])
    return {**amlite.ci_job("github", subject), "ARM_CLIENT_ID": made["clientId"]}


def test_the_state_is_in_blob_storage_and_a_reader_can_preview(amlite: LocalAzure, state: str, tmp_path: Path) -> None:
    options = {"toolchain": "pip", "virtualenv": str(BIN.parent)}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({"name": "ci", "runtime": {"name": "python", "options": options}}))
    (tmp_path / "__main__.py").write_text("import pulumi\n\npulumi.export('answer', 42)\n")
    deployer = identity(amlite, "dev", "Storage Blob Data Contributor", state)
    reader = identity(amlite, "dev-preview", "Storage Blob Data Reader", state)

    def pulumi(job: dict[str, str], *arguments: str, expect: int = 0) -> str:
        environment = {
            **{name: value for name, value in amlite.environment().items() if name != "ARM_CLIENT_SECRET"},
            **job,
            "HOME": str(tmp_path),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": "azblob://pulumi?storage_account=stcistate",
            "PULUMI_CONFIG_PASSPHRASE": "test",
        }
        command = ["release", "ci-login", "--", "pulumi", "--non-interactive", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    pulumi(deployer, "stack", "init", "dev")
    assert "answer: 42" in pulumi(reader, "preview", "-s", "dev")
    pulumi(reader, "up", "--yes", "--skip-preview", "-s", "dev", expect=1)
    assert "answer" not in pulumi(deployer, "stack", "output", "-s", "dev")
    assert "answer: 42" in pulumi(deployer, "up", "--yes", "--skip-preview", "-s", "dev")
