"""A small Pulumi project of Azure ML's assets alone, driven by the real engine against a local Azure of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import add_cluster
from azureml_fixtures.asset_project import Project

ROOT = Path(__file__).resolve().parents[4]
GROUP = "conformance"  # in recorded states, too
STACK = "test"
WORKSPACE = "engine"
# A command that hangs must not hang its caller.
_LONGEST_SECONDS = 300.0
_PROGRAM = f"""
import json
from pathlib import Path

import pulumi

import pulumi_azureml as azureml

root = Path(__file__).parent
chosen = json.loads((root / "models.json").read_text())
models = {{name: azureml.ModelChoice(**model) for name, model in chosen.items()}}
settings = azureml.CatalogueSettings(frozenset({{"cpu"}}), models=models, cache_folder=None, check_with_azure=False)
keys = azureml.ConfigKeys(
    adopt="azureml-platform:assets.adopt",
    operation_minutes="azureml-platform:assets.operationMinutes",
    timeout_minutes="azureml-platform:assets.runTimeoutMinutes",
)
workspace = azureml.WorkspaceArgs(
    subscription_id="{SUBSCRIPTION_ID}", resource_group="{GROUP}", name="{WORKSPACE}", owner="azureml-platform/{STACK}",
    config_keys=keys,
)
args = azureml.AssetsArgs(plan=azureml.load_catalogue(root, settings), workspace=workspace)
assets = azureml.Assets("assets", args, type_name="azureml-platform:infra:Assets")
online = assets.resources.get("online_endpoint", {{}})
pulumi.export("endpoints", {{name: made.live for name, made in online.items()}})
"""


class EngineProject(Project):
    """The project as a Pulumi program. `environment` is what `amlite run` gives a command."""

    def __init__(self, root: Path, ml: Any, tag: str, environment: dict[str, str]) -> None:
        super().__init__(root, ml, tag)
        options = {"toolchain": "pip", "virtualenv": str(ROOT / ".venv")}
        self.write("Pulumi.yaml", {"name": "azureml-platform", "runtime": {"name": "python", "options": options}})
        self.write("__main__.py", _PROGRAM)
        self.write("models.json", "{}")
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**environment, "PATH": path, "NO_COLOR": "1", "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def pulumi(self, *arguments: str, expect: int = 0, **environment: str) -> str:
        """Run one command of the CLI and return what it printed, errors included."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"], cwd=self.root, env={**self.environment, **environment},
            capture_output=True, text=True, check=False, timeout=_LONGEST_SECONDS,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, expect: int = 0, **environment: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", STACK, expect=expect, **environment)

    def preview(self, expect: int = 0, *options: str, **environment: str) -> str:
        return self.pulumi("preview", "--stack", STACK, *options, expect=expect, **environment)

    def destroy(self) -> None:
        self.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)

    def state(self) -> dict[str, Any]:
        """Return the stack's exported state."""
        path = self.root / "exported.json"
        self.pulumi("stack", "export", "--stack", STACK, "--file", str(path))
        exported: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return exported

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the assets' entries in the state by the resources' names."""
        entries = self.state()["deployment"].get("resources", [])
        return {each["urn"].rpartition("::")[2]: each for each in entries if "dynamic" in each["type"]}


Make = Callable[..., EngineProject]
"""The fixture `make`: it makes a project, with a tag of its own unless one is given."""


def operations(preview: str) -> dict[str, str]:
    """Return what a preview in JSON plans: resource → operation, without what stays the same."""
    steps = json.loads(preview[preview.index("{") :])["steps"]
    planned = {step["urn"].rpartition("::")[2]: step["op"] for step in steps}
    return {name: operation for name, operation in planned.items() if operation != "same"}


def make_workspace(azure: LocalAzure) -> str:
    """Make the workspace `engine` with the cluster `cpu`; return its ARM id."""
    workspace = Workspace.create(azure, WORKSPACE, resource_group=GROUP)
    add_cluster(workspace)
    return workspace.id


def poison(folder: Path) -> str:
    """Return a PYTHONPATH under which no process can import azure.ai.ml."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('azure.ai'):\n"
        "            raise ImportError('azure.ai.ml is not to be imported here')\n"
        "sys.meta_path.insert(0, Refuse())\n"
    )
    return str(folder)


def hold(folder: Path, gate: Path) -> str:
    """Return a PYTHONPATH under which the provider makes no endpoint before the file `gate` exists."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import time, pathlib\n"
        "from pulumi_azureml.operations.kinds.online_endpoint import OnlineEndpointOperations\n"
        "make = OnlineEndpointOperations.upsert\n"
        "def later(self, ml, props):\n"
        f"    while not pathlib.Path({str(gate)!r}).exists():\n"
        "        time.sleep(0.05)\n"
        "    return make(self, ml, props)\n"
        "OnlineEndpointOperations.upsert = later\n"
    )
    return str(folder)


def strand(folder: Path, reached: Path) -> str:
    """Return a PYTHONPATH under which a rollout makes the file `reached` at its smoke test, and never goes on."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import pathlib, threading\n"
        "from pulumi_azureml.operations.rollout import Rollout\n"
        "def stop(self, name):\n"
        f"    pathlib.Path({str(reached)!r}).touch()\n"
        "    threading.Event().wait()\n"
        "Rollout._smoke_test = stop\n"
    )
    return str(folder)


def endpoints(project: Project, count: int) -> None:
    """Add endpoints without deployments."""
    for number in range(count):
        definition = {"name": f"slow-{number}-{project.tag}", "auth_mode": "key"}
        project.write(f"ml/deploy/slow{number}/endpoint.yml", yaml.safe_dump(definition))


SCORE = """
import json

def init():
    {init}

def run(raw_data):
    {run}
    return json.loads(raw_data)["value"] * {factor}
"""


def serve(project: EngineProject, factor: int = 2, init: str = "pass", run: str = "pass") -> None:
    """Add a deployment with a scoring script that multiplies, and promote the project's model to the endpoint."""
    packages = ["python=3.11", "pip", {"pip": ["azureml-inference-server-http==1.5.1"]}]
    project.write("ml/environment/conda.yml", {"name": "scoring", "dependencies": packages})
    image = "mcr.microsoft.com/azureml/base:20260715.v1"  # with a tag, which the rules of the platform ask for
    project.edit("ml/environment/environment.yml", image=image, conda_file="./conda.yml")
    project.write("ml/deploy/score/score.py", SCORE.format(factor=factor, init=init, run=run))
    project.write("ml/deploy/sample-request.json", '{"value": 1}')
    deployment = {
        "name": "blue",
        "endpoint_name": f"ep-{project.tag}",
        "model": f"azureml:model-{project.tag}@latest",
        "environment": f"azureml:env-{project.tag}@latest",
        "code_configuration": {"code": "./score", "scoring_script": "score.py"},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
    }
    project.write("ml/deploy/blue-deployment.yml", deployment)
    model = {"name": f"model-{project.tag}", "version": project.asset("model").version}
    project.write("models.json", json.dumps({f"ep-{project.tag}": model}))
