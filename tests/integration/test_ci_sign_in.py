"""A `pulumi up` in a CI job that takes hours by Azure's clock, with ID tokens that live five minutes.

azure-native is amlite's stand-in here. It takes its token from where the real plugin does: from GitHub, or from a file
that it reads each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
SUBJECTS = {"github": "repo:contoso/flights:environment:dev", "azureDevOps": "sc://contoso/flights/azure-dev"}
ISSUERS = {
    "github": "https://token.actions.githubusercontent.com",
    "azureDevOps": "https://vstoken.dev.azure.com/10ca1000-0000-4000-a000-616d6c697465",
}
PROGRAM = """
import os
import subprocess
import time
from pathlib import Path

import pulumi
from pulumi_azure_native import managedidentity

import pulumi_azureml as azureml

group, workspace = os.environ["TEST_GROUP"], os.environ["TEST_WORKSPACE"]


def wait_for_hours(value):
    if pulumi.runtime.is_dry_run():
        return value
    path = os.environ.get("ARM_OIDC_TOKEN_FILE_PATH")
    subprocess.run(["amlite", "advance", "10800"], check=True, stdout=subprocess.DEVNULL)
    before = path and Path(path).read_text()
    while path and Path(path).read_text() == before:
        time.sleep(0.05)
    return value


first = managedidentity.UserAssignedIdentity("first", resource_group_name=group, resource_name_="id-first")
asset = azureml.Environment(
    "asset",
    workspace=azureml.WorkspaceArgs(
        subscription_id=os.environ["TEST_SUBSCRIPTION"], resource_group=group,
        name=first.name.apply(wait_for_hours).apply(lambda _: workspace), owner="test/ci",
    ),
    name="ci", image="docker.io/library/python:3.11",
)
later = asset.version.apply(wait_for_hours).apply(lambda _: group)
managedidentity.UserAssignedIdentity("second", resource_group_name=later, resource_name_="id-second")
"""

# amlite gives the engine the address of a provider. An engine that starts one reads its port.
PLUGIN = """#!{python}
import asyncio
import tempfile
import threading
from pathlib import Path

from amlite.pulumi.azure_native import main

socket = Path(tempfile.mkdtemp(prefix="s", dir="{folder}")) / "s"


async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def connect(reader, writer):
    there = await asyncio.open_unix_connection(socket)
    await asyncio.gather(copy(reader, there[1]), copy(there[0], writer), return_exceptions=True)


async def serve():
    while not socket.exists():
        await asyncio.sleep(0.01)
    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
main(["--socket", str(socket)])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A program with both providers, whose plugin of azure-native the engine starts itself."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "backend").mkdir()
    (project / "__main__.py").write_text(PROGRAM)
    options = {"toolchain": "pip", "virtualenv": str(ROOT / ".venv")}
    (project / "Pulumi.yaml").write_text(json.dumps({"name": "ci", "runtime": {"name": "python", "options": options}}))
    plugin = tmp_path / "bin" / "pulumi-resource-azure-native"
    plugin.parent.mkdir()
    plugin.write_text(PLUGIN.format(python=sys.executable, folder=tmp_path))
    plugin.chmod(0o755)
    return project


@pytest.mark.parametrize("kind", ["github", "azureDevOps"])
def test_an_update_takes_hours_with_id_tokens_that_live_five_minutes(
    kind: str, amlite: LocalAzure, project: Path
) -> None:
    workspace = Workspace.create(amlite, f"mlw-ci-{kind.lower()}", resource_group=f"rg-ci-{kind}")
    group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{workspace.resource_group}"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ci"
    made = amlite.put(identity, {"location": "westeurope"}, "2023-01-31")["properties"]
    properties = {"issuer": ISSUERS[kind], "subject": SUBJECTS[kind], "audiences": ["api://AzureADTokenExchange"]}
    amlite.put(f"{identity}/federatedIdentityCredentials/{kind}", {"properties": properties}, "2023-01-31")
    amlite.assign("Contributor", group, made["principalId"])
    job = amlite.ci_job(kind, SUBJECTS[kind], seconds=300)
    taken = ("AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS", "PULUMI_DEBUG_PROVIDERS")
    environment = {name: value for name, value in amlite.environment().items() if name not in taken} | {
        **job,
        "ARM_CLIENT_ID": made["clientId"],
        "ARM_LOCATION": "westeurope",
        "NO_COLOR": "1",
        "PATH": f"{project.parent / 'bin'}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": (project.parent / "backend").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "TEST_GROUP": workspace.resource_group,
        "TEST_SUBSCRIPTION": SUBSCRIPTION_ID,
        "TEST_WORKSPACE": workspace.name,
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("pulumi", "stack", "init", "ci")
    with amlite.brief_tokens():
        said = run(
            "release", "ci-login", "--every", "0.5", "--",
            "pulumi", "up", "--yes", "--skip-preview", "--stack", "ci", "--non-interactive",
        )  # fmt: skip
        state = run("pulumi", "stack", "export", "--stack", "ci")
    assert "4 created" in said
    for name in ("id-first", "id-second"):
        assert amlite.arm("GET", f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
                          version="2023-01-31").status_code == 200  # fmt: skip
    # JSON Web Tokens begin like this: neither ID tokens nor access tokens leave the processes.
    assert "eyJ" not in said + state
    assert not [token for token in job.values() if token in said + state and len(token) == 32]
