"""What the assets' benchmarks run on: a local Azure as far away as a real one, and Pulumi projects of assets alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import yaml

from amlite import SUBSCRIPTION_ID
from amlite.testing import FaultKind, LocalAzure
from azureml_fixtures.engine import GROUP, WORKSPACE, make_workspace
from tests.checkout import ROOT, Checkout, clean_environment

LATENCY_SECONDS = 0.1
# It is there before the components, which name exactly its version.
_ENVIRONMENT = "bench-environment"
_PROGRAM = """
from pathlib import Path

import pulumi_azureml as azureml

root = Path(__file__).parent
plan = azureml.load_catalogue(root, azureml.CatalogueSettings(frozenset({{"cpu"}}), cache_folder=root / "cache"))
workspace = azureml.WorkspaceArgs(
    subscription_id="{subscription}", resource_group="{group}", name="{workspace}", owner="bench/bench"
)
azureml.Assets("assets", azureml.AssetsArgs(plan=plan, workspace=workspace))
"""
_COMPONENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
type: command
name: {name}
display_name: Step {name}
description: One of many.
inputs:
  rows:
    type: uri_folder
  threshold:
    type: number
    default: 0.5
outputs:
  result:
    type: uri_folder
code: ./src
environment: azureml:{environment}:1
command: >-
  python main.py --rows ${{{{inputs.rows}}}} --threshold ${{{{inputs.threshold}}}} --result ${{{{outputs.result}}}}
"""


@contextmanager
def far_azure(folder: Path) -> Iterator[LocalAzure]:
    """Start a local Azure with a workspace that answers each request 100 ms late; at the end delete its folder."""
    # From the environment of a fresh shell: this one may stand inside another `amlite run`.
    with mock.patch.dict(os.environ, clean_environment(), clear=True), LocalAzure.started(folder) as azure:
        workspace = make_workspace(azure)
        azure.put(f"{workspace}/environments/{_ENVIRONMENT}", {"properties": {}})
        version = {"properties": {"image": "python:3.11"}}
        azure.put(f"{workspace}/environments/{_ENVIRONMENT}/versions/1", version)
        azure.add_fault("* *", FaultKind.SLOW, rate=1.0, seconds=LATENCY_SECONDS)
        yield azure
    shutil.rmtree(folder)


def write_components(root: Path, prefix: str, count: int) -> None:
    """Write `count` components, each with code of its own, as `ml/<name>/{component.yml,src/main.py}`."""
    for number in range(count):
        name = f"{prefix}_{number:03d}"
        folder = root / "ml" / name / "src"
        folder.mkdir(parents=True)
        (folder.parent / "component.yml").write_text(_COMPONENT.format(name=name, environment=_ENVIRONMENT))
        (folder / "main.py").write_text(f'"""{name}."""\n\nprint("{name}")\n')


def write_schedule(root: Path, prefix: str) -> None:
    """Write a schedule of a pipeline whose only step is the first component: what depends on it."""
    step = {"type": "command", "component": f"azureml:{prefix}_000@latest", "compute": "azureml:cpu"}
    step["inputs"] = {"rows": {"type": "uri_folder", "path": "azureml://datastores/workspaceblobstore/paths/rows"}}
    trigger = {"type": "cron", "expression": "0 5 * * *", "time_zone": "UTC"}
    schedule = {"name": f"{prefix}-daily", "trigger": trigger, "create_job": "../steps.yml"}
    (root / "pipelines" / "schedules").mkdir(parents=True)
    (root / "pipelines" / "steps.yml").write_text(yaml.safe_dump({"type": "pipeline", "jobs": {"step": step}}))
    (root / "pipelines" / "schedules" / "daily.yml").write_text(yaml.safe_dump(schedule))


def project(folder: Path, program: str, environment: dict[str, str]) -> Checkout:
    """Make a Pulumi project with an empty stack `bench` and a backend of its own in `folder`."""
    virtualenv = ROOT / ".venv"
    options = {"toolchain": "pip", "virtualenv": str(virtualenv)}
    (folder / "Pulumi.yaml").write_text(
        yaml.safe_dump({"name": "bench", "runtime": {"name": "python", "options": options}})
    )
    (folder / "__main__.py").write_text(program)
    (folder / "state").mkdir()
    own = {
        "PATH": f"{virtualenv / 'bin'}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "bench",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PARALLEL": "32",  # as `release up` does it
    }
    made = Checkout(folder, {**environment, **own})
    made.run("pulumi stack init bench")
    return made


def assets(folder: Path, azure: LocalAzure, prefix: str, count: int) -> Checkout:
    """Make the Pulumi project of `count` components and a schedule of the first."""
    write_components(folder, prefix, count)
    write_schedule(folder, prefix)
    program = _PROGRAM.format(subscription=SUBSCRIPTION_ID, group=GROUP, workspace=WORKSPACE)
    return project(folder, program, azure.environment())
